#!/usr/bin/env python3
"""greylag-milter by its protocol: verdicts and what becomes of them, a mail server that lies, large mail, faults."""
import os, random, re, signal, struct, subprocess, sys, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from policy import BUILD, GREYLAGCTL, PATIENCE, SOURCE, Daemon, Tap, sanitized, wait_until
from mta import MILTER, PROTOCOL, Closed, Milter, Mta, can_run, deliver, field, packet, removed, split, z

GREYLAG = os.path.join(BUILD, "classifier", "greylag")
DATA = os.path.join(SOURCE, "tests", "data")
MEGABYTE = 1 << 20


def sample(name):
    with open(os.path.join(DATA, name), "rb") as f:
        return f.read()


def train(tap, store="store"):
    out = subprocess.run([GREYLAG, "train", "-d", tap.path(store), "--ham", f"{DATA}/ham", "--spam", f"{DATA}/spam"],
                         capture_output=True, text=True)
    assert out.returncode == 0, out.stderr


def status(tap, store):
    return subprocess.run([GREYLAGCTL, "-c", tap.path("empty.conf"), "-o", f"store.uri=lmdb:{tap.path(store)}", "status"],
                          capture_output=True, text=True).stdout


def verdict(changes):
    text = field(changes)
    return text.split(",")[0] if text else None


def with_fields(message, *fields):
    """More header fields, below the message's own."""
    return message.replace(b"\n\n", b"\n" + b"".join(f + b"\n" for f in fields) + b"\n", 1)


def verdicts(tap):
    milter = Milter(tap, "classifier.own_hosts=mx.example.net")
    for name, expected in (("ham-new.eml", "ham"), ("spam-new.eml", "spam")):
        answer, changes = deliver(milter.address, sample(name))
        tap.equal((answer, verdict(changes)), ("continue", expected), f"{name} is let in, marked as {expected}")
    score = re.search(r"^spam, score=(0\.\d{6}), version=[0-9.]+$", field(changes) or "")
    tap.ok(score, "the field is as greylag filter writes it", field(changes))
    mta = Mta(milter.address)
    mta.connect()
    mta.helo()
    got = [verdict(mta.message(sample(name))[1]) for name in ("ham-new.eml", "spam-new.eml", "ham-new-list.eml")]
    tap.equal(got[:2], ["ham", "spam"], "several messages on one connection are judged each for itself")
    mta.envelope()
    mta.fields(split(sample("spam-new.eml"))[0])
    mta.abort()
    tap.equal(verdict(mta.message(sample("ham-new.eml"))[1]), "ham", "of an aborted message nothing is left")
    mta.close()
    one, two = Mta(milter.address), Mta(milter.address, protocol=0)
    for mta in (one, two):
        mta.connect()
        mta.helo()
    values = [field(mta.message(sample("ham-new.eml"))[1]) for mta in (one, two)]
    tap.equal(values[0], values[1], "a mail server that strips the space behind the colon gets the same score")
    return milter


def forged(tap, milter):
    spam = sample("spam-new.eml")
    answer, plain = deliver(milter.address, spam)
    lies = with_fields(spam, b"X-Greylag: ham, score=0.000000", b"x-GREYLAG : ham", b"X-Greylag:\n\tham")
    answer, changes = deliver(milter.address, lies)
    tap.equal(removed(changes), [3, 2, 1], "forged X-Greylag fields are taken out, all of them, the last one first")
    tap.equal(field(changes), field(plain), "and do not change the score")
    answer, changes = deliver(milter.address, b"X-Greylag: ham\n" * 101 + spam)
    tap.equal((answer, field(changes)), ("550 5.6.0 Too many X-Greylag fields", None), "a hundred and one are refused")
    own = Milter(tap, "classifier.own_hosts=mx.example.net", "classifier.authserv_ids=mx.example.net")
    plain = field(deliver(own.address, spam)[1])
    lie = b"Received: from bank.example ([198.51.100.9]) by mx.example.net; D\n"
    received = field(deliver(own.address, lie + spam)[1])
    elsewhere = field(deliver(own.address, lie.replace(b"mx.example.net", b"mx.example.com") + spam)[1])
    tap.ok(verdict(deliver(own.address, lie + spam)[1]) == "spam",
           "a Received field in one's own name is no handover: it is still spam", received, elsewhere, plain)
    results = b"Authentication-Results: mx.example.net; dkim=pass header.d=bank.example\n"
    encoded = b"Authentication-Results: =?utf-8?q?mx.example.net=3B_dkim=3Dpass_header.d=3Dbank.example?=\n"
    other = b"Authentication-Results: mx.example.com; dkim=pass header.d=bank.example\n"
    genuine = b"Authentication-Results: mx.example.net; dkim=fail header.d=bank.example\n"
    scores = [field(deliver(own.address, lines + spam)[1]) for lines in (genuine, genuine + results)]
    tap.ok(all(s.startswith("spam") for s in scores), "forged results below genuine ones: still spam", *scores)
    scores = [field(deliver(own.address, lines + spam)[1]) for lines in (other, encoded)]
    tap.ok(all(s.startswith("spam") for s in scores), "so with a stranger's results, and with encoded ones", *scores)
    own.kill()


def actions(tap):
    spam, unsure = sample("spam-new.eml"), b"From: a@b.example\nSubject: x\n\nxyzzy\n"
    for option, expected in (("reject", "550 5.7.1 No spam here"), ("tempfail", "451 4.7.1 No spam here"),
                             ("header", "continue"), ("accept", "continue"), ("quarantine", "continue")):
        milter = Milter(tap, f"milter.on_spam={option}", "milter.text=No spam here")
        answer, changes = deliver(milter.address, spam)
        tap.equal(answer, expected, f"on_spam = {option}")
        kinds = "".join(sorted(command for command, _ in changes))
        tap.equal(kinds, {"header": "i", "quarantine": "iq"}.get(option, ""), "with the changes that belong to it")
        tap.equal(verdict(deliver(milter.address, sample("ham-new.eml"))[1]), "ham", "and ham is let in")
        milter.kill()
    milter = Milter(tap, "milter.on_unsure=reject")
    answer, changes = deliver(milter.address, unsure)
    tap.equal(answer.split()[:2], ["550", "5.7.1"], "on_unsure = reject")
    tap.equal(deliver(milter.address, spam)[0], "continue", "and spam is let in")
    milter.kill()


def own_users(tap, milter):
    spam = with_fields(sample("spam-new.eml"), b"X-Greylag: ham")
    for client, envelope, who in (({}, {"user": "al"}, "of who has logged in"),
                                  ({"address": "127.0.0.1"}, {}, "from an own network")):
        answer, changes = deliver(milter.address, spam, client, **envelope)
        tap.equal((answer, field(changes), removed(changes)), ("continue", None, [1]),
                  f"mail {who} is not judged; a forged field is taken out all the same")
    judging = Milter(tap, "milter.judge_own=on")
    tap.equal(verdict(deliver(judging.address, spam, user="al")[1]), "spam", "with judge_own it is")
    judging.kill()


def large(tap):
    milter = Milter(tap, "classifier.max_message=1M", "milter.max_memory=16M")
    child = milter.only_child()
    spam = sample("spam-new.eml")
    mta = Mta(milter.address)
    mta.connect()
    mta.helo()
    mta.envelope()
    fields, body = split(spam)
    mta.fields(fields)
    more = b"                                                                \r\n" * 30000
    sent = mta.body(body + more * (50 * MEGABYTE // len(more)))
    answer, changes = mta.end()
    tap.equal((answer, verdict(changes)), ("continue", "spam"), "a message of 50 MB is judged by its first part")
    tap.ok(sent < 2 * MEGABYTE, "and the rest of it is not wanted", sent)
    mta.close()
    mta = Mta(milter.address, protocol=PROTOCOL & ~0x400)
    mta.connect()
    mta.helo()
    mta.envelope()
    mta.fields(fields)
    mta.body(body + more * (50 * MEGABYTE // len(more)))
    tap.equal(verdict(mta.end()[1]), "spam", "by a mail server that cannot skip, too")
    mta.close()
    # More at a time than there is memory for.
    mtas = []
    for _ in range(30):
        mta = Mta(milter.address)
        mta.connect()
        mta.helo()
        mta.envelope()
        mta.fields(fields)
        mta.body(body + more[:MEGABYTE])
        mtas.append(mta)
    got = [verdict(mta.end()[1]) for mta in mtas]
    tap.equal(got, ["spam"] * 30, "thirty of 1 MB each in 16 MB are judged by what there is room for")
    tap.ok(wait_until(lambda: milter.log().count("cut=yes") > 5), "that they were cut is in the log")
    for mta in mtas:
        mta.close()
    tap.equal(verdict(deliver(milter.address, spam + more[:900000])[1]), "spam", "their room is free again")
    if not sanitized():
        with open(f"/proc/{child}/status") as f:
            peak = int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1)) // 1024
        tap.ok(peak < 200, "memory stays bounded", f"{peak} MB")
    began = time.monotonic()
    answer, changes = deliver(milter.address, spam, recipients=[f"r{i}@example.net" for i in range(10000)])
    tap.equal((answer, verdict(changes)), ("continue", "spam"), "10,000 recipients make no difference")
    tap.ok(wait_until(lambda: "recipients=10000" in milter.log()), "and are counted")
    milter.kill()
    few = Milter(tap, "milter.max_connections=5")
    mtas = [Mta(few.address) for _ in range(8)]
    answers = [mta.connect() for mta in mtas]
    tap.equal(answers, ["continue"] * 5 + ["accept"] * 3, "beyond max_connections mail is let in unseen")
    for mta in mtas:
        mta.close()
    tap.ok(wait_until(lambda: deliver_verdict(few, spam) == "spam"), "and judged again when there is room")
    few.kill()


def deliver_verdict(milter, message, patience=PATIENCE):
    try:
        return verdict(deliver(milter.address, message, patience=patience)[1])
    except (Closed, AssertionError, KeyError, OSError):
        return None


def liars(tap, milter):
    """Whatever a client of the milter does, the others are served."""
    children = milter.child()
    spam = sample("spam-new.eml")
    steps = [("C", z("unknown") + b"4" + struct.pack(">H", 1) + z("192.0.2.1")), ("H", z("helo")), ("M", z("<a@b>")),
             ("R", z("<c@d>")), ("L", z("Subject", " x")), ("N", b""), ("B", b"text\r\n"), ("E", b""), ("A", b""),
             ("D", b"C" + z("j", "x")), ("D", b"M" + z("{auth_authen}", "")), ("U", z("xyz")), ("T", b""),
             ("K", b""), ("Q", b""), ("O", struct.pack(">III", 6, 0x1ff, 0x1fffff)), ("O", b""), ("O", b"\0"),
             ("C", b""), ("C", z("x")), ("C", z("x") + b"4"), ("C", z("x") + b"9" + b"\0\0" + z("y")), ("H", b""),
             ("C", z("x") + b"U"), ("M", b""), ("M", b"\0"), ("M", b"\0\0\0"), ("R", b""), ("R", b"\0\0"),
             ("L", b""), ("L", b"\0"), ("L", b"Subject"), ("L", z("Subject")), ("L", z("", "")),
             ("L", z("X-Greylag", "ham")), ("B", b""), ("B", b"\0" * 1000), ("B", b"\r"), ("B", b"\n"), ("x", b"y")]
    lengths = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\x10\0\0B", b"\0\0\0\5"]
    chance = random.Random(11)
    for turn in range(300):
        try:
            mta = Mta(milter.address, protocol=PROTOCOL if turn % 3 else None)
            mta.protocol = PROTOCOL
            for _ in range(chance.randrange(1, 25)):
                if chance.random() < 0.05:
                    mta.raw(chance.choice(lengths) + bytes(chance.randrange(256) for _ in range(chance.randrange(9))))
                else:
                    mta.send(*chance.choice(steps))
            mta.socket.close()
        except Closed:
            pass
    tap.equal([deliver_verdict(milter, spam) for _ in range(3)], ["spam"] * 3, "300 connections out of order: others are served")
    waiting = []
    for data in lengths * 5:
        mta = Mta(milter.address, protocol=None)
        mta.raw(data)
        waiting.append(mta)
    # libmilter may give a thread that such a one holds a second connection; the next one wakes another thread.
    tap.ok(wait_until(lambda: deliver_verdict(milter, spam, 3) == "spam"),
           "30 connections that wait in the midst of a frame: others are served")
    for mta in waiting:
        mta.socket.close()
    order = Mta(milter.address)
    order.connect()
    order.helo()
    tap.equal(verdict(order.message(spam)[1]), "spam", "a connection that was asked for nothing wrong is")
    order.close()
    tap.equal(milter.child(), children, "the process is the same as before")
    time.sleep(0.2)
    # libmilter may read past the end of a list of macros where one has no value, and so end its process.
    for turn in range(20):
        try:
            mta = Mta(milter.address)
            mta.connect()
            mta.helo()
            mta.send("D", b"M" + (z("{auth_authen}") if turn % 2 else z("i", "4XQ", "{mail_mailer}")))
            mta.send("M", z("<a@b>"))
            mta.socket.close()
        except (Closed, OSError):
            pass
    tap.ok(wait_until(lambda: deliver_verdict(milter, spam) == "spam"), "macros without values: others get their verdicts",
           milter.log()[-1000:])


def faults(tap):
    spam = sample("spam-new.eml")
    os.mkdir(tap.path("garbage"))
    with open(os.path.join(tap.path("garbage"), "token.mdb"), "wb") as f:
        f.write(b"This is no store.\n" * 1000)
    milter = Milter(tap, store="garbage", wait=False)
    wait_until(lambda: "is ready" in milter.log())
    answer, changes = deliver(milter.address, with_fields(spam, b"X-Greylag: ham"))
    tap.equal((answer, verdict(changes), removed(changes)), ("continue", "error", [1]), "without a store: let in, marked")
    tap.ok(wait_until(lambda: "garbage" in milter.log()), "and the log says why", milter.log())
    os.remove(os.path.join(tap.path("garbage"), "token.mdb"))
    train(tap, "garbage")
    tap.ok(wait_until(lambda: deliver_verdict(milter, spam) == "spam"), "as soon as there is a store it is judged by")
    tap.ok(wait_until(lambda: re.search(r"without a verdict\s+[1-9]", status(tap, "garbage"))), "and what was let in is counted",
           status(tap, "garbage"))
    milter.kill()

    train(tap, "damaged")
    path = os.path.join(tap.path("damaged"), "token.mdb")
    milter = Milter(tap, store="damaged")
    tap.equal(deliver_verdict(milter, spam), "spam", "a good store")
    os.truncate(path, os.stat(path).st_size // 3)
    subprocess.run(["kill", "-9", *map(str, milter.child())], stderr=subprocess.DEVNULL)
    tap.ok(wait_until(lambda: deliver_verdict(milter, spam) == "error"), "damaged under the milter: let in, marked", milter.log())
    tap.ok(milter.process.poll() is None, "by a process that goes on")
    milter.kill()


def learning(tap):
    """What others learn meanwhile is in force."""
    milter = Milter(tap, store="fresh")
    spam = sample("spam-new.eml")
    tap.equal(deliver_verdict(milter, spam), "unsure", "nothing was learned: unsure")
    train(tap, "fresh")
    tap.ok(wait_until(lambda: deliver_verdict(milter, spam) == "spam"), "what was learned meanwhile is in force")
    milter.kill()


def first_timers(tap):
    """Greylisting by content: what is not ham is put off at the end of DATA, once."""
    daemon = Daemon(tap, "observing", "greylist.mode=observe", "greylist.delay=600s", store=tap.path("store")).start()
    milter = Milter(tap, "milter.first_timers=tempfail", "greylist.delay=600s")
    spam, ham = sample("spam-new.eml"), sample("ham-new.eml")

    def attempt(message, sender):
        assert daemon.ask("192.0.2.1", sender, "al@example.net") == "DUNNO"
        answer, changes = deliver(milter.address, message, sender=sender)
        return answer.split()[0], verdict(changes)
    tap.equal(attempt(ham, "first@example.org"), ("continue", "ham"), "ham of a first-timer is let in")
    tap.equal(attempt(spam, "second@example.org")[0], "451", "spam of a first-timer is put off")
    tap.equal(attempt(spam, "second@example.org")[0], "451", "and when it comes again too early")
    daemon.stop()
    milter.stop()
    daemon = Daemon(tap, "observing-less", "greylist.mode=observe", "greylist.delay=1s", store=tap.path("store")).start()
    milter = Milter(tap, "milter.first_timers=tempfail", "greylist.delay=1s")
    tap.ok(wait_until(lambda: attempt(spam, "second@example.org") == ("continue", "spam")), "when it comes again it is let in")
    tap.equal(attempt(spam, "first@example.org"), ("continue", "spam"), "so is spam of who has been there before")
    tap.equal(deliver(milter.address, spam, sender="unknown@example.org")[0], "continue",
              "and of whom greylisting knows nothing")
    milter.kill()
    daemon.kill()


def life(tap):
    milter = Milter(tap, listen=tap.path("milter.socket"))
    spam = sample("spam-new.eml")
    tap.equal(deliver_verdict(milter, spam), "spam", "over a Unix socket")
    tap.equal(os.stat(milter.address).st_mode & 0o777, 0o660, "which has the mode that was set")
    second = subprocess.run(milter.arguments, capture_output=True, text=True)
    tap.ok(second.returncode == 2 and "cannot listen" in second.stderr, "a second one on it does not start", second)
    open_before = Mta(milter.address)
    open_before.connect()
    open_before.helo()
    before = milter.child()
    with open(tap.path("empty.conf"), "w") as f:
        f.write("[milter]\non_spam = reject\n")
    milter.signal(signal.SIGHUP)
    tap.ok(wait_until(lambda: deliver(milter.address, spam)[0].startswith("550")), "after SIGHUP the new settings hold")
    tap.equal(open_before.message(spam)[0], "continue", "a connection that was open keeps the old ones")
    open_before.close()
    tap.ok(wait_until(lambda: len(milter.child()) == 1 and milter.child() != before), "and ends its process when it ends")
    with open(tap.path("empty.conf"), "w") as f:
        f.write("[milter]\non_spam = perhaps\n")
    milter.signal(signal.SIGHUP)
    tap.ok(wait_until(lambda: "the old configuration stays in force" in milter.log()), "a bad configuration is refused")
    tap.ok(deliver(milter.address, spam)[0].startswith("550"), "and the old one stays")
    os.truncate(tap.path("empty.conf"), 0)
    for number in range(5):
        child = milter.only_child()
        os.kill(child, signal.SIGKILL)
        tap.ok(wait_until(lambda: deliver(milter.address, spam)[0].startswith("550") if deliver_verdict(milter, spam) is None
                          and milter.child() not in ([], [child]) else False), f"kill -9 of the serving process, {number + 1}")
    message = Mta(milter.address)
    message.connect()
    message.helo()
    message.envelope()
    message.fields(split(spam)[0])
    time.sleep(0.5)  # nothing of that is answered
    milter.signal(signal.SIGTERM)
    time.sleep(0.3)
    message.body(split(spam)[1])
    tap.ok(message.end()[0].startswith("550"), "at SIGTERM a message on its way comes to its end")
    tap.equal(milter.wait(), 0, "then it exits 0")
    tap.ok(not os.path.exists(milter.address), "and the socket is gone")
    milter.start()
    child = milter.only_child()
    milter.process.kill()
    milter.process.wait()
    tap.ok(wait_until(lambda: not os.path.exists(f"/proc/{child}")), "kill -9 of the master ends the serving process")
    milter.start()
    tap.equal(deliver_verdict(milter, spam), "spam", "and it starts over what was left")
    milter.kill()
    out = subprocess.run([MILTER, "--version"], capture_output=True, text=True).stdout
    tap.ok(out.startswith("greylag-milter "), "--version", out)
    out = subprocess.run([MILTER, "-c", tap.path("empty.conf"), "-o", "milter.listen=nowhere", "--check-config"],
                         capture_output=True, text=True)
    tap.ok(out.returncode == 2 and "milter.listen" in out.stderr, "--check-config says what is wrong", out)


def load(tap):
    """Fifty connections, and messages between them are not mixed up."""
    milter = Milter(tap)
    wrong = []

    def talk(number):
        name, expected = ("ham-new.eml", "ham") if number % 2 else ("spam-new.eml", "spam")
        message = sample(name)
        mta = Mta(milter.address)
        mta.connect()
        mta.helo()
        for _ in range(4):
            got = verdict(mta.message(message)[1])
            if got != expected:
                wrong.append((name, got))
        mta.close()
    threads = [threading.Thread(target=talk, args=(i,)) for i in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tap.equal(wrong, [], "fifty connections at a time get each its own verdicts")
    milter.stop()
    counted = status(tap, "store")
    tap.ok(re.search(r"judged spam\s+1[0-9][0-9]", counted), "verdicts are counted for the statistics", counted)


def main(tap):
    if not can_run(tap):
        return
    train(tap)
    milter = verdicts(tap)
    forged(tap, milter)
    own_users(tap, milter)
    liars(tap, milter)
    milter.kill()
    actions(tap)
    large(tap)
    learning(tap)
    first_timers(tap)
    faults(tap)
    life(tap)
    load(tap)
    # A store that is cut short under the map ends the process by SIGBUS, which is what that case is about.
    # So does libmilter, where macros have no values.
    found = [m.group() for d in tap.daemons for m in
             re.finditer(r"(?:ERROR: (?:Address|Leak)Sanitizer: (?!BUS)|runtime error:)(?:.*\n){15}", d.log())
             if "in smfi_getsymval" not in m.group()]
    tap.ok(not found, "the sanitizers found nothing", *found)


with Tap() as tap:
    main(tap)
