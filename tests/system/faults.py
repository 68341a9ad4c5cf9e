#!/usr/bin/env python3
"""greylagd when things break: killed under load, a full disk, a store that cannot be opened."""
import os, random, select, signal, subprocess, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from policy import DEADLINE, GREYLAGCTL, Client, Daemon, Tap, request, run, verb, wait_until

KILLS = 30
CONNECTIONS = 24


def word(number):
    """A name without digits, which would be taken for a counter in a one-time sender."""
    text = ""
    while True:
        number, letter = divmod(number, 26)
        text += chr(97 + letter)
        if not number:
            return text


class Load:
    """New triplets on many connections, one request in flight on each, until the server dies."""

    def __init__(self, daemon, first):
        self.next = first
        self.answered = []
        self.clients = {client.socket: client for client in (daemon.client() for _ in range(CONNECTIONS))}
        for client in self.clients.values():
            self.ask(client)

    def ask(self, client):
        client.number = self.next
        self.next += 1
        client.send(request(sender=f"{word(client.number)}@example.org", client="198.51.100.1"))

    def run(self, daemon, seconds):
        end = time.monotonic() + seconds
        killed = False
        while self.clients:
            if not killed and time.monotonic() > end:
                daemon.signal(signal.SIGKILL)
                killed = True
            for s in select.select(list(self.clients), [], [], 0.005)[0]:
                client = self.clients[s]
                action = client.reply()
                try:
                    if action is None:
                        raise ConnectionError
                    if verb(action) == "DEFER_IF_PERMIT":
                        self.answered.append(client.number)
                    self.ask(client)
                except ConnectionError:
                    client.close()
                    del self.clients[s]
        daemon.wait()


def killed(tap):
    # A disk that is slow for a moment must not look like a loss: answers wait for it.
    daemon = Daemon(tap, "killed", "greylist.delay=0", "greylist.auto_whitelist_after=0",
                    "store.timeout_ms=60000")
    dice = random.Random(6647)
    number = total = lost = unclean = 0
    for _ in range(KILLS):
        daemon.start()
        load = Load(daemon, number)
        load.run(daemon, dice.uniform(0.005, 0.08))
        number = load.next
        total += len(load.answered)
        daemon.start()
        client = daemon.client()
        for n in load.answered:
            action = client.ask(sender=f"{word(n)}@example.org", client="198.51.100.1")
            lost += verb(action) != "PREPEND"
        client.close()
        daemon.kill()
        status, out, err = run(GREYLAGCTL, "-c", daemon.config, "-o", f"store.uri=lmdb:{daemon.store}", "check")
        if status != 0:
            unclean += 1
            print("# " + (out + err).replace("\n", "\n# "))
    print(f"# {KILLS} kills, {total} triplets answered")
    tap.ok(total > KILLS, "the load got answers before the kills", total)
    tap.equal(lost, 0, f"{KILLS} times kill -9 under load: every triplet that was answered is there")
    tap.equal(unclean, 0, "and the store checks clean after each")


def mount(path):
    """A small file system of its own, if this may be."""
    os.mkdir(path)
    return os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0711", "tmpfs", path],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


class Disk:
    """Fills what is left and gives it free again."""

    def __init__(self, path):
        self.filler = os.path.join(path, "filler")

    def fill(self, daemon):
        with open(self.filler, "wb", buffering=0) as f:
            size = 65536
            while size:
                try:
                    f.write(bytes(size))
                except OSError:
                    size //= 2

    def free(self, daemon):
        os.unlink(self.filler)


class Limit:
    """Without a file system of one's own: no file may grow any more."""

    def fill(self, daemon):
        import resource
        size = max(os.path.getsize(os.path.join(daemon.store, name)) for name in os.listdir(daemon.store))
        self.before = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def free(self, daemon):
        import resource
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, self.before)


def full(tap):
    place = tap.path("disk")
    mounted = mount(place)
    disk = Disk(place) if mounted else Limit()
    print("# a full " + ("tmpfs" if mounted else "file (RLIMIT_FSIZE)"))
    # Python ignores SIGXFSZ; a child that inherits this gets an error instead of the signal.
    daemon = Daemon(tap, "full", "greylist.delay=0", store=os.path.join(place, "store"), restore_signals=False)
    try:
        daemon.start()
        client = daemon.client()
        client.ask(sender="known@example.org")
        tap.equal(verb(client.ask(sender="known@example.org")), "PREPEND", "a triplet is known")
        disk.fill(daemon)
        actions = []
        for n in range(20000):
            actions.append(client.ask(sender=f"{word(n)}-full@example.org"))
            if actions[-1] == "DUNNO":
                break
        tap.equal(actions[-1], "DUNNO", f"the disk is full: new ones are let in (the {len(actions)}th)")
        # Now and then the store has room of its own for one more, which must then be there.
        more = [f"{word(n)}-more@example.org" for n in range(50)]
        start = time.monotonic()
        answers = {sender: verb(client.ask(sender=sender)) for sender in more}
        deferred = [sender for sender in more if answers[sender] != "DUNNO"]
        # Below a file's limit that is often so, on a full disk seldom.
        most = len(more) / 2 if mounted else len(more)
        tap.ok(len(deferred) <= most and set(answers.values()) <= {"DUNNO", "DEFER_IF_PERMIT"},
               "and so are the next", answers)
        tap.ok(time.monotonic() - start < DEADLINE, "all of them before one deadline is over")
        tap.equal(client.ask(sender="known@example.org"), "DUNNO", "known ones go on")
        tap.ok(daemon.logs("answered DUNNO"), "the log tells", daemon.log())
        tap.equal(daemon.log().count("answered DUNNO: the disk is full"), 1, "once, not for each")
        def told():
            status, out, err = run(GREYLAGCTL, "-c", daemon.config, "-o", f"store.uri=lmdb:{daemon.store}",
                                   "-o", f"policy.listen=inet:127.0.0.1:{daemon.port}", "status")
            first = out.split("\n")[0]
            return status == 1 and "lets mail in undecided since" in first and "because the disk is full" in first
        tap.ok(wait_until(told), "greylagctl status says what mail experiences, from a file on the very disk")
        disk.free(daemon)
        recovered = wait_until(lambda: verb(client.ask(sender="recovered@example.org")) == "DEFER_IF_PERMIT")
        tap.ok(recovered, "with room again it greylists again, without a restart", daemon.log()[-3000:])
        tap.equal(verb(client.ask(sender="recovered@example.org")), "PREPEND", "and remembers")
        forgotten = [sender for sender in deferred if verb(client.ask(sender=sender)) != "PREPEND"]
        tap.equal(forgotten, [], "as it does all that it deferred while the disk was full")

        def counted():
            return "store-full" in run(GREYLAGCTL, "-c", daemon.config, "-o", f"store.uri=lmdb:{daemon.store}",
                                       "status", "--json")[1]
        tap.ok(wait_until(counted), "what was let in is counted")
        tap.equal(daemon.stop(), 0, "it stops cleanly")
        tap.equal(run(GREYLAGCTL, "-c", daemon.config, "-o", f"store.uri=lmdb:{daemon.store}", "check")[0], 0,
                  "and the store checks clean")
    finally:
        daemon.kill()
        if mounted:
            subprocess.run(["umount", place])


def unusable(tap):
    daemon = Daemon(tap, "unusable")
    with open(daemon.store, "w") as f:
        f.write("in the way\n")
    daemon.start()
    client = daemon.client()
    start = time.monotonic()
    tap.equal(client.ask(sender="unusable@example.org"), "DUNNO", "no store at the start: mail is let in")
    tap.ok(time.monotonic() - start < DEADLINE, "without waiting for it")
    tap.has(daemon.log(), daemon.store, "the log names the store")
    os.unlink(daemon.store)
    os.mkdir(daemon.store, 0o700)
    tap.ok(wait_until(lambda: verb(client.ask(sender="usable@example.org")) == "DEFER_IF_PERMIT"),
           "once it can be opened it is, without a restart", daemon.log())
    tap.equal(daemon.stop(), 0, "it stops cleanly")


with Tap() as tap:
    killed(tap)
    full(tap)
    unusable(tap)
