#!/usr/bin/env python3
"""Two MX hosts, each a Postfix and a greylagd in a network namespace of its own, on one Redis in a third.

Where no namespace can be made they have ports of their own, and no network that can be cut. GREYLAG_ROUNDS repeats
each failure so often ("make stress").
"""
import json, os, shutil, smtplib, subprocess, sys, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from policy import GREYLAGCTL, GREYLAGD, Daemon, Tap, free_port, run, verb, wait_until
import redisfarm

DATA, WATCH = "198.18.77", "198.18.78"  # the farm's network, and the one by which this test looks on
# As much as fits into Postfix's patience, which is ten seconds.
DEADLINE = "store.timeout_ms=8000"
ROUNDS = int(os.environ.get("GREYLAG_ROUNDS", "1"))
os.environ["PATH"] += ":/usr/sbin:/sbin"


def ip(*words):
    return subprocess.run(["ip", *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


class Network:
    """Namespaces at two bridges."""

    def __init__(self, tap):
        self.mark = f"{os.getpid() % 100000}"
        self.names, self.links, self.inhabitants = [], [], []
        tap.daemons.append(self)
        self.works = os.getuid() == 0 and shutil.which("ip") and ip("netns", "add", "gl" + self.mark + "x")
        if self.works:
            self.names.append("gl" + self.mark + "x")
            self.works = self.bridge("d", None) and self.bridge("w", WATCH + ".254/24")

    def bridge(self, kind, address):
        name = "gl" + kind + self.mark
        self.links.append(name)
        return ip("link", "add", name, "type", "bridge") and ip("link", "set", name, "up") and \
            (not address or ip("addr", "add", address, "dev", name))

    def host(self, number):
        """The name of a namespace with the addresses that end with NUMBER."""
        name = f"gl{self.mark}n{number}"
        self.names.append(name)
        good = ip("netns", "add", name) and ip("-n", name, "link", "set", "lo", "up")
        for kind, net in (("d", DATA), ("w", WATCH)):
            outer = f"gl{kind}{self.mark}n{number}"
            self.links.append(outer)
            good = good and ip("link", "add", outer, "type", "veth", "peer", "name", kind + "0", "netns", name) and \
                ip("link", "set", outer, "master", "gl" + kind + self.mark) and ip("link", "set", outer, "up") and \
                ip("-n", name, "addr", "add", f"{net}.{number}/24", "dev", kind + "0") and \
                ip("-n", name, "link", "set", kind + "0", "up")
        if not good:
            raise RuntimeError("a namespace was made, and has no network")
        return name

    def cut(self, number, down=True):
        ip("link", "set", f"gld{self.mark}n{number}", "down" if down else "up")

    def kill(self):
        for inhabitant in self.inhabitants:
            inhabitant.kill()
        for link in reversed(self.links):
            ip("link", "del", link)
        for name in self.names:
            ip("netns", "del", name)


class Mx:
    """A Postfix that asks a greylagd on its own host."""

    def __init__(self, tap, name, network, number):
        self.tap, self.name = tap, name
        self.netns = network.host(number) if network.works else None
        self.address = f"{WATCH}.{number}" if self.netns else "127.0.0.1"
        self.inside = ["ip", "netns", "exec", self.netns] if self.netns else []
        self.port = 25 if self.netns else free_port()
        self.policy_port = 10023 if self.netns else free_port()
        self.conf, self.queue = tap.path(name + ".conf.d"), tap.path(name + ".queue")
        self.data = tap.path(name + ".data")
        self.daemon = None
        self.odd = []  # replies other than 250 and 450
        self.started = False
        network.inhabitants.append(self)

    def greylagd(self, uri, *options):
        name = f"{self.name}-{time.monotonic_ns()}"
        self.daemon = Daemon(self.tap, name, "store.uri=" + uri, DEADLINE, *options, argv=self.inside,
                             listen=f"inet:{self.address}:{self.policy_port}")
        self.daemon.address = (self.address, self.policy_port)
        self.daemon.start()
        return self.daemon

    def postfix(self):
        for folder in (self.conf, self.queue, self.data):
            os.mkdir(folder)
        shutil.chown(self.data, "postfix")
        with open(os.path.join(self.conf, "main.cf"), "w") as f:
            f.write(f"""compatibility_level = 3.6
queue_directory = {self.queue}
data_directory = {self.data}
maillog_file = {self.tap.path(self.name + ".maillog")}
maillog_file_prefixes = {self.tap.folder}
myhostname = {self.name}.example.net
mydestination =
alias_maps =
alias_database =
inet_protocols = ipv4
mynetworks = 127.0.0.77/32
relay_domains = example.net
relay_recipient_maps =
transport_maps = inline:{{ example.net=discard: }}
smtpd_authorized_xclient_hosts = 127.0.0.0/8, {WATCH}.0/24
smtpd_peername_lookup = no
smtpd_error_sleep_time = 0
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = reject_unauth_destination,
    check_policy_service {{ inet:{self.address}:{self.policy_port}, timeout=10s, default_action=DUNNO }}
""")
        with open(os.path.join(self.conf, "master.cf"), "w") as f:
            f.write(f"{self.address}:{self.port} inet n - n - - smtpd\n"
                    "postlog unix-dgram n - n - 1 postlogd\npickup unix n - n 60 1 pickup\n"
                    "cleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n"
                    "rewrite unix - - n - - trivial-rewrite\nbounce unix - - n - 0 bounce\n"
                    "defer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\nproxymap unix - - n - - proxymap\n"
                    "anvil unix - - n - 1 anvil\nerror unix - - n - - error\nretry unix - - n - - error\n"
                    "discard unix - - n - - discard\n")
        self.started = True
        self.say("start")
        if not wait_until(self.listens):
            raise RuntimeError("Postfix does not start")

    def say(self, word):
        subprocess.run([*self.inside, "postfix", "-c", self.conf, word], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def listens(self):
        try:
            smtplib.SMTP(self.address, self.port, timeout=5).close()
            return True
        except OSError:
            return False

    def mail(self, sender, client="192.0.2.1"):
        """What becomes of a message: 450, 250, or whatever else."""
        with smtplib.SMTP(self.address, self.port, "client.test", timeout=30) as smtp:
            smtp.ehlo()
            smtp.docmd("XCLIENT", f"NAME=[UNAVAILABLE] ADDR={client}")
            smtp.ehlo()
            smtp.mail(sender)
            reply = smtp.rcpt("al@example.net")
            if reply[0] == 250:
                reply = smtp.data(b"Subject: x\r\n\r\nx\r\n")
            if reply[0] not in (250, 450):
                self.odd.append(reply)
            return reply[0]

    def kill(self):
        if self.started:
            self.started = False
            self.say("abort")


class Load:
    """First attempts at both hosts: most ask greylagd, some are whole dialogues with Postfix."""

    def __init__(self, hosts, name):
        self.stop, self.deferred, self.codes, self.asked = threading.Event(), [], set(), 0
        self.hosts, self.lock = hosts, threading.Lock()
        self.threads = []
        for h, mx in enumerate(hosts):
            for i in range(3):
                self.go(self.ask, mx, f"{name}-{redisfarm.letters(h * 10 + i)}-")
            self.go(self.mail, mx, f"{name}-{redisfarm.letters(h * 10 + 9)}-")

    def go(self, what, mx, name):
        thread = threading.Thread(target=what, args=(mx, name), daemon=True)
        self.threads.append(thread)
        thread.start()

    def note(self, sender, code, deferred):
        with self.lock:
            self.asked += 1
            self.codes.add(code)
            if deferred:
                self.deferred.append(sender)

    def ask(self, mx, name):
        client, n = mx.daemon.client(), 0
        while not self.stop.is_set():
            sender = f"{name}{redisfarm.letters(n)}@example.org"
            code = verb(client.ask(sender=sender, recipient="al@example.net"))
            self.note(sender, code, code == "DEFER_IF_PERMIT")
            n += 1
            time.sleep(0.002)

    def mail(self, mx, name):
        n = 0
        while not self.stop.is_set():
            sender = f"{name}{redisfarm.letters(n)}@example.org"
            code = mx.mail(sender)
            self.note(sender, code, code == 450)
            n += 1

    def wait(self, more):
        """Until so many more were asked."""
        end = self.asked + more
        wait_until(lambda: self.asked >= end)

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join()


def lost(daemon, senders):
    """How many of them are taken for first attempts again."""
    return redisfarm.reasons(daemon, senders, recipient="al@example.net").count("first")


def unharmed(tap, load, what):
    tap.ok(load.codes <= {"DUNNO", "DEFER_IF_PERMIT", 250, 450}, f"{what}: no mail is refused", load.codes,
           *(mx.odd for mx in load.hosts))


def retry_elsewhere(tap, uri, one, two):
    tap.equal(one.mail("a@example.org"), 450, "a first attempt at one MX waits")
    tap.equal(two.mail("a@example.org"), 450, "a retry at the other is too early")
    for mx in (one, two):
        tap.equal(mx.daemon.stop(), 0, f"{mx.name} stops cleanly")
        mx.greylagd(uri, "greylist.delay=2s")
    tap.ok(wait_until(lambda: two.mail("a@example.org") == 250), "after the delay it passes, at the other")
    tap.equal(one.mail("a@example.org"), 250, "and is known at the first")


def killed(tap, redis, one, two, name):
    load = Load((one, two), name)
    load.wait(500)
    redis.kill()
    load.wait(500)
    tap.ok(wait_until(lambda: "DUNNO" in load.codes), "Redis is killed under load: mail is let in")
    redis.start()
    deferred = len(load.deferred)
    tap.ok(wait_until(lambda: len(load.deferred) > deferred + 100), "it returns: mail is greylisted again")
    load.end()
    unharmed(tap, load, "Redis killed")
    tap.equal(lost(two.daemon, load.deferred), 0, f"none of {len(load.deferred)} triplets that were answered is lost")


def cut_off(tap, network, one, two, name):
    load = Load((one, two), name)
    load.wait(300)
    network.cut(1)
    tap.equal(one.daemon.ask(sender=name + "@example.org"), "DUNNO", "one MX is cut off: its answer comes while it is")
    load.wait(300)
    tap.equal(two.mail(f"still-{name}@example.org"), 450, "the other greylists on")
    network.cut(1, down=False)
    tap.ok(wait_until(lambda: verb(one.daemon.ask(sender=f"{redisfarm.letters(time.monotonic_ns())}@example.org")) ==
                      "DEFER_IF_PERMIT"), "the network heals, and it greylists again")
    load.end()
    unharmed(tap, load, "network cut")
    tap.equal(lost(two.daemon, load.deferred), 0, f"none of {len(load.deferred)} triplets that were answered is lost")


def ctl(uri, *arguments):
    return run(GREYLAGCTL, "-c", "/dev/null", "-o", "policy.user=", "-o", "store.uri=" + uri, *arguments)


def decisions(uri):
    status, out, err = ctl(uri, "status", "--json")
    day = json.loads(out)["last_48_hours"] if not err else {}
    return sum(day.get(k, 0) for k in ("deferred", "passed", "spared", "failed"))


def merged(daemon):
    return wait_until(lambda: "are merged so far" in daemon.log())


def fallback(tap, network, redis, uri, look, hosts):
    """Each host has a local store. Every way of losing Redis, under load; then all is counted. LOOK is the URI by
    which this test reaches the server."""
    one, two = hosts
    for mx in hosts:
        mx.greylagd(uri, "greylist.delay=600s", "store.fallback=lmdb:" + tap.path(mx.name + ".local"))
    load = Load(hosts, "fallback")
    for n in range(1, ROUNDS + 1):
        load.wait(400)
        redis.kill()
        load.wait(400)
        tap.ok(all("takes over" in mx.daemon.log() for mx in hosts), "Redis is killed: the local stores take over")
        redis.start()
        load.wait(400)
        tap.ok(all(merged(mx.daemon) for mx in hosts), "it returns: they are merged", two.daemon.log()[-2000:])
        if network.works:
            network.cut(2)
            tap.ok(wait_until(lambda: two.daemon.log().count("takes over") >= 2 * n), "and when the network is cut")
            load.wait(400)
            network.cut(2, down=False)
            tap.ok(wait_until(lambda: two.daemon.log().count("answers again") >= 2 * n), "and after the network was cut")
            load.wait(200)
    load.end()
    unharmed(tap, load, "with local stores")
    tap.ok(load.codes == {"DEFER_IF_PERMIT", 450}, "and none was let in undecided", load.codes)
    for mx in hosts:
        tap.ok(wait_until(lambda: waiting(tap.path(mx.name + ".local")) == 0), f"{mx.name} has nothing left to merge")
    tap.equal(lost(one.daemon, load.deferred), 0, f"none of {len(load.deferred)} triplets is lost to either host")
    for mx in hosts:
        tap.equal(mx.daemon.stop(), 0, f"{mx.name} stops cleanly")
    tap.equal(decisions(look), load.asked + len(load.deferred) + 1, "each decision was counted, and none twice")


def waiting(folder):
    status, out, err = ctl("lmdb:" + folder, "status", "--json")
    return json.loads(out)["store"]["records"]["journal"] - 1 if not err else err


with Tap() as tap:
    if not shutil.which("redis-server") or "HAVE_REDIS 1" not in open(
            os.path.join(os.path.dirname(GREYLAGD), "..", "config.h")).read():
        tap.skip("a farm", "needs redis-server, and hiredis at build time")
        sys.exit()
    if os.getuid() != 0 or not shutil.which("postfix"):
        tap.skip("a farm", "a Postfix of one's own needs root")
        sys.exit()
    network = Network(tap)
    inside = network.host(3) if network.works else None
    redis = redisfarm.Server(tap, "redis", host=f"{DATA}.3" if inside else "127.0.0.1", netns=inside)
    redis.start()
    if inside:
        # The test itself looks on by the other network.
        redis.options = ("--bind", f"{DATA}.3", f"{WATCH}.3")
        redis.kill()
        redis.start()
    one, two = Mx(tap, "one", network, 1), Mx(tap, "two", network, 2)
    for mx in (one, two):
        mx.greylagd(redis.uri, "greylist.delay=600s")
        mx.postfix()
    retry_elsewhere(tap, redis.uri, one, two)
    for n in range(ROUNDS):
        killed(tap, redis, one, two, f"killed-{redisfarm.letters(n)}")
        if network.works:
            cut_off(tap, network, one, two, f"cut-{redisfarm.letters(n)}")
        else:
            tap.skip("a network that is cut", "no network namespaces here")
    for mx in (one, two):
        tap.equal(mx.daemon.stop(), 0, f"{mx.name} stops cleanly")
    look = f"redis://{WATCH + '.3' if inside else '127.0.0.1'}:{redis.port}/1"
    fallback(tap, network, redis, redis.uri + "/1", look, (one, two))
