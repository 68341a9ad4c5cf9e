#!/usr/bin/env python3
"""Stores of released layouts: they open, and what they were dumped as is read; others are refused with the way over."""
import json, lzma, os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from policy import BUILD, GREYLAGCTL, SOURCE, Daemon, Tap, run, verb, wait_until
from mta import MILTER, Milter, deliver, field
from redisfarm import Server

GREYLAG = os.path.join(BUILD, "classifier", "greylag")
DATA = os.path.join(SOURCE, "tests", "data")
LAYOUTS = (1,)  # all that were released
FILES = ("policy.mdb", "token.mdb")
NEW = {"ham-new.eml": "H", "ham-new-list.eml": "H", "spam-new.eml": "S", "spam-new-loan.eml": "S"}


def kept(layout, name):
    with lzma.open(os.path.join(DATA, f"layout-{layout}", name + ".xz")) as f:
        return f.read()


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)
    return path


def unpack(tap, layout, name):
    folder = tap.path(name)
    os.mkdir(folder, 0o700)
    for file in FILES:
        write(os.path.join(folder, file), kept(layout, file))
    return folder


class Programs:
    def __init__(self, tap, folder=None, uri=None):
        self.empty = write(tap.path("empty.conf"), b"")
        self.uri = uri or "lmdb:" + folder

    def ctl(self, *arguments):
        return run(GREYLAGCTL, "-c", self.empty, "-o", "policy.user=", "-o", "store.uri=" + self.uri, *arguments)

    def greylag(self, *arguments):
        return run(GREYLAG, "-c", self.empty, "-d", self.uri, *arguments)

    def verdicts(self):
        status, out, _ = self.greylag("classify", "--terse", *(os.path.join(DATA, name) for name in NEW))
        lines = [line.split("\t") for line in out.splitlines()]
        return {os.path.basename(line[3]): line[0] for line in lines}

    def triplets(self):
        """Sender, recipient, network, first and last time, attempts. The state depends on today."""
        lines = [line.split("\t") for line in self.ctl("list")[1].splitlines()]
        return sorted((w[0], w[1], w[2], w[5], w[6], w[7]) for w in lines if len(w) > 7)

    def allowed(self):
        return sorted(line.split("\t")[0] for line in self.ctl("allow", "--list")[1].splitlines())


def expected_triplets(layout):
    return sum(1 for line in kept(layout, "policy.jsonl").splitlines() if json.loads(line)["type"] == "triplet")


def opens(tap, layout):
    at = f"layout {layout}: "
    was = Programs(tap, unpack(tap, layout, f"as-it-was-{layout}"))
    tap.equal(was.ctl("check")[0], 0, at + "the store is whole")
    tap.equal(len(was.triplets()), expected_triplets(layout), at + "its triplets are listed")
    tap.ok(("bob@example.org", "al@example.net", "192.0.2.0/24", "2026-11-18T11:06:40Z", "2026-11-18T11:08:20Z",
            "2") in was.triplets(), at + "each with what is known of it", was.triplets())
    tap.equal(was.allowed(), ["203.0.113.0/24", "partner.example"], at + "so are the exceptions")
    tap.equal(was.verdicts(), NEW, at + "mail is judged by what it has learned")
    return was


def serves(tap, layout):
    at = f"layout {layout}: "
    daemon = Daemon(tap, f"serving-{layout}", store=unpack(tap, layout, f"served-{layout}")).start()
    tap.equal(verb(daemon.ask(client="203.0.113.9", client_name="unknown")), "DUNNO", at + "greylagd heeds an exception")
    tap.equal(verb(daemon.ask(client="192.0.2.200", client_name="unknown")), "DEFER_IF_PERMIT", at + "and takes down what is new")
    tap.equal(daemon.stop(), 0, at + "and ends well")
    then = Programs(tap, daemon.store)
    # The old ones may have been expired meanwhile.
    tap.ok([t for t in then.triplets() if t[:2] == ("sender@example.org", "rcpt@example.net")],
           at + "which is there afterwards", then.triplets())
    status, out, _ = then.greylag("train", "ham", os.path.join(DATA, "ham-new.eml"))
    tap.equal((status, out.split(",")[0]), (0, "trained 1"), at + "it can be trained further")


def carries_over(tap, layout, was):
    at = f"layout {layout}: "
    new = Programs(tap, tap.path(f"new-{layout}"))
    for name, command in (("policy.jsonl", new.ctl), ("token.dump", new.greylag)):
        path = write(tap.path(name), kept(layout, name))
        status, _, err = command("import" if name.endswith("l") else "load", path)
        tap.ok(status == 0, at + f"{name} of that release is read", err)
    tap.equal(new.triplets(), was.triplets(), at + "all triplets are carried over")
    tap.equal(new.allowed(), was.allowed(), at + "and all exceptions")
    tap.equal(new.verdicts(), NEW, at + "and what was learned")


def other_layout(folder, file, number):
    """The same file, with another number where its own stands."""
    path = os.path.join(folder, file)
    with open(path, "rb") as f:
        data = f.read()
    assert b"schema1" in data
    write(path, data.replace(b"schema1", b"schema" + number))


WAYS = {
    "policy.mdb": '"greylagctl -o store.uri=lmdb:{0} export policy.jsonl", then move policy.mdb away, and with this '
                  'one "greylagctl -o store.uri=lmdb:{0} import policy.jsonl"; see UPGRADES in greylagd(8)',
    "token.mdb": '"greylag -d lmdb:{0} dump token.dump", then move token.mdb away, and with this one '
                 '"greylag -d lmdb:{0} load token.dump"; see UPGRADES in greylagd(8)',
}


def refuses(tap, file, number, age):
    name = f"{file} of {age} greylag"
    folder = unpack(tap, LAYOUTS[-1], f"{file}-{age.split()[-1]}")
    other_layout(folder, file, number)
    before = {f: os.stat(os.path.join(folder, f)).st_mtime_ns for f in FILES}
    sentence = f"{folder}/{file} has layout {number.decode()}, of {age} greylag; "
    way = WAYS[file].format(folder)
    programs = Programs(tap, folder)
    status, _, err = programs.ctl("list")
    tap.ok(status == 1 and sentence in err and way in err, f"greylagctl refuses {name}, with the way over", status, err)
    if file == "token.mdb":
        status, _, err = programs.greylag("classify", os.path.join(DATA, "ham-new.eml"))
        tap.ok(status == 3 and sentence in err and way in err, "so does greylag", status, err)
    daemon = Daemon(tap, "refusing-" + os.path.basename(folder), store=folder).start()
    tap.equal(verb(daemon.ask(client="192.0.2.201")), "DUNNO", f"greylagd lets mail in beside {name}")
    tap.ok(daemon.logs(sentence) and way in daemon.log(), "and logs the way over", daemon.log())
    daemon.stop()
    if os.path.exists(MILTER):
        milter = Milter(tap, store=os.path.basename(folder), wait=False)
        told = wait_until(lambda: sentence in milter.log() and "is ready" in milter.log())
        tap.ok(told and way in milter.log(), "and so does greylag-milter", milter.log())
        with open(os.path.join(DATA, "spam-new.eml"), "rb") as f:
            answer, changes = deliver(milter.address, f.read())
        tap.equal((answer, field(changes).split(",")[0]), ("continue", "error"), "which lets mail in, marked")
        milter.kill()
    after = {f: os.stat(os.path.join(folder, f)).st_mtime_ns for f in FILES}
    tap.equal(after, before, f"nobody has touched {name}")
    goes_the_way(tap, programs, os.path.join(folder, file), name)


def goes_the_way(tap, programs, path, name):
    """As the sentence says, with what the version that wrote it has exported and dumped."""
    os.rename(path, path + ".old")
    if path.endswith("policy.mdb"):
        done = programs.ctl("import", write(tap.path("policy.jsonl"), kept(LAYOUTS[-1], "policy.jsonl")))
    else:
        done = programs.greylag("load", write(tap.path("token.dump"), kept(LAYOUTS[-1], "token.dump")))
    tap.equal((done[0], len(programs.triplets()), programs.verdicts()), (0, expected_triplets(LAYOUTS[-1]), NEW),
              f"the way over leads from {name} to a store that works")


def redis(tap):
    server = Server(tap, "redis")
    programs = Programs(tap, uri=server.uri)
    if "built without" in programs.ctl("status")[2]:
        tap.skip("a store of another layout on Redis is refused", "built without hiredis")
        return
    server.start()
    tap.equal(programs.ctl("allow", "192.0.2.0/24")[0], 0, "a store on Redis is made")
    for number, age in ((2, "a newer"), (0, "an older")):
        server.ask("BITFIELD", "greylag:{policy}:meta", "SET", "u8", "0", str(number))
        sentence = f"the store on Redis has layout {number}, of {age} greylag; "
        way = '"greylagctl export policy.jsonl" and "greylag dump token.dump", then empty its database or name ' \
              'another in store.uri'
        for program, command, argument in (("greylagctl", programs.ctl, "list"), ("greylag", programs.greylag, "status")):
            status, _, err = command(argument)
            tap.ok(status != 0 and sentence in err and way in err, f"{program} refuses {age} one there", status, err)
    server.kill()


def main():
    with Tap() as tap:
        for layout in LAYOUTS:
            was = opens(tap, layout)
            serves(tap, layout)
            carries_over(tap, layout, was)
        for file in FILES:
            refuses(tap, file, b"2", "a newer")
            refuses(tap, file, b"0", "an older")
        redis(tap)


main()
