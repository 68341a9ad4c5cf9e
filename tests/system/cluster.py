#!/usr/bin/env python3
"""A small Redis Cluster: greylagd finds the server of each record, and follows it when it moves."""
import json, os, re, shutil, socket, sys, threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from policy import BUILD, GREYLAGCTL, GREYLAGD, SOURCE, Daemon, Tap, run, verb, wait_until
import redisfarm

GREYLAG = os.path.join(BUILD, "classifier", "greylag")


def ctl(uri, *arguments):
    return run(GREYLAGCTL, "-c", "/dev/null", "-o", "policy.user=", "-o", "store.uri=" + uri, *arguments)


def records(uri):
    status, out, err = ctl(uri, "export")
    return [json.loads(line) for line in out.splitlines()[1:]] if status == 0 else err


def nodes_by_tag(nodes):
    """Which node has which tags."""
    return {n.port: set(re.findall(r"greylag:\{([a-z0-9:]+)\}", n.ask("KEYS", "greylag:*"))) for n in nodes}


def spread(tap, nodes, first, second):
    client, other = first.client(), second.client()
    senders = [f"{redisfarm.letters(n)}@example.org" for n in range(200)]
    tap.equal({verb(client.ask(sender=s)) for s in senders}, {"DEFER_IF_PERMIT"}, "first attempts wait")
    tap.equal({other.ask(sender=s).split()[0] for s in senders}, {"DEFER_IF_PERMIT"}, "the other host has heard of them")
    tap.ok(wait_until(lambda: first.log().count("reason=first") == 200 and second.log().count("reason=early") == 200),
           "and takes none for new")
    tags = nodes_by_tag(nodes)
    tap.ok(all(any(tag.startswith("policy:") for tag in t) for t in tags.values()), "each node has a part", tags)
    tap.ok(all(sum(tag in t for t in tags.values()) == 1 for tag in set.union(*tags.values())),
           "and no tag is in two places", tags)


def keyless(records):
    """The records without what depends on the store's own hash key."""
    return sorted(json.dumps({k: v for k, v in r.items() if k != "key"}, sort_keys=True) for r in records)


def moves(tap, nodes, uri):
    there = "lmdb:" + tap.path("moved")
    tap.ok(wait_until(lambda: ":hours" in "".join(n.ask("KEYS", "greylag:*") for n in nodes)), "hours are counted")
    status, out, err = ctl(uri, "export", tap.path("exported"))
    tap.equal((status, err), (0, ""), "an export of the cluster")
    tap.equal(ctl(there, "import", tap.path("exported"))[0], 0, "is imported to LMDB")
    tap.equal(keyless(records(there)), keyless(records(uri)), "with each record")
    status, out, err = ctl(uri, "status", "--json")
    shown = json.loads(out)["store"]
    tap.equal((err, shown["driver"], shown["records"]["triplets"]), ("", "redis-cluster", 200), "greylagctl status")
    tap.equal(ctl(uri, "check")[0], 0, "greylagctl check")


def learning(tap, uri):
    """What greylag learns lies under one tag, on whichever node."""
    data = os.path.join(SOURCE, "tests", "data")
    status, out, err = run(GREYLAG, "-c", "/dev/null", "-d", uri, "train", "--ham", os.path.join(data, "ham"),
                           "--spam", os.path.join(data, "spam"))
    tap.ok(status == 0 and "failed 0" in out, "greylag learns", status, out, err)
    status, out, err = run(GREYLAG, "-c", "/dev/null", "-d", uri, "classify", "--terse",
                           os.path.join(data, "spam-new-loan.eml"), os.path.join(data, "ham-new-list.eml"))
    tap.equal([line[0] for line in out.splitlines()], ["S", "H"], "and judges by it")


def slot_of(node, tag):
    return int(node.ask("CLUSTER", "KEYSLOT", f"{{{tag}}}"))


def owner(nodes, slot):
    return next(n for n in nodes if n.ask("CLUSTER", "COUNTKEYSINSLOT", str(slot)) != "0")


def move_slot(nodes, slot, pause):
    """As redis-cli --cluster reshard does it, with a PAUSE while half of the keys are moved."""
    source = owner(nodes, slot)
    target = next(n for n in nodes if n is not source)
    ids = {n.port: n.ask("CLUSTER", "MYID") for n in nodes}
    target.ask("CLUSTER", "SETSLOT", str(slot), "IMPORTING", ids[source.port])
    source.ask("CLUSTER", "SETSLOT", str(slot), "MIGRATING", ids[target.port])
    keys = keys_in(source, slot)
    for key in keys[:len(keys) // 2]:
        migrate(source, target, key)
    pause()
    while keys_in(source, slot):
        for key in keys_in(source, slot):
            migrate(source, target, key)
    for n in (target, source, *nodes):
        n.ask("CLUSTER", "SETSLOT", str(slot), "NODE", ids[target.port])


def command(node, *words):
    """One command with any bytes; the reply as bytes."""
    with socket.create_connection((node.host, node.port)) as s:
        s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        f = s.makefile("rb")

        def reply():
            line = f.readline()
            if line[:1] == b"$":
                n = int(line[1:])
                return f.read(n + 2)[:-2] if n >= 0 else None
            if line[:1] == b"*":
                return [reply() for _ in range(int(line[1:]))]
            return line.strip()
        return reply()


def keys_in(node, slot):
    return command(node, b"CLUSTER", b"GETKEYSINSLOT", b"%d" % slot, b"10000")


def migrate(source, target, key):
    command(source, b"MIGRATE", target.host.encode(), b"%d" % target.port, key, b"0", b"1000")


def resharding(tap, nodes, daemon):
    """A slot moves to another node under load."""
    slot = slot_of(nodes[0], "policy:3")
    stop, answers = threading.Event(), []

    def load(name):
        client, n = daemon.client(), 0
        while not stop.is_set():
            sender = f"{name}{redisfarm.letters(n)}@example.com"
            answers.append((sender, verb(client.ask(sender=sender))))
            n += 1
    threads = [threading.Thread(target=load, args=(name,), daemon=True) for name in ("x-", "y-", "z-")]
    for t in threads:
        t.start()
    tap.ok(wait_until(lambda: int(owner(nodes, slot).ask("CLUSTER", "COUNTKEYSINSLOT", str(slot))) > 30),
           "a slot has records")
    source = owner(nodes, slot)
    seen = len(answers)
    move_slot(nodes, slot, lambda: wait_until(lambda: len(answers) > seen + 500))
    moved = len(answers)
    wait_until(lambda: len(answers) > moved + 500)
    stop.set()
    for t in threads:
        t.join()
    tap.ok(owner(nodes, slot) is not source, "and moves to another node")
    failed = [a for a in answers if a[1] != "DEFER_IF_PERMIT"]
    tap.ok(not failed, f"none of {len(answers)} requests meanwhile was let in undecided", failed[:5], daemon.log()[-1000:])
    tap.equal(redisfarm.reasons(daemon, [sender for sender, _ in answers]).count("first"), 0, "and none was lost")


def take_over(tap, nodes, daemon):
    """A master dies, and its replica has its slots then."""
    victim = nodes[1]
    replica = redisfarm.node(tap, "replica")
    command(replica, b"CLUSTER", b"MEET", victim.host.encode(), b"%d" % victim.port)
    identity = victim.ask("CLUSTER", "MYID")
    tap.ok(wait_until(lambda: replica.ask("CLUSTER", "REPLICATE", identity) == "OK") and
           redisfarm.replicas_are_there(victim, 1), "a replica of one node")
    senders = [f"{redisfarm.letters(n)}@example.org" for n in range(200)]
    victim.kill()
    told = redisfarm.reasons(daemon, senders)
    tap.ok(0 < told.count("store-unavailable") < 200 and told.count("early") == 200 - told.count("store-unavailable"),
           "a node is killed: mail of its part is let in, of the others' greylisted", set(told))
    tap.ok(wait_until(lambda: replica.role() == "master"), "the replica takes over")
    tap.ok(wait_until(lambda: redisfarm.reasons(daemon, senders) == ["early"] * 200),
           "and is found: all are known again", daemon.log()[-1000:])


with Tap() as tap:
    if not shutil.which("redis-server") or "HAVE_REDIS 1" not in open(
            os.path.join(os.path.dirname(GREYLAGD), "..", "config.h")).read():
        tap.skip("a cluster", "needs redis-server, and hiredis at build time")
        sys.exit()
    nodes = redisfarm.cluster(tap)
    uri = "redis+cluster://127.0.0.1:1," + ",".join(f"127.0.0.1:{n.port}" for n in nodes)
    hosts = [Daemon(tap, name, "store.uri=" + uri, "greylist.delay=600s").start() for name in ("one", "two")]
    spread(tap, nodes, *hosts)
    moves(tap, nodes, uri)
    learning(tap, uri)
    resharding(tap, nodes, hosts[0])
    take_over(tap, nodes, hosts[1])
    for host in hosts:
        tap.equal(host.stop(), 0, f"{os.path.basename(host.config)} stops cleanly")
