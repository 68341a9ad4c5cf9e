#!/usr/bin/env python3
"""The classifier's speed and size, beside Debian's bogofilter in the same run.

    speed.py [--build FOLDER] [--rounds N] INDEX [CASE...]

INDEX has lines "spam|ham PATH" (contrib/fetch-corpus makes one). Programs that are compared run in
turn, N rounds; of wall time and of processor time (user and system) the best of each counts. Prints
a line a figure, with the wished-for figure beside it; judges nothing. Figures depend on the
machine, ratios less: on a busy one that of processor time tells more than that of wall time.

All cases but "large", which fills ten million tokens, run by default.
"""

import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import cases

LARGE = 10_000_000
COPIES = 5


class Usage:
    """Wall and processor time of a command, and its peak of RssAnon if that is watched."""

    def __init__(self, command, text=None, cores=None, watch=False):
        pin = (lambda: os.sched_setaffinity(0, cores)) if cores else None
        with tempfile.TemporaryFile() as given:
            given.write((text or "").encode("utf-8", "surrogateescape"))
            given.seek(0)
            begun = time.monotonic()
            child = subprocess.Popen(command, stdin=given, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL, preexec_fn=pin)
            self.peak = 0
            if watch:
                watcher = threading.Thread(target=self.watch, args=(child.pid,))
                watcher.start()
            _, status, used = os.wait4(child.pid, 0)
            self.wall = time.monotonic() - begun
            child.returncode = os.waitstatus_to_exitcode(status)
            if watch:
                watcher.join()
        self.cpu = used.ru_utime + used.ru_stime
        if child.returncode not in (0, 1, 2):
            sys.exit(f"speed.py: {' '.join(command[:4])}: status {child.returncode}")

    def watch(self, pid):
        while True:
            try:
                with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as lines:
                    found = re.search(r"RssAnon:\s+(\d+)", lines.read())
            except OSError:
                return
            if not found:
                return
            self.peak = max(self.peak, int(found[1]))
            time.sleep(0.005)


def show(case, name, value, wish="", unit=""):
    print(f"{case:26} {name:34} {value:11.3f} {unit:4} {wish}", flush=True)


class Bench:
    def __init__(self, build, rounds, index, folder):
        self.build, self.rounds, self.folder = os.path.abspath(build), rounds, folder
        self.program = os.path.join(self.build, "classifier", "greylag")
        self.messages = cases.read_index(index)
        self.cores = sorted(os.sched_getaffinity(0))[:2]
        self.stores = {}

    def new_folder(self):
        return tempfile.mkdtemp(dir=self.folder)

    def paths(self, *labels):
        return [path for label, path in self.messages if label in labels]

    def greylag(self, store, command, *arguments):
        return [self.program, command, "-c", "/dev/null", "-d", store, *arguments]

    def bogofilter(self, store, *arguments):
        return ["bogofilter", "-C", "-d", store, *arguments]

    def trained(self):
        """A store of each that has learned the whole corpus."""
        if not self.stores:
            ours, theirs = self.new_folder(), self.new_folder()
            Usage(self.train_command(ours))
            self.train_theirs(theirs)
            self.stores = {"greylag": ours, "bogofilter": theirs}
        return self.stores["greylag"], self.stores["bogofilter"]

    def train_command(self, store):
        return self.greylag(store, "train", "--ham", *self.paths("ham"),
                            "--spam", *self.paths("spam"))

    def train_theirs(self, store, cores=None):
        runs = [Usage(self.bogofilter(store, "-b", flag), lines(self.paths(label)), cores)
                for label, flag in (("ham", "-n"), ("spam", "-s"))]
        return sum(r.wall for r in runs), sum(r.cpu for r in runs)

    def compare(self, case, count, ours, theirs, wall_wish, cpu_wish=""):
        """Messages a second; OURS and THEIRS give (wall, cpu) of a run."""
        runs = [(ours(), theirs()) for _ in range(self.rounds)]
        for what, at, wish in (("wall", 0, wall_wish), ("processor", 1, cpu_wish)):
            mine = min(run[0][at] for run in runs)
            other = min(run[1][at] for run in runs)
            show(case, f"greylag, {what} time", count / mine, "", "/s")
            show(case, f"bogofilter, {what} time", count / other, "", "/s")
            show(case, f"ratio, {what} time", other / mine, wish)


def lines(paths):
    return "".join(path + "\n" for path in paths)


def times(command, text, cores):
    usage = Usage(command, text, cores)
    return usage.wall, usage.cpu


# -- cases --


def case_classify(bench):
    """Bulk classification, on two processors and on one."""
    ours, theirs = bench.trained()
    text = lines(bench.paths("ham", "spam"))
    for cores, wish in ((bench.cores, "(at least 2)"), (bench.cores[:1], "(at least 1.2)")):
        bench.compare(f"classify, {len(cores)} processors", len(bench.messages),
                      lambda: times(bench.greylag(ours, "classify", "--terse", "--files-from=-"),
                                    text, cores),
                      lambda: times(bench.bogofilter(theirs, "-b", "-TT"), text, cores), wish)


def case_train(bench):
    """Bulk training of both classes into a new store."""
    for cores, wish in ((bench.cores, "(at least 1)"), (bench.cores[:1], "")):
        bench.compare(f"train, {len(cores)} processors", len(bench.messages),
                      lambda: times(bench.train_command(bench.new_folder()), None, cores),
                      lambda: bench.train_theirs(bench.new_folder(), cores), wish)


def show_single(case, runs):
    """Of (wall, cpu) of greylag and of bogofilter, message by message, median and mean."""
    for what, at, wish in (("wall", 0, "(at most 1.6)"), ("processor", 1, "")):
        for kind, middle in ("median", statistics.median), ("mean", statistics.mean):
            mine, other = (middle(run[who][at] for run in runs) for who in (0, 1))
            show(case, f"greylag, {what} time, {kind}", 1000 * mine, "", "ms")
            show(case, f"bogofilter, {what} time, {kind}", 1000 * other, "", "ms")
            show(case, f"ratio, {what} time, {kind}", mine / other, wish)


def case_single(bench):
    """One message a process: judged by name, and passed through with its verdict."""
    ours, theirs = bench.trained()
    paths = random.Random(1).sample(bench.paths("ham", "spam"), 300)
    show_single("a message a process",
                [(times(bench.greylag(ours, "classify", path), None, None),
                  times(bench.bogofilter(theirs, "-B", path), None, None)) for path in paths])
    runs = []
    for path in paths:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            text = file.read()
        runs.append((times(bench.greylag(ours, "filter", "-e"), text, None),
                     times(bench.bogofilter(theirs, "-p", "-e"), text, None)))
    show_single("filter, a message", runs)


def write_mbox(path, paths):
    """COPIES of each message, each with words of its own."""
    words = random.Random(1)
    with open(path, "wb") as out:
        for _ in range(COPIES):
            for source in paths:
                with open(source, "rb") as file:
                    message = file.read()
                if message.startswith(b"From "):
                    message = message.partition(b"\n")[2]
                own = " ".join(f"w{words.getrandbits(22):x}" for _ in range(20))
                out.write(b"From alice@example.org Thu Aug 22 12:36:23 2002\n")
                out.write(message.replace(b"\nFrom ", b"\n>From "))
                out.write(b"\n" + own.encode() + b"\n\n")


def case_memory(bench):
    """Mailboxes of more messages than the memory holds, and one of a single huge message."""
    boxes = {label: os.path.join(bench.folder, label + ".mbox") for label in ("ham", "spam")}
    for label, box in boxes.items():
        write_mbox(box, bench.paths(label))
    huge = os.path.join(bench.folder, "huge.eml")
    with open(huge, "wb") as out:
        out.write(b"Subject: huge\nContent-Type: text/html\n\n" + b"<p>word and word</p>\n" * 3000000)
    store = bench.new_folder()
    commands = {
        "train": bench.greylag(store, "train", "--ham", boxes["ham"], "--spam", boxes["spam"]),
        "classify": bench.greylag(store, "classify", boxes["ham"], boxes["spam"]),
        "classify a message of 60 MB": bench.greylag(store, "classify", huge),
    }
    for name, command in commands.items():
        usage = Usage(command, watch=True)
        show("memory", f"{name}, peak RssAnon", usage.peak / 1000, "(at most 200)", "MB")
    for box in *boxes.values(), huge:
        os.remove(box)


def used_and_size(bench, store):
    out = subprocess.run(bench.greylag(store, "status", "--json"), capture_output=True, text=True,
                         check=True).stdout
    tokens = int(re.search(r'"tokens": (\d+)', out)[1])
    used = subprocess.run(["mdb_stat", "-n", "-e", "-a", os.path.join(store, "token.mdb")],
                          capture_output=True, text=True, check=True).stdout
    pages = re.search(r"Status of tokens.*?Branch pages: (\d+).*?Leaf pages: (\d+)", used, re.S)
    return tokens, 4096 * (int(pages[1]) + int(pages[2])), os.path.getsize(
        os.path.join(store, "token.mdb"))


def case_disk(bench):
    """Bytes a token: of a store that was trained, the pages of the tokens' database; and the whole
    file of one that has learned nothing but tokens, in many small transactions."""
    ours, _ = bench.trained()
    tokens, used, _ = used_and_size(bench, ours)
    show("disk", "pages a token", used / tokens, "(at most 60)", "B")
    dump = subprocess.run(bench.greylag(ours, "dump"), capture_output=True, check=True).stdout
    kept = [line for line in dump.splitlines() if line.startswith((b"greylag-dump", b"token "))]
    store = bench.new_folder()
    subprocess.run(bench.greylag(store, "load"), input=b"\n".join(kept) + b"\n", check=True,
                   capture_output=True)
    tokens, _, size = used_and_size(bench, store)
    show("disk", "file a token, tokens alone", size / tokens, "(at most 180)", "B")


def load_tokens(bench, store, count):
    """Words that no message has, as they would be left by years of mail."""
    child = subprocess.Popen(bench.greylag(store, "load"), stdin=subprocess.PIPE,
                             stdout=subprocess.DEVNULL, text=True)
    child.stdin.write("greylag-dump 2\n")
    for start in range(0, count, 10000):
        child.stdin.write("".join(f"token 1 1 20000 x{n * 2654435761 % 2**32:08x}\n"
                                  for n in range(start, min(start + 10000, count))))
    child.stdin.close()
    if child.wait() != 0:
        sys.exit("speed.py: the tokens cannot be loaded")


def case_large(bench):
    """A store of ten million tokens beside one of the corpus' hundred thousand."""
    ours, _ = bench.trained()
    large = bench.new_folder()
    shutil.copytree(ours, large, dirs_exist_ok=True)
    load_tokens(bench, large, LARGE)
    tokens, used, size = used_and_size(bench, large)
    show("large", "tokens", tokens)
    show("large", "pages a token", used / tokens, "(at most 60)", "B")
    show("large", "file a token", size / tokens, "(at most 180)", "B")
    text = lines(bench.paths("ham", "spam"))
    some = random.Random(2).sample(bench.paths("ham", "spam"), 100)
    for what, run in (
            ("bulk", lambda s: times(bench.greylag(s, "classify", "--files-from=-"), text, None)[0]),
            ("a message a process", lambda s: statistics.median(
                times(bench.greylag(s, "classify", path), None, None)[0] for path in some)),
            ("explain", lambda s: statistics.median(
                times(bench.greylag(s, "explain", path), None, None)[0] for path in some))):
        runs = [(run(large), run(ours)) for _ in range(bench.rounds)]
        ratio = min(a for a, _ in runs) / min(b for _, b in runs)
        show("large", f"{what}, times as slow", ratio, "(at most 3)")


# -- the policy server while a training runs --


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_daemon(bench, store):
    port = free_port()
    child = subprocess.Popen(
        [os.path.join(bench.build, "policyd", "greylagd"), "-f", "-c", "/dev/null",
         "-o", f"policy.listen=inet:127.0.0.1:{port}", "-o", "policy.user=",
         "-o", "http.listen=off", "-o", "greylist.delay=1s", "-o", f"store.uri=lmdb:{store}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(500):
        try:
            return child, socket.create_connection(("127.0.0.1", port), 1)
        except OSError:
            time.sleep(0.02)
    child.kill()
    sys.exit("speed.py: greylagd does not listen")


def ask(connection, number):
    request = (f"request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=192.0.2.{number}\n"
               f"client_name=unknown\nsender=s{number}@example.org\nrecipient=r@example.net\n"
               f"instance={number}.{time.monotonic_ns()}\n\n")
    begun = time.monotonic()
    connection.sendall(request.encode())
    answer = b""
    while not answer.endswith(b"\n\n"):
        piece = connection.recv(4096)
        if not piece:
            sys.exit("speed.py: greylagd hung up")
        answer += piece
    return time.monotonic() - begun, b"DEFER" in answer


def measure(connection, until):
    """200 questions a second, as long as UNTIL says that it goes on."""
    times_taken = []
    while until():
        for number in range(200):
            taken, deferred = ask(connection, number)
            if deferred:
                sys.exit("speed.py: a known triplet was deferred")
            times_taken.append(taken)
            time.sleep(0.005)
    times_taken.sort()
    return times_taken


def case_policy(bench):
    """Known triplets on the store that is being trained, message by message into the same store."""
    store = bench.new_folder()
    daemon, connection = start_daemon(bench, store)
    training = None
    try:
        for number in range(200):
            ask(connection, number)
        time.sleep(1.5)
        for number in range(200):
            ask(connection, number)
        end = time.monotonic() + 3
        idle = measure(connection, lambda: time.monotonic() < end)
        script = "for i in 1 2 3; do {} || exit 3; {} || exit 3; done".format(
            *(f'"$0" {command} -c /dev/null -d "$1" {paths} <"$2" >/dev/null' for command, paths in
              (("train --ham --files-from=-", ""), ("untrain --files-from=-", ""))))
        list_file = os.path.join(bench.folder, "list")
        with open(list_file, "w", encoding="utf-8", errors="surrogateescape") as out:
            out.write(lines(bench.paths("ham", "spam")))
        training = subprocess.Popen(["sh", "-c", script, bench.program, store, list_file],
                                    stderr=subprocess.DEVNULL)
        busy = measure(connection, lambda: training.poll() is None)
        for name, taken in ("idle", idle), ("training", busy):
            show("policy server", f"known triplets, {name}, p50", 1000 * taken[len(taken) // 2], "",
                 "ms")
            show("policy server", f"known triplets, {name}, p99",
                 1000 * taken[len(taken) * 99 // 100], "(at most 5)", "ms")
    finally:
        if training:
            training.wait()
        daemon.send_signal(signal.SIGTERM)
        daemon.wait()


# -- a word list that bogofilter made --


def verdicts_of(bench, store, paths):
    out = subprocess.run(bench.greylag(store, "classify", "--terse", "--files-from=-"),
                         input=lines(paths), capture_output=True, text=True, check=True).stdout
    found = {}
    for line in out.splitlines():
        verdict, _, _, name = line.split("\t")
        found[re.sub(r"#\d+$", "", name)] = verdict
    return found


def case_import(bench):
    """A real bogofilter that has learned a part, its list, and its sure verdicts on the rest."""
    for seed in range(1, bench.rounds + 1):
        messages = list(bench.messages)
        random.Random(seed).shuffle(messages)
        half = len(messages) // 2
        theirs, ours = bench.new_folder(), bench.new_folder()
        for label, flag in ("ham", "-n"), ("spam", "-s"):
            Usage(bench.bogofilter(theirs, "-b", flag),
                  lines([path for of, path in messages[:half] if of == label]))
        rest = [path for _, path in messages[half:]]
        dump = subprocess.run(["bogoutil", "-d", os.path.join(theirs, "wordlist.db")],
                              capture_output=True, check=True).stdout
        subprocess.run(bench.greylag(ours, "import", "bogofilter", "-"), input=dump, check=True,
                       capture_output=True)
        out = subprocess.run(bench.bogofilter(theirs, "-b", "-TT"), input=lines(rest),
                             capture_output=True, text=True, check=False).stdout
        scores = {name: float(score) for name, score in (l.rsplit(" ", 1) for l in out.splitlines())}
        sure = {p: "S" if s >= 0.99 else "H" for p, s in scores.items() if s >= 0.99 or s <= 0.45}
        verdicts = verdicts_of(bench, ours, rest)
        same = sum(verdicts[p] == v for p, v in sure.items())
        contrary = sum(verdicts[p] not in (v, "U") for p, v in sure.items())
        show(f"import, seed {seed}", "sure of", 100 * len(sure) / len(rest), "", "%")
        show(f"import, seed {seed}", "the same verdict", 100 * same / len(sure), "(at least 97)", "%")
        show(f"import, seed {seed}", "the contrary", 100 * contrary / len(sure), "", "%")


CASES = cases.cases_of(globals())


def main():
    parser = cases.parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each program")
    options = cases.parse(parser, CASES)
    if not shutil.which("bogofilter") or not shutil.which("mdb_stat"):
        parser.error("needs bogofilter and mdb_stat (Debian: bogofilter-bdb, lmdb-utils)")
    with tempfile.TemporaryDirectory(prefix="greylag-speed-") as folder:
        bench = Bench(options.build, options.rounds, options.index, folder)
        for name in options.cases or [name for name in CASES if name != "large"]:
            CASES[name](bench)


if __name__ == "__main__":
    main()
