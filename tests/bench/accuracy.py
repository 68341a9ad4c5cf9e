#!/usr/bin/env python3
"""The classifier's accuracy on a labelled corpus, beside bogofilter where it is installed.

    accuracy.py [--build FOLDER] [--seeds N] INDEX [CASE...]

INDEX has lines "spam|ham PATH" in order of time (contrib/fetch-corpus makes one). Prints a line a
figure, with the wished-for figure beside it; judges nothing. Percent everywhere.

online: chunks of 100 are scored, then learned; the first 1,000 are learned but not counted.
trained: 3,000 shuffled messages are learned, the others only scored.
"""

import bisect
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from base64 import b64encode
from statistics import mean

import cases

CHUNK, WARM_UP, TRAINED = 100, 1000, 3000
KEPT = (b"from:", b"to:", b"subject:", b"date:", b"content-", b"mime-version:")


def run(command, paths=None):
    text = None if paths is None else "".join(p + "\n" for p in paths)
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode not in (0, 1, 2):
        sys.exit(f"accuracy.py: {' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def shuffled(messages, seed):
    messages = list(messages)
    random.Random(seed).shuffle(messages)
    return messages


def of_class(messages, label):
    return [path for of, path in messages if of == label]


# -- figures; results are (label, evidence, verdict) --


def roca(results):
    """The share of pairs in which a ham ranks above a spam, ties half."""
    spam = sorted(e for label, e, _ in results if label == "spam")
    ham = [e for label, e, _ in results if label == "ham"]
    wrong = sum(bisect.bisect_left(spam, e) + bisect.bisect_right(spam, e) for e in ham)
    return 100 * wrong / 2 / len(spam) / len(ham)


def share(results, label, verdict):
    of = [v for known, _, v in results if label in (known, None)]
    return 100 * sum(v == verdict for v in of) / len(of)


def figures(results):
    return {"roca": roca(results), "lost": share(results, "ham", "S"),
            "caught": share(results, "spam", "S"), "unsure": share(results, None, "U")}


def show(case, name, value, wish="", unit="%"):
    print(f"{case:28} {name:12} {value:9.4f} {unit:2} {wish}", flush=True)


def show_all(case, f, wishes=(), about=""):
    for key, name in (("roca", "1-ROCA"), ("lost", "ham lost"), ("caught", "spam caught"),
                      ("unsure", "unsure")):
        show(case, name, f[key], dict(wishes).get(key, about))


# -- filters: learn(label, paths), learn_both(messages), score(messages) -> results --


class Greylag:
    def __init__(self, bench):
        self.store = tempfile.mkdtemp(dir=bench.folder)
        self.command = [bench.greylag, "-d", self.store, "-c", "/dev/null"]

    def learn(self, label, paths):
        command = self.command[:1] + ["train"] + self.command[1:]
        run(command + [label, "--files-from=-"], paths)

    def learn_both(self, messages):
        run([self.command[0], "train", *self.command[1:], "--ham", *of_class(messages, "ham"),
             "--spam", *of_class(messages, "spam")])

    def score(self, messages):
        out = run([self.command[0], "classify", *self.command[1:], "--terse", "--files-from=-"],
                  [path for _, path in messages])
        results = {}
        for line in out.splitlines():
            verdict, _, evidence, name = line.split("\t")
            # A mailbox that quotes no From_ line may be taken for several: PATH#1 is the message.
            results.setdefault(re.sub(r"#\d+$", "", name), (float(evidence), verdict))
        return [(label, *results[path]) for label, path in messages]

    def dump(self):
        return run([self.command[0], "dump", *self.command[1:]])


class Bogofilter:
    def __init__(self, bench):
        self.command = ["bogofilter", "-C", "-d", tempfile.mkdtemp(dir=bench.folder), "-b"]

    def learn(self, label, paths):
        if paths:
            run(self.command + ["-s" if label == "spam" else "-n"], paths)

    def learn_both(self, messages):
        for label in "ham", "spam":
            self.learn(label, of_class(messages, label))

    def score(self, messages):
        out = run(self.command + ["-TT"], [path for _, path in messages])
        scores = dict(line.rsplit(" ", 1) for line in out.splitlines())
        results = []
        for label, path in messages:
            s = float(scores[path])
            results.append((label, s, "S" if s >= 0.99 else "H" if s <= 0.45 else "U"))
        return results

    def online(self, messages):
        results = []
        for start in range(0, len(messages), CHUNK):
            chunk = messages[start:start + CHUNK]
            if start >= WARM_UP:
                results += self.score(chunk)
            self.learn_both(chunk)
        return figures(results)


class Bench:
    def __init__(self, build, folder, seeds, index):
        self.greylag = os.path.join(build, "classifier", "greylag")
        self.folder = folder
        self.seeds = range(1, seeds + 1)
        self.bogofilter = shutil.which("bogofilter")
        self.messages = cases.read_index(index)

    def online(self, messages):
        index = os.path.join(self.folder, "index")
        with open(index, "w", encoding="utf-8", errors="surrogateescape") as out:
            out.writelines(f"{label} {path}\n" for label, path in messages)
        f = json.loads(run([self.greylag, "evaluate", "-c", "/dev/null", "--json",
                            f"--warm-up={WARM_UP}", index]))
        return {"roca": f["roca_percent"], "lost": f["ham_lost_percent"],
                "caught": f["spam_caught_percent"], "unsure": f["unsure_percent"]}

    def copies(self, name, change):
        """The corpus with CHANGE made to the bytes of each message."""
        folder = os.path.join(self.folder, name)
        os.mkdir(folder)
        messages = []
        for i, (label, path) in enumerate(self.messages):
            copy = os.path.join(folder, f"{i:06}")
            with open(path, "rb") as old, open(copy, "wb") as new:
                new.write(change(old.read()))
            messages.append((label, copy))
        return messages

    def compare(self, case, messages, wish):
        """Both filters online; WISH is the part of bogofilter's 1-ROCA that is allowed."""
        ours = self.online(messages)
        show_all(case, ours)
        if self.bogofilter:
            theirs = Bogofilter(self).online(messages)
            show_all(case + ", bogofilter", theirs)
            show(case, "ratio", ours["roca"] / theirs["roca"], f"(at most {wish})", "")


def averages(runs):
    return {key: mean(r[key] for r in runs) for key in runs[0]}


# -- cases --


def case_online(bench):
    wishes = {"roca": "(at most 0.08)", "lost": "(at most 0.1)", "caught": "(at least 88)",
              "unsure": "(at most 6)"}
    show_all("in order of time", bench.online(bench.messages), wishes)


def case_shuffled(bench):
    runs = [bench.online(shuffled(bench.messages, seed)) for seed in bench.seeds]
    show_all(f"shuffled, mean of {len(runs)}", averages(runs), {"roca": "(at most 0.022)"})
    for seed, f in zip(bench.seeds, runs):
        show(f"shuffled, seed {seed}", "1-ROCA", f["roca"])


def case_bogofilter(bench):
    if not bench.bogofilter:
        return
    show_all("bogofilter, in order", Bogofilter(bench).online(bench.messages))
    show_all("bogofilter, shuffled, seed 1", Bogofilter(bench).online(shuffled(bench.messages, 1)))


def body_only(message):
    head, _, body = message.partition(b"\n\n")
    return b"\n" + body


def basic_headers(message):
    head, gap, body = message.partition(b"\n\n")
    kept = [field for field in re.split(rb"\n(?![ \t])", head) if field.lower().startswith(KEPT)]
    return b"\n".join(kept) + gap + body


def subject_and_body(message):
    head, gap, body = message.partition(b"\n\n")
    subject = re.search(rb"(?im)^subject:.*(\n[ \t].*)*", head)
    return (subject[0] if subject else b"Subject:") + gap + body


def case_bodies(bench):
    bench.compare("bodies only", bench.copies("bodies", body_only), 0.25)


def case_basic(bench):
    bench.compare("headers stripped", bench.copies("basic", basic_headers), 0.25)


def case_subject(bench):
    bench.compare("subject and body", bench.copies("subject", subject_and_body), 0.25)


def case_halves(bench):
    """Cross-checks: the first and the second half of the time."""
    half = len(bench.messages) // 2
    bench.compare("first half", bench.messages[:half], 0.25)
    bench.compare("second half", bench.messages[half:], 0.25)


def case_order(bench):
    orders = {"mixed": None, "ham first": ("ham", "spam"), "spam first": ("spam", "ham")}
    runs = {name: [] for name in orders}
    for seed in bench.seeds:
        messages = shuffled(bench.messages, seed)
        for name, labels in orders.items():
            greylag = Greylag(bench)
            if labels is None:
                greylag.learn_both(messages[:TRAINED])
            for label in labels or ():
                greylag.learn(label, of_class(messages[:TRAINED], label))
            runs[name].append(figures(greylag.score(messages[TRAINED:])))
            shutil.rmtree(greylag.store)
    mixed = averages(runs["mixed"])
    show_all("trained mixed", mixed)
    for name in "ham first", "spam first":
        f = averages(runs[name])
        show_all(f"trained {name}", f)
        show(f"trained {name}", "ranks worse", f["roca"] / mixed["roca"], "(at most 1.3)", "")
        show(f"trained {name}", "catches less", mixed["caught"] - f["caught"], "(at most 6)")


def case_folder(bench):
    """A folder of 1,000 ham, later; of spam what there is of it."""
    for label in "ham", "spam":
        before, after = [], []
        for seed in bench.seeds:
            messages = shuffled(bench.messages, seed)
            late = of_class(messages[TRAINED:], label)[:1000 if label == "ham" else 500]
            held = set(late)
            rest = [m for m in messages[TRAINED:] if m[1] not in held]
            greylag = Greylag(bench)
            greylag.learn_both(messages[:TRAINED])
            before.append(figures(greylag.score(rest)))
            greylag.learn(label, late)
            after.append(figures(greylag.score(rest)))
            shutil.rmtree(greylag.store)
        b, a = averages(before), averages(after)
        case = f"{len(late)} {label} later"
        show(case, "1-ROCA", b["roca"], "before")
        show(case, "1-ROCA", a["roca"], "after")
        show(case, "ranks worse", a["roca"] / b["roca"], "(at most 1.1)", "")


def case_imbalance(bench):
    """60 spam in 3,000 learned, the others scored."""
    runs = {Greylag: [], Bogofilter: []}
    for seed in bench.seeds:
        messages = shuffled(bench.messages, seed)
        ham = [m for m in messages if m[0] == "ham"]
        spam = [m for m in messages if m[0] == "spam"]
        learned = shuffled(ham[:2940] + spam[:60], seed)
        for kind in runs if bench.bogofilter else [Greylag]:
            tool = kind(bench)
            tool.learn_both(learned)
            runs[kind].append(figures(tool.score(ham[2940:] + spam[60:])))
    ours = averages(runs[Greylag])
    show_all("50 ham to 1 spam", ours)
    if bench.bogofilter:
        theirs = averages(runs[Bogofilter])
        show_all("50 to 1, bogofilter", theirs)
        show("50 ham to 1 spam", "ratio", ours["roca"] / theirs["roca"], "(at most 0.333)", "")


def known_ham_words(greylag):
    """The words of the body that ham alone had, most frequent first."""
    words = []
    for line in greylag.dump().splitlines():
        f = line.split(" ")
        if f[0] == "token" and f[1] == "0" and f[4].isalpha() and len(f[4]) > 2:
            words.append((-int(f[2]), f[4]))
    return [word for _, word in sorted(words)]


def first_text(message):
    """Where the first text begins, and whether it is in base64."""
    head, gap, body = message.partition(b"\n\n")
    at = len(head) + len(gap)
    boundary = re.search(rb'(?is)^content-type:\s*multipart/.*?boundary="?([^"\n;]+)', head,
                         re.MULTILINE)
    if boundary:
        part = message.find(b"--" + boundary[1].strip(), at)
        end = message.find(b"\n\n", part)
        if part >= 0 and end >= 0:
            head, at = message[part:end], end + 2
    return at, re.search(rb"(?im)^content-transfer-encoding:\s*base64", head) is not None


def with_words(words, at_end):
    text = " ".join(words).encode()

    def change(message):
        at, encoded = first_text(message)
        if encoded:
            block = b64encode((text + b"   ")[:len(text) // 3 * 3 + 3]) + b"\n"
        else:
            block = text + b"\n"
        if not at_end or encoded:
            return message[:at] + block + message[at:]
        end = re.compile(rb"(?i)</body>|\n--[^ \n]|\Z").search(message, at).start()
        return message[:end] + b"\n" + block + message[end:]

    return change


def moved_share(tool, plain, changed):
    """Of the spam that is caught, the share that no longer is."""
    pairs = zip(tool.score(plain), tool.score(changed))
    after = [new for (_, _, old), (_, _, new) in pairs if old == "S"]
    return 100 * sum(v != "S" for v in after) / len(after)


def words_attack(bench, choose, at_end):
    """The shares that were moved, of each filter a list with one for each seed."""
    moved = {"greylag": [], "bogofilter": []}
    for seed in bench.seeds:
        messages = shuffled(bench.messages, seed)
        tools = {"greylag": Greylag(bench)}
        if bench.bogofilter:
            tools["bogofilter"] = Bogofilter(bench)
        for tool in tools.values():
            tool.learn_both(messages[:TRAINED])
        spam = [m for m in messages[TRAINED:] if m[0] == "spam"]
        change = with_words(choose(known_ham_words(tools["greylag"]), seed), at_end)
        folder = tempfile.mkdtemp(dir=bench.folder)
        changed = []
        for i, (label, path) in enumerate(spam):
            copy = os.path.join(folder, f"{i:06}")
            with open(path, "rb") as old, open(copy, "wb") as new:
                new.write(change(old.read()))
            changed.append((label, copy))
        for name, tool in tools.items():
            moved[name].append(moved_share(tool, spam, changed))
        shutil.rmtree(tools["greylag"].store)
        shutil.rmtree(folder)
    return moved


def case_words(bench):
    """Known to the attacker: some words of the victim's ham, or the very best of them."""
    choices = {"any": lambda words, seed: random.Random(seed).sample(words, 50),
               "best": lambda words, seed: words[:50]}
    for choice, choose in choices.items():
        for place in "beginning", "end":
            moved = words_attack(bench, choose, place == "end")
            case = f"50 {choice} ham words, {place}"
            show(case, "spam moved", mean(moved["greylag"]), "(at most 10)")
            if moved["bogofilter"]:
                show(case, "spam moved", mean(moved["bogofilter"]), "of bogofilter's")


CASES = cases.cases_of(globals())


def main():
    parser = cases.parser_of(__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="shuffled runs of a case")
    options = cases.parse(parser, CASES)
    with tempfile.TemporaryDirectory(prefix="greylag-accuracy-") as folder:
        bench = Bench(options.build, folder, options.seeds, options.index)
        for name in options.cases or CASES:
            CASES[name](bench)


if __name__ == "__main__":
    main()
