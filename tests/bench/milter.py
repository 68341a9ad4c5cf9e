#!/usr/bin/env python3
"""The CPU time that greylag-milter takes for a message, beside a milter that does nothing and beside
"greylag classify" over the same messages.

usage: milter.py [--build DIR] [--connections N] [--messages N] [CORPUS]
CORPUS is an index, lines "spam|ham PATH", as contrib/fetch-corpus makes it; else the sample mail of
tests/data is used. A third of the messages trains the store. Prints figures and the ratio

	(milter - nothing) / classify

each in CPU seconds a message, user and system; judges nothing.
"""
import argparse, os, resource, subprocess, sys, threading, time

HERE = os.path.dirname(os.path.abspath(__file__))
arguments = argparse.ArgumentParser()
arguments.add_argument("--build", default=".")
arguments.add_argument("--connections", type=int, default=50)
arguments.add_argument("--messages", type=int, default=3000)
arguments.add_argument("corpus", nargs="?")
a = arguments.parse_args()
os.environ["top_builddir"] = a.build
sys.path.insert(0, os.path.join(HERE, "..", "system"))
import cases
from mta import Milter, Mta, split
from policy import PATIENCE, Tap, connect, free_port, wait_until

GREYLAG = os.path.join(a.build, "classifier", "greylag")


def corpus():
    """(label, path) pairs."""
    if a.corpus:
        return cases.read_index(a.corpus)
    data = os.path.join(HERE, "..", "data")
    return [(label, os.path.join(data, label, name)) for label in ("ham", "spam")
            for name in sorted(os.listdir(os.path.join(data, label)))]


def ticks(pid):
    """CPU seconds of a process and of its threads."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def talk(address, messages):
    """A connection each ten messages, as a mail server might have it."""
    for at in range(0, len(messages), 10):
        mta = Mta(address)
        mta.connect()
        mta.helo()
        for fields, body in messages[at:at + 10]:
            mta.envelope()
            mta.fields(fields)
            mta.body(body)
            mta.end()
        mta.close()


def load(address, pid, messages):
    """CPU seconds a message, and messages a second."""
    shares = [messages[i::a.connections] for i in range(a.connections)]
    threads = [threading.Thread(target=talk, args=(address, share)) for share in shares if share]
    before, began = ticks(pid), time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return (ticks(pid) - before) / len(messages), len(messages) / (time.monotonic() - began)


def classify(store, paths):
    """CPU seconds a message."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([GREYLAG, "classify", "--terse", "-d", store, "--files-from", "-"], input="\n".join(paths).encode(),
                   stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / len(paths)


def noop(tap):
    port = free_port()
    child = subprocess.Popen([os.path.join(a.build, "tests", "bench", "noop_milter"), f"inet:{port}@[127.0.0.1]"])
    tap.daemons.append(child)

    def listens():
        try:
            connect(("127.0.0.1", port)).close()
            return True
        except OSError:
            return False
    assert wait_until(listens)
    return ("127.0.0.1", port), child.pid


with Tap() as tap:
    pairs = corpus()
    store = tap.path("store")
    for label in ("ham", "spam"):
        subprocess.run([GREYLAG, "train", label, "-d", store, "--files-from", "-"], stdout=subprocess.DEVNULL, check=True,
                       input="\n".join(path for kind, path in pairs[::3] if kind == label).encode())
    rest = [path for i, (_, path) in enumerate(pairs) if i % 3]
    paths = (rest * (a.messages // len(rest) + 1))[:a.messages]
    messages = []
    for path in paths:
        with open(path, "rb") as f:
            messages.append(split(f.read().replace(b"\r\n", b"\n").replace(b"\0", b"")))
    milter = Milter(tap)
    child = milter.child()[0]
    nothing, pid = noop(tap)
    results = []
    for _ in range(3):
        floor, floor_rate = load(nothing, pid, messages)
        ours, rate = load(milter.address, child, messages)
        bulk = classify(store, paths)
        results.append((ours - floor) / bulk)
        print(f"nothing {1e6 * floor:6.0f} us   greylag-milter {1e6 * ours:6.0f} us ({rate:.0f}/s)   "
              f"classify {1e6 * bulk:6.0f} us   ratio {results[-1]:.2f}", flush=True)
    print(f"{len(messages)} messages, {a.connections} connections: ratio {sorted(results)[1]:.2f} (median of three)")
