#!/usr/bin/env python3
"""Several greylagd on one Redis: they agree, and mail goes on without the server."""
import json, os, shutil, signal, subprocess, sys, time, urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from policy import BUILD, GREYLAGCTL, GREYLAGD, PATIENCE, Daemon, Tap, free_port, run, sanitized, verb, wait_until

GREYLAG = os.path.join(BUILD, "classifier", "greylag")
DEADLINE = 5  # seconds, of a daemon that is about it
FAKETIME = "/usr/$LIB/faketime/libfaketime.so.1"


class Redis:
    """A redis-server with persistence, on a Unix socket; it ends with the test."""

    def __init__(self, tap):
        self.folder = tap.path("redis")
        os.mkdir(self.folder)
        self.socket = os.path.join(self.folder, "socket")
        self.uri = "redis+unix:" + self.socket
        self.process = None
        tap.daemons.append(self)

    def start(self):
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "redis-server", "--port", "0", "--unixsocket", self.socket,
             "--dir", self.folder, "--save", "", "--appendonly", "yes", "--appendfsync", "always"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not wait_until(lambda: self.ask("PING") == "PONG"):
            raise RuntimeError("redis-server does not answer")
        return self

    def ask(self, *command):
        return run("redis-cli", "-s", self.socket, *command)[1].strip()

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def daemon(tap, redis, name, *options, **popen):
    return Daemon(tap, name, "store.uri=" + redis.uri, *options, **popen)


def ctl(uri, *arguments, **more):
    return run(GREYLAGCTL, "-c", "/dev/null", "-o", "policy.user=", "-o", "store.uri=" + uri, *arguments, **more)


def two_hosts(tap, redis):
    hosts = [daemon(tap, redis, name, config="[greylist]\ndelay = 600s\n").start() for name in ("first", "second")]
    first, second = hosts
    tap.equal(verb(first.ask(sender="a@example.org")), "DEFER_IF_PERMIT", "a first attempt at one host waits")
    tap.equal(verb(second.ask(sender="a@example.org")), "DEFER_IF_PERMIT", "a retry at once, at the other, is too early")
    for host in hosts:
        write(host.config, "[greylist]\ndelay = 1s\n")
        host.signal(signal.SIGHUP)
    tap.ok(wait_until(lambda: verb(second.ask(sender="a@example.org")) == "PREPEND"), "a retry at the other passes")
    tap.equal(verb(first.ask(sender="a@example.org")), "DUNNO", "and is known at the first")
    return first, second


def commands(tap, redis, first):
    tap.ok(wait_until(lambda: "hours" in redis.ask("KEYS", "greylag:*")), "what was decided is counted in Redis")
    status, out, err = ctl(redis.uri, "status", "--json")
    shown = json.loads(out)["store"]
    tap.equal((err, shown["driver"], shown["records"]["triplets"]), ("", "redis", 1), "greylagctl status")
    status, out, err = ctl(redis.uri, "list")
    tap.ok(status == 0 and "a@example.org" in out, "greylagctl list", status, out, err)
    tap.equal(ctl(redis.uri, "check")[0], 0, "greylagctl check")
    status, _, err = ctl(redis.uri, "allow", "example.com", "--for", "1h")
    tap.equal(status, 0, "greylagctl allow")
    tap.ok(wait_until(lambda: first.ask(sender="x@example.com", client="198.51.100.7") == "DUNNO"),
           "is taken up by a daemon that runs")
    status, out, err = ctl(redis.uri, "why", "192.0.2.1", "a@example.org", "rcpt@example.net")
    tap.ok(status == 0 and "DUNNO" in out, "greylagctl why", status, out, err)
    status, _, err = ctl(redis.uri, "backup", tap.path("backup"))
    tap.ok(status != 0 and "BGSAVE" in err, "greylagctl backup says what to do instead", err)
    status, out, err = run(GREYLAG, "-c", "/dev/null", "--store", redis.uri, "status")
    tap.ok(status == 0 and "0 ham" in out, "greylag status says what is learned there", status, out, err)


def lines_of(text):
    """Records, without the header, which has the time in it."""
    return sorted(text.splitlines()[1:])


def moving(tap, redis):
    """From Redis to LMDB, and into another database of Redis."""
    lmdb, other = "lmdb:" + tap.path("moved"), redis.uri + "?db=1"
    _, there, _ = ctl(redis.uri, "export")
    tap.ok(len(lines_of(there)) >= 3, "there is something to move", there)
    status, _, err = ctl(lmdb, "import", write(tap.path("there"), there))
    tap.equal((status, err), (0, ""), "export from Redis can be imported to LMDB")
    _, back, _ = ctl(lmdb, "export")
    status, _, err = ctl(other, "import", write(tap.path("back"), back))
    tap.equal((status, err), (0, ""), "and export from LMDB to Redis")
    _, again, _ = ctl(other, "export")
    tap.ok(keyless(there) == keyless(back) == keyless(again), "no record is lost or changed", there, back, again)


def keyless(text):
    """The records without what depends on the store's own hash key."""
    return sorted(json.dumps({k: v for k, v in json.loads(line).items() if k != "key"}, sort_keys=True)
                  for line in lines_of(text))


def write(path, text):
    with open(path, "w") as f:
        f.write(text)
    return path


def processed(redis):
    """Commands so far."""
    return int(next(line for line in redis.ask("INFO", "stats").split() if "total_commands_processed" in line)
               .split(":")[1])


def cache(tap, redis):
    http = free_port()
    host = daemon(tap, redis, "remembering", "greylist.delay=1s", "store.cache_ttl=600s",
                  f"http.listen=inet:127.0.0.1:{http}").start()
    client = host.client()
    tap.equal(client.ask(sender="a@example.org"), "DUNNO", "known is known, and remembered")
    before = processed(redis)
    answers = {client.ask(sender="a@example.org") for n in range(500)}
    asked = processed(redis) - before
    tap.ok(answers == {"DUNNO"} and asked < 200, "500 times more, the server is not asked for it", asked)
    told = json.load(urllib.request.urlopen(f"http://127.0.0.1:{http}/stats"))["cache"]
    tap.ok(told["used"] == 1 and told["hits"] >= 400 and told["misses"] >= 1, "/stats counts it", told)
    brief = daemon(tap, redis, "brief", "greylist.delay=1s", "store.cache_ttl=2s").start()
    other = brief.client()
    tap.equal(other.ask(sender="a@example.org"), "DUNNO", "another remembers for two seconds")
    tap.equal(ctl(redis.uri, "forget", "--sender", "a@example.org")[0], 0, "what is forgotten")
    tap.ok(wait_until(lambda: verb(other.ask(sender="a@example.org")) == "DEFER_IF_PERMIT"),
           "is forgotten when the time to live is over")
    tap.equal(client.ask(sender="a@example.org"), "DUNNO", "and not before")
    tap.ok(wait_until(lambda: verb(other.ask(sender="a@example.org")) == "PREPEND"), "and comes again")
    host.stop()
    brief.stop()


def faults(tap, redis, first, second):
    hasty = daemon(tap, redis, "hasty", f"store.timeout_ms={DEADLINE * 1000}").start()
    client = hasty.client()
    redis.signal(signal.SIGSTOP)
    tap.equal(client.ask(sender="b@example.org"), "DUNNO", "Redis is silent: DUNNO while it is")
    start = time.monotonic()
    answers = {client.ask(sender=f"b{n}@example.org") for n in range(20)}
    took = time.monotonic() - start
    tap.ok(answers == {"DUNNO"} and took < DEADLINE, "and twenty times from then on, before one deadline is over",
           answers, took)
    tool = subprocess.Popen([GREYLAGCTL, "-c", "/dev/null", "-o", "store.uri=" + redis.uri, "-o", "store.patience=300s", "list"],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    tap.equal(wait_until(lambda: tool.poll() is not None, 2), False, "greylagctl waits for it")
    status, out, err = ctl(redis.uri, "-o", "store.patience=1s", "list")
    tap.ok(status != 0 and redis.uri in err and "no answer" in err, "not longer than it may, and says what it waited for", err)
    redis.signal(signal.SIGCONT)
    out, _ = tool.communicate(timeout=PATIENCE)
    tap.ok(tool.returncode == 0 and b"a@example.org" in out, "and goes on when Redis does", tool.returncode, out)
    tap.ok(wait_until(lambda: verb(client.ask(sender="c@example.org")) == "DEFER_IF_PERMIT"),
           "it greylists again when Redis goes on")
    redis.kill()
    tap.equal([first.ask(sender="d@example.org"), second.ask(sender="d@example.org")], ["DUNNO"] * 2,
              "Redis is killed: all mail goes on")
    third = daemon(tap, redis, "third").start()
    tap.equal(third.ask(sender="d@example.org"), "DUNNO", "also at a daemon that starts without it")
    tap.ok("cannot reach Redis" in third.log(), "which says so", third.log())
    redis.start()
    for host in (first, second, third):
        tap.ok(wait_until(lambda: verb(host.ask(sender="e@example.org")) == "DEFER_IF_PERMIT"),
               f"Redis is back: {os.path.basename(host.config)} greylists again")
    tap.equal(first.ask(sender="a@example.org"), "DUNNO", "and what was known is known")
    return third


def skew(tap, redis):
    if sanitized() or not shutil.which("faketime"):
        tap.skip("hosts whose clocks differ agree", "needs faketime and a build without sanitizers")
        return
    env = dict(os.environ, LD_PRELOAD=FAKETIME, FAKETIME="+40d", FAKETIME_DONT_FAKE_MONOTONIC="1")
    ahead = daemon(tap, redis, "ahead", "greylist.delay=60s", env=env).start()
    right = daemon(tap, redis, "right", "greylist.delay=60s").start()
    tap.ok(ahead.ask(sender="a@example.org") == "DUNNO", "a clock 40 days ahead: what is known has not expired")
    for name, one, other in (("ahead", ahead, right), ("behind", right, ahead)):
        one.ask(sender=f"{name}@example.org")
        answer = other.ask(sender=f"{name}@example.org")
        waits = [int(word) for word in answer.split() if word.isdigit()]
        tap.ok(verb(answer) == "DEFER_IF_PERMIT" and waits and 50 <= waits[-1] <= 60,
               f"a retry at a host with another clock ({name}) waits as long as it must", answer)
    ahead.stop()
    right.stop()


with Tap() as tap:
    if not shutil.which("redis-server") or "HAVE_REDIS 1" not in open(
            os.path.join(os.path.dirname(GREYLAGD), "..", "config.h")).read():
        tap.skip("several hosts on one Redis", "needs redis-server, and hiredis at build time")
    else:
        server = Redis(tap).start()
        hosts = two_hosts(tap, server)
        commands(tap, server, hosts[0])
        moving(tap, server)
        cache(tap, server)
        hosts = (*hosts, faults(tap, server, *hosts))
        skew(tap, server)
        for host in hosts:
            tap.equal(host.stop(), 0, f"{os.path.basename(host.config)} stops cleanly")
