#!/usr/bin/env python3
"""Sentinels: greylagd finds the master, and the replica that takes over from one that was killed."""
import os, shutil, subprocess, sys, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from policy import GREYLAGCTL, GREYLAGD, Daemon, Tap, run, verb, wait_until
import redisfarm


def deferred_until(client, stop, name, answered):
    """First attempts one after the other; those that were deferred go to ANSWERED, all others to none."""
    n = 0
    while not stop.is_set():
        sender = f"{name}{redisfarm.letters(n)}@example.org"
        if verb(client.ask(sender=sender)) == "DEFER_IF_PERMIT":
            answered.append(sender)
        n += 1


class Load:
    """Several clients with first attempts."""

    def __init__(self, daemon, name, clients=8):
        self.stop, self.answered = threading.Event(), []
        self.threads = [threading.Thread(target=deferred_until, daemon=True,
                                         args=(daemon.client(), self.stop, f"{name.split()[0]}-{redisfarm.letters(i)}-", self.answered))
                        for i in range(clients)]
        for t in self.threads:
            t.start()

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join()
        return self.answered


def lost(daemon, answered):
    """The places of those that are taken for first attempts again."""
    return [n for n, reason in enumerate(redisfarm.reasons(daemon, answered)) if reason == "first"]


def replica_has_all(master):
    """All that was written until now has come to a replica."""
    done = subprocess.run(["redis-cli", "-p", str(master.port)], input=b"SET mark 1\nWAIT 1 60000\n",
                          capture_output=True, timeout=120)
    return done.stdout.split() == [b"OK", b"1"]


def take_over(tap, daemon, master, replica, name, follows):
    """Kills the master under load. The senders that were deferred, and how many of them, the first, the replica had
    before. FOLLOWS is in the log when the new master is in use."""
    load = Load(daemon, name)
    wait_until(lambda: len(load.answered) > 1000)
    before = len(load.answered)
    tap.ok(replica_has_all(master), f"{name}: the replica has what was answered until now")
    start = time.monotonic()
    master.kill()
    tap.ok(wait_until(lambda: replica.role() == "master"), f"{name}: the replica is the master")
    switched = time.monotonic()
    log = len(daemon.log())
    tap.ok(wait_until(lambda: follows in daemon.log()[log:]), f"{name}: greylagd has found it", daemon.log()[-2000:])
    found = time.monotonic()
    answered = load.end()
    print(f"# {name}: killed after {before} answers; promoted after {switched - start:.1f} s, "
          f"found {found - switched:.1f} s later")
    return answered, before


with Tap() as tap:
    if not shutil.which("redis-server") or "HAVE_REDIS 1" not in open(
            os.path.join(os.path.dirname(GREYLAGD), "..", "config.h")).read():
        tap.skip("a fail-over", "needs redis-server, and hiredis at build time")
        sys.exit()
    first = redisfarm.Server(tap, "first").start()
    second = redisfarm.Server(tap, "second", "--replicaof", f"127.0.0.1 {first.port}").start()
    tap.ok(redisfarm.replicas_are_there(first, 1), "a replica follows the master")
    sentinels = redisfarm.watched(tap, first, 1)
    hosts = ",".join(f"127.0.0.1:{s.port}" for s in sentinels)
    uri = f"redis+sentinel://127.0.0.1:1,{hosts}/greylag"

    safe = Daemon(tap, "safe", "store.uri=" + uri, "store.wait_replicas=1", "greylist.delay=600s",
                  "store.timeout_ms=10000").start()
    tap.equal(verb(safe.ask(sender="a@example.org")), "DEFER_IF_PERMIT", "the master is found by its sentinels")
    status, out, err = run(GREYLAGCTL, "-c", "/dev/null", "-o", "store.uri=" + uri, "status")
    tap.ok(err == "" and "can be read" in out, "greylagctl finds it, too", out, err)
    status, _, err = run(GREYLAGCTL, "-c", "/dev/null", "-o", "store.uri=" + uri.replace("/greylag", "/other"), "status")
    tap.ok(status != 0 and "none of 4 sentinels knows" in err, "a service that no sentinel knows is told", err)

    answered, _ = take_over(tap, safe, first, second, "with wait_replicas", "reason=store-uncertain")
    tap.equal(lost(safe, answered), [], "of what was answered before, nothing is lost with wait_replicas")

    # The new master has no replica: what is new is not answered as if it were safe.
    tap.ok(wait_until(lambda: safe.ask(sender="alone@example.org") == "DUNNO") and
           "reason=store-uncertain" in safe.log(), "with too few replicas new mail is let in, and counted")
    first.options = ("--replicaof", f"127.0.0.1 {second.port}")
    first.start()
    tap.ok(wait_until(lambda: verb(safe.ask(sender="again@example.org")) == "DEFER_IF_PERMIT"),
           "until the old master is back as a replica")
    tap.ok(redisfarm.replicas_are_there(second, 1), "which follows")

    # One that answers on, but is no master any more.
    plain = Daemon(tap, "plain", "store.uri=" + uri, "greylist.delay=600s").start()
    wait_until(lambda: sentinels[0].ask("SENTINEL", "FAILOVER", "greylag") == "OK" or time.sleep(0.5))
    tap.ok(wait_until(lambda: first.role() == "master" and second.role() == "slave"), "a switch by hand")
    tap.ok(wait_until(lambda: verb(plain.ask(sender=f"{redisfarm.letters(time.monotonic_ns())}@example.org")) == "DEFER_IF_PERMIT"),
           "is followed")
    tap.ok(redisfarm.replicas_are_there(first, 1), "the old master follows the new one")
    answered, before = take_over(tap, plain, first, second, "without", "reason=first")
    gone = lost(plain, answered[:3000])
    print(f"# without wait_replicas {len(gone)} of {len(answered)} answers were lost")
    tap.equal([n for n in gone if n < before], [], "without wait_replicas no answer is lost that the replica had")
    for d in (safe, plain):
        tap.equal(d.stop(), 0, f"{os.path.basename(d.config)} stops cleanly")
