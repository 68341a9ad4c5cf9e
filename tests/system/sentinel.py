#!/usr/bin/env python3
"""Sentinels: greylagd finds the master, and the replica that takes over from one that was killed."""
import os, shutil, signal, sys, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from policy import GREYLAGCTL, GREYLAGD, Daemon, Tap, run, verb, wait_until
import redisfarm


def deferred_until(client, stop, name, answered):
    """First attempts one after the other; those that were deferred go to ANSWERED, all others to none."""
    n = 0
    while not stop.is_set():
        sender = f"{name}{redisfarm.letters(n)}@example.org"
        if verb(client.ask(sender=sender)) == "DEFER_IF_PERMIT":
            answered.append((sender, time.monotonic()))
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
    """When those were answered that are taken for first attempts again."""
    reasons = redisfarm.reasons(daemon, [sender for sender, _ in answered])
    return [when for (_, when), reason in zip(answered, reasons) if reason == "first"]


def take_over(tap, daemon, master, replica, name, follows):
    """Kills the master under load. The senders that were answered before. FOLLOWS is in the log when the new master
    is in use."""
    load = Load(daemon, name)
    wait_until(lambda: len(load.answered) > 1000)
    before = len(load.answered)
    start = time.monotonic()
    master.kill()
    tap.ok(wait_until(lambda: replica.role() == "master", 30), f"{name}: the replica is the master")
    switched = time.monotonic()
    log = len(daemon.log())
    ok = wait_until(lambda: follows in daemon.log()[log:], 30)
    tap.ok(ok and time.monotonic() - switched < 3, f"{name}: greylagd has found it within 3 seconds",
           time.monotonic() - switched, daemon.log()[-2000:])
    answered = load.end()
    print(f"# {name}: killed after {before} answers; promoted after {switched - start:.1f} s")
    return answered, start


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

    safe = Daemon(tap, "safe", "store.uri=" + uri, "store.wait_replicas=1", "greylist.delay=600s").start()
    tap.equal(verb(safe.ask(sender="a@example.org")), "DEFER_IF_PERMIT", "the master is found by its sentinels")
    status, out, err = run(GREYLAGCTL, "-c", "/dev/null", "-o", "store.uri=" + uri, "status")
    tap.ok(err == "" and "can be read" in out, "greylagctl finds it, too", out, err)
    status, _, err = run(GREYLAGCTL, "-c", "/dev/null", "-o", "store.uri=" + uri.replace("/greylag", "/other"), "status")
    tap.ok(status != 0 and "none of 4 sentinels knows" in err, "a service that no sentinel knows is told", err)

    answered, killed = take_over(tap, safe, first, second, "with wait_replicas", "reason=store-uncertain")
    tap.equal(lost(safe, answered), [], "of what was answered before, nothing is lost with wait_replicas")

    # The new master has no replica: what is new is not answered as if it were safe.
    tap.ok(wait_until(lambda: safe.ask(sender="alone@example.org") == "DUNNO") and
           "reason=store-uncertain" in safe.log(), "with too few replicas new mail is let in, and counted")
    first.options = ("--replicaof", f"127.0.0.1 {second.port}")
    first.start()
    tap.ok(wait_until(lambda: verb(safe.ask(sender="again@example.org")) == "DEFER_IF_PERMIT", 30),
           "until the old master is back as a replica")
    tap.ok(redisfarm.replicas_are_there(second, 1), "which follows")

    # One that answers on, but is no master any more.
    plain = Daemon(tap, "plain", "store.uri=" + uri, "greylist.delay=600s").start()
    wait_until(lambda: sentinels[0].ask("SENTINEL", "FAILOVER", "greylag") == "OK" or time.sleep(0.5), 30)
    tap.ok(wait_until(lambda: first.role() == "master" and second.role() == "slave", 30), "a switch by hand")
    tap.ok(wait_until(lambda: verb(plain.ask(sender=f"{redisfarm.letters(time.monotonic_ns())}@example.org")) == "DEFER_IF_PERMIT", 10),
           "is followed")
    tap.ok(redisfarm.replicas_are_there(first, 1), "the old master follows the new one")
    time.sleep(1)

    answered, killed = take_over(tap, plain, first, second, "without", "reason=first")
    gone = lost(plain, answered[:3000])
    oldest = killed - min(gone, default=killed)
    print(f"# without wait_replicas {len(gone)} of {len(answered)} answers were lost, the oldest {oldest * 1000:.0f} ms "
          "before the kill")
    tap.ok(oldest < 1, "without wait_replicas no answer is lost that was given a second before", oldest)
    for d in (safe, plain):
        tap.equal(d.stop(), 0, f"{os.path.basename(d.config)} stops cleanly")
