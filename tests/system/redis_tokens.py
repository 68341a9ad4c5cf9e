#!/usr/bin/env python3
"""greylag on a Redis server that several hosts train: it does what it does on LMDB, and loses nothing."""
import os, re, shutil, signal, subprocess, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from mta import Milter, deliver, field
from policy import BUILD, GREYLAGD, SOURCE, Tap, run, wait_until

GREYLAG = os.path.join(BUILD, "classifier", "greylag")
DATA = os.path.abspath(os.path.join(SOURCE, "tests", "data"))
HAM, SPAM = os.path.join(DATA, "ham"), os.path.join(DATA, "spam")


class Redis:
    """A redis-server whose answers are on the disk; it ends with the test."""

    def __init__(self, tap, *options):
        self.folder = tap.path("redis")
        os.mkdir(self.folder)
        self.socket = os.path.join(self.folder, "socket")
        self.options = options
        self.uri = "redis+unix:" + self.socket
        self.process = None
        tap.daemons.append(self)

    def start(self):
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "redis-server", "--port", "0", "--unixsocket", self.socket,
             "--dir", self.folder, "--save", "", "--appendonly", "yes", "--appendfsync", "always",
             "--databases", "100", *self.options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not wait_until(lambda: self.ask("PING") == "PONG"):
            raise RuntimeError("redis-server does not answer")
        return self

    def database(self, number):
        return f"{self.uri}?db={number}"

    def ask(self, *command):
        return run("redis-cli", "-s", self.socket, *command)[1].strip()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def argv(store, *arguments):
    return [GREYLAG, "-c", "/dev/null", "-d", store, *arguments]


def greylag(store, *arguments, input=""):
    """(status, standard output, standard error)"""
    done = subprocess.run(argv(store, *arguments), capture_output=True, input=input.encode(), timeout=600)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def write(path, text):
    with open(path, "w") as f:
        f.write(text)
    return path


def numbers(dump):
    """A dump without the day of each record."""
    return sorted(re.sub(r"^(token \d+ \d+) \d+", r"\1", line) for line in dump.splitlines())


def make_mail(folder, n, word):
    """N messages of a kind, with words of their own."""
    os.mkdir(folder)
    for i in range(n):
        write(os.path.join(folder, f"{i:04}.eml"),
              f"From: {word}{i}@example.org\nSubject: {word} {i}\nMessage-ID: <{word}.{i}@example.org>\n\n"
              f"All about {word}, the {i}th time: " + " ".join(f"{word}{i * k % 977}" for k in range(2, 60)) + "\n")
    return folder


# -- the same as on LMDB --

SCRIPT = [
    ("train", "--ham", HAM, "--spam", SPAM),
    ("train", "--ham", HAM, "--spam", SPAM),
    ("train", "spam", os.path.join(HAM, "choir.eml")),
    ("train", "ham", os.path.join(HAM, "choir.eml")),
    ("classify", "--terse", DATA),
    ("classify", "--json", os.path.join(DATA, "spam-new.eml")),
    ("explain", os.path.join(DATA, "ham-new.eml")),
    ("explain", "--json", os.path.join(DATA, "spam-new.eml")),
    ("untrain", os.path.join(SPAM, "loan.eml"), os.path.join(DATA, "ham-new.eml")),
    ("untrain", os.path.join(SPAM, "loan.eml")),
    ("train", "spam", os.path.join(SPAM, "loan.eml")),
    ("expire",),
    ("dump",),
]


def same_commands(tap, redis):
    lmdb, there = "lmdb:" + tap.path("lmdb"), redis.database(1)
    for step, arguments in enumerate(SCRIPT):
        here, far = greylag(lmdb, *arguments), greylag(there, *arguments)
        if arguments[0] == "dump":
            here, far = (here[0], sorted(here[1].splitlines())), (far[0], sorted(far[1].splitlines()))
        tap.ok(here == far, f"{step}: greylag {arguments[0]} says the same as on LMDB", here, far)
    for message in ("spam-new.eml", "ham-new.eml"):
        with open(os.path.join(DATA, message)) as f:
            text = f.read()
        here, far = greylag(lmdb, "filter", input=text), greylag(there, "filter", input=text)
        tap.ok(here == far and "X-Greylag: " in far[1], f"greylag filter {message} says the same", here, far)
    with open(os.path.join(DATA, "spam-new.eml")) as f:
        status, out, err = greylag(there, "filter", "-u", input=f.read())
    tap.equal((status, err), (0, ""), "greylag filter -u")
    tap.equal(greylag(there, "train", "spam", os.path.join(DATA, "spam-new.eml"))[1],
              "trained 0, already known 1, moved 0, failed 0\n", "has learned it")
    status, out, err = greylag(there, "status")
    tap.ok(status == 0 and "26 spam, 25 ham" in out and "(redis)" in out, "greylag status", status, out, err)
    words = write(tap.path("wordlist"), ".MSG_COUNT 20 30 20260101\nmoney 15 1 20260101\nminutes 0 20 20260101\n")
    tap.equal(greylag(redis.database(2), "import", "bogofilter", words), greylag(tap.path("list"), "import", "bogofilter", words),
              "greylag import")
    status, _, err = greylag(redis.database(2), "import", "bogofilter", words)
    tap.ok(status == 3 and "was imported on" in err, "which it does once", status, err)
    tap.equal(greylag(redis.database(2), "classify", "--terse", DATA)[1], greylag(tap.path("list"), "classify", "--terse", DATA)[1],
              "and judges by it")
    status, _, err = greylag(redis.database(3), "classify", os.path.join(DATA, "ham-new.eml"))
    tap.ok(status == 2 and "nothing learned yet" in err and redis.database(3) in err, "what is not learned yet is unsure",
           status, err)
    tap.equal(redis.ask("-n", "3", "DBSIZE"), "0", "reading makes no store")
    return lmdb, there


def moving(tap, redis, lmdb, there):
    """From LMDB to Redis and back, and from Redis to LMDB and back."""
    for name, first, second, third in (("LMDB", lmdb, redis.database(4), "lmdb:" + tap.path("back")),
                                       ("Redis", there, "lmdb:" + tap.path("away"), redis.database(5))):
        _, dump, _ = greylag(first, "dump")
        tap.equal(greylag(second, "load", write(tap.path("dump"), dump))[0], 0, f"what is on {name} is loaded elsewhere")
        _, again, _ = greylag(second, "dump")
        tap.equal(greylag(third, "load", "-", input=again)[0], 0, "and back")
        _, back, _ = greylag(third, "dump")
        tap.ok(sorted(dump.splitlines()) == sorted(again.splitlines()) == sorted(back.splitlines()), "no number is lost",
               len(dump), len(again), len(back))
        tap.equal(greylag(first, "classify", "--terse", DATA)[1], greylag(third, "classify", "--terse", DATA)[1],
                  "and it judges alike")


# -- two at once --

def start(store, *arguments):
    return subprocess.Popen(argv(store, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def counts(dump):
    """Token counts and registry, which depend on no order."""
    return sorted(re.sub(r"^(token \d+ \d+) \d+", r"\1", line) for line in dump.splitlines() if line.startswith("token ")), \
        sorted(line.split()[1] for line in dump.splitlines() if line.startswith("message "))


def nothing_is_left(tap, store, *paths):
    tap.equal(greylag(store, "untrain", *paths)[0], 0, "all of it is untrained")
    _, dump, _ = greylag(store, "dump")
    left = [line for line in dump.splitlines() if not line.startswith(("greylag-dump", "head "))]
    # Of the head the highest cells say how full the memory was, and which layout this is.
    low = [line for line in dump.splitlines() if line.startswith("head ") and int(line.split()[1]) < HEAD_MAXIMA]
    tap.ok(not left and not low, "to the bit", *left[:5], *low)


def head_maxima():
    """The first cell of the head that is no sum."""
    with open(os.path.join(SOURCE, "classifier", "model", "mixture.h")) as mixture, \
            open(os.path.join(SOURCE, "classifier", "features", "ngrams.h")) as ngrams:
        text = ngrams.read() + mixture.read()
    voices = text[text.index("enum voice_name"):]
    n = len(re.findall(r"^\s*VOICE_\w+", voices[:voices.index("}")], re.M))
    return 4 + 3 * n + (n + 2) + 2


HEAD_MAXIMA = head_maxima()


def two_trainers(tap, redis, ham, spam):
    alone, both = redis.database(10), redis.database(11)
    greylag(alone, "train", "--ham", ham, "--spam", spam)
    _, wanted, _ = greylag(alone, "dump")
    trainers = [start(both, "train", "ham", ham), start(both, "train", "spam", spam),
                start(both, "train", "--spam", spam, "--ham", ham)]
    told = [trainer.communicate() for trainer in trainers]
    tap.ok(all(trainer.returncode == 0 for trainer in trainers), "three trainers at once, two of them of each message", *told)
    trained = sum(int(re.match(r"trained (\d+)", out).group(1)) for out, _ in told)
    tap.equal(trained, 1200, "each message is trained by one of them")
    _, dump, _ = greylag(both, "dump")
    tap.ok(counts(dump) == counts(wanted), "no count is lost, and none is doubled")
    verdicts = {line[0] for line in greylag(both, "classify", "--terse", DATA + "/../data/ham")[1].splitlines()}
    tap.ok(verdicts, "and it can be used")
    nothing_is_left(tap, both, ham, spam)


def killed_trainer(tap, redis, ham, spam):
    store = redis.database(12)
    for pause in (0.05, 0.2, 0.35, 0.5):
        trainer = start(store, "train", "--ham", ham, "--spam", spam)
        time.sleep(pause)
        trainer.kill()
        trainer.communicate()
    status, out, err = greylag(store, "train", "--ham", ham, "--spam", spam)
    tap.ok(status == 0, "trainers were killed; training again completes it", status, out, err)
    _, dump, _ = greylag(store, "dump")
    _, wanted, _ = greylag(redis.database(10), "dump")
    tap.ok(counts(dump) == counts(wanted), "no count is lost, and none is doubled")
    nothing_is_left(tap, store, ham, spam)


def killed_server(tap, redis, ham, spam):
    store = redis.database(13)
    failed = 0
    for pause in (0.1, 0.25, 0.4, 0.6):
        trainer = start(store, "-o", "store.patience=1s", "train", "--ham", ham, "--spam", spam)
        time.sleep(pause)
        redis.kill()
        out, err = trainer.communicate(timeout=600)
        failed += trainer.returncode != 0
        tap.ok(trainer.returncode == 0 or err.startswith("greylag: "), "the server is killed: the trainer says so", out, err)
        redis.start()
    tap.ok(failed > 0, "some did not get to their end")
    status, out, err = greylag(store, "train", "--ham", ham, "--spam", spam)
    tap.ok(status == 0, "training again completes it", status, out, err)
    _, dump, _ = greylag(store, "dump")
    _, wanted, _ = greylag(redis.database(10), "dump")
    tap.ok(counts(dump) == counts(wanted), "no count is lost, and none is doubled")
    nothing_is_left(tap, store, ham, spam)


def milter(tap, redis, there):
    """The milter judges by what is there, and counts in it; also when the server was away."""
    service = Milter(tap, "store.uri=" + there)
    messages = []
    for name in ("spam-new.eml", "ham-new.eml"):
        with open(os.path.join(DATA, name), "rb") as f:
            messages.append(f.read())
    words = [(field(deliver(service.address, message)[1]) or "").split(",")[0] for message in messages]
    tap.equal(words, ["spam", "ham"], "the milter judges by what is on Redis")
    tap.ok(wait_until(lambda: redis.ask("-n", "1", "KEYS", "greylag:{token}:verdicts:*")), "and counts there")
    redis.kill()
    words = [(field(deliver(service.address, message)[1]) or "").split(",")[0] for message in messages]
    tap.equal(words, ["spam", "ham"], "without the server it goes on by what it had read")
    redis.start()
    words = [(field(deliver(service.address, message)[1]) or "").split(",")[0] for message in messages]
    tap.equal(words, ["spam", "ham"], "and when it is back")
    tap.equal(service.stop(), 0, "it stops cleanly")


# -- without a server, and with a guarded one --

def gone(tap, redis, there):
    with open(os.path.join(DATA, "spam-new.eml")) as f:
        text = f.read()
    redis.kill()
    for arguments in (("classify", DATA), ("train", "ham", HAM), ("status",), ("dump",), ("expire",)):
        status, _, err = greylag(there, *arguments)
        tap.ok(status == 3 and redis.uri in err and "cannot reach Redis" in err, f"without a server greylag {arguments[0]} says so",
               status, err)
    for options, expected in (((), 3), (("-e",), 3), (("--tempfail",), 75)):
        status, out, err = greylag(there, "filter", *options, input=text)
        tap.ok(status == expected and "X-Greylag: error, no verdict could be had" in out, f"filter {' '.join(options)} marks the message",
               status, err)
        tap.equal(re.sub(r"^X-Greylag: .*\n", "", out, flags=re.M), text, "and passes it whole")
    redis.start()
    redis.process.send_signal(signal.SIGSTOP)
    status, out, err = greylag(there, "-o", "store.patience=1h", "filter", input=text)
    redis.process.send_signal(signal.SIGCONT)
    tap.ok(status == 3 and "no verdict could be had" in out, "a silent server is not waited for with mail", status, err)
    status, out, err = greylag(there, "filter", input=text)
    tap.ok(status == 0 and "X-Greylag: spam" in out, "and when it is back, all is there", status, out, err)


def guarded(tap, redis):
    """The user of contrib/redis/redis.conf may do what greylag does, and no more."""
    with open(os.path.join(SOURCE, "contrib", "redis", "redis.conf")) as f:
        rights = re.search(r"^user greylag on >\S+ (.*)$", f.read(), re.M).group(1)
    redis.ask("ACL", "SETUSER", "mx", "on", ">sesame", *rights.split())
    store = f"{redis.uri}?user=mx&db=20&password_file=" + write(tap.path("password"), "sesame\n")
    for arguments in (("train", "--ham", HAM, "--spam", SPAM), ("classify", "--terse", DATA), ("expire",), ("status",), ("dump",),
                      ("untrain", SPAM)):
        status, _, err = greylag(store, *arguments)
        tap.ok(status == 0 and not err, f"the user of the sample configuration may {arguments[0]}", status, err)
    redis.ask("ACL", "SETUSER", "reader", "on", ">sesame", "~greylag:*", "+@read", "+@scripting", "+@connection", "+time", "-@dangerous")
    status, _, err = greylag(store.replace("user=mx", "user=reader"), "train", "spam", SPAM)
    tap.ok(status == 3 and "NOPERM" in err or "not available" in err, "who may not write hears so", status, err)


with Tap() as tap:
    if not shutil.which("redis-server") or "HAVE_REDIS 1" not in open(
            os.path.join(os.path.dirname(GREYLAGD), "..", "config.h")).read():
        tap.skip("greylag on Redis", "needs redis-server, and hiredis at build time")
    else:
        server = Redis(tap).start()
        mail = make_mail(tap.path("ham"), 600, "minutes"), make_mail(tap.path("spam"), 600, "pills")
        stores = same_commands(tap, server)
        moving(tap, server, *stores)
        two_trainers(tap, server, *mail)
        killed_trainer(tap, server, *mail)
        killed_server(tap, server, *mail)
        milter(tap, server, stores[1])
        gone(tap, server, stores[1])
        guarded(tap, server)
