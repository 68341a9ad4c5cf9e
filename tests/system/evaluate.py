#!/usr/bin/env python3
"""greylag evaluate gives every message the verdict and the score that train and classify in the same chunks give it."""
import os, random, subprocess, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from policy import BUILD, Tap

GREYLAG = os.path.join(BUILD, "classifier", "greylag")
SPAM_FIRST, MESSAGES = 320, 900


def words(chance, letter, n):
    return " ".join(f"{letter}{int(200 * chance.random() ** 2)}" for _ in range(n))


def text(chance, spam):
    """Ham and spam share most of their words, so that some are judged wrongly."""
    own = words(chance, "s" if spam else "h", 4)
    return (f"From: {'sale' if spam else 'al'}{chance.randrange(9)}@example.org\nMessage-ID: <{chance.random()}@example.org>\n"
            f"Subject: {words(chance, 'w', 3)}\n\n{own} {words(chance, 'w', 30)}\n")


def make_corpus(folder):
    """As (label, path): spam alone first; some come again, some of them as the other class."""
    chance = random.Random(7)
    os.mkdir(folder)
    messages = []
    for number in range(MESSAGES):
        spam = number < SPAM_FIRST or chance.random() < 0.4
        path = os.path.join(folder, str(number))
        with open(path, "w") as out:
            out.write("From a@example.org Mon Nov 23 10:00:00 2026\n" if number % 10 == 0 else "")
            out.write(text(chance, spam))
        messages.append(("spam" if spam else "ham", path))
        if number > SPAM_FIRST and chance.random() < 0.05:
            label, path = chance.choice(messages)
            messages.append((chance.choice(("ham", "spam")), path))
    return messages


def run(*argv, **more):
    done = subprocess.run([GREYLAG, *argv], capture_output=True, text=True, **more)
    assert done.returncode in (0, 1, 2), (argv, done)
    return done.stdout.splitlines()


def by_commands(store, options, messages, size):
    lines = []
    for start in range(0, len(messages), size):
        chunk = messages[start:start + size]
        of = {label: [path for known, path in chunk if known == label] for label in ("ham", "spam")}
        # A message that comes twice has a line each time.
        lines += run("classify", "-d", store, *options, "--terse", *(path for _, path in chunk))
        run("train", "-d", store, *options, "--ham", *of["ham"], "--spam", *of["spam"])
    return lines


def differences(got, expected):
    return [pair for pair in zip(got, expected) if pair[0] != pair[1]][:5]


def chunks(tap, messages, index):
    for size, setting, what in ((60, None, "small runs"), (300, None, "bulk runs"),
                                (250, "classifier.memory=300K", "bulk runs that fill the memory")):
        options = ["-c", "/dev/null", *(["-o", setting] if setting else [])]
        expected = by_commands(tap.path(f"store{size}"), options, messages, size)
        got = run("evaluate", *options, "--terse", f"--chunk={size}", index)
        tap.equal(len(got), len(messages), f"evaluate judges all messages ({what})")
        tap.ok(got == expected, f"each as train and classify in chunks of {size} do, to the last digit",
               *differences(got, expected))
        sure = {line[0] for line in got}
        tap.equal(sure, {"S", "H", "U"}, "verdicts of all kinds are among them")


def folds(tap, messages, index):
    """Without those that come again: which of two classes a message has depends on who asks."""
    once = {path: label for label, path in reversed(messages)}
    index = tap.path("once")
    with open(index, "w") as out:
        out.writelines(f"{label} {path}\n" for path, label in once.items())
    options = ["-c", "/dev/null"]
    got = {line.split("\t")[3]: line for line in run("evaluate", *options, "--terse", "--folds=2", index)}
    # A fold is one of two by the digest, which nobody but the registry tells: of each message the store that has not it.
    judged, stores = {}, [[], []]
    for path in once:
        digest = subprocess.run([os.path.join(BUILD, "tests", "system", "digest")], stdin=open(path, "rb"),
                                capture_output=True, text=True).stdout.strip()
        stores[int(digest[:4], 16) % 2].append(path)
    for fold, others in ((0, 1), (1, 0)):
        store = tap.path(f"fold{fold}")
        of = {label: [path for path in stores[others] if once[path] == label] for label in ("ham", "spam")}
        run("train", "-d", store, *options, "--ham", *of["ham"], "--spam", *of["spam"])
        for line in run("classify", "-d", store, *options, "--terse", *stores[fold]):
            judged[line.split("\t")[3]] = line
    tap.equal(len(judged), len(once), "two folds have all messages")
    tap.ok(got == judged, "each is judged as by a store that has learned the other fold",
           *[(got[path], judged[path]) for path in got if got[path] != judged[path]][:5])


def main(tap):
    messages = make_corpus(tap.path("corpus"))
    index = tap.path("index")
    with open(index, "w") as out:
        out.writelines(f"{label} {path}\n" for label, path in messages)
    chunks(tap, messages, index)
    folds(tap, messages, index)


with Tap() as tap:
    main(tap)
