#!/usr/bin/env python3
"""One Postfix with greylagd, greylag-milter, OpenDKIM and OpenDMARC (keys and a DNS server of the test's own): what each
learns of the others, and that no mail is lost whatever is killed."""
import concurrent.futures, glob, json, os, re, signal, socket, subprocess, sys, threading, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "postfix")]
from policy import BUILD, GREYLAGCTL, SOURCE, Daemon, Tap, free_port, wait_until
from mta import Milter, can_run, deliver
from postfix import Child, Postfix

GREYLAG = os.path.join(BUILD, "classifier", "greylag")
DIGEST = os.path.join(BUILD, "tests", "system", "digest")
DATA = os.path.join(SOURCE, "tests", "data")
DELAY = 2
USER = ("al@example.net", "secret")
DKIM_FOLDER = "dkim"
OWN = ("-o", "classifier.own_hosts=mx.example.net", "-o", "classifier.authserv_ids=mx.example.net")
UNCHECKED = "192.0.2.98"


def sample(name):
    with open(os.path.join(DATA, name), "rb") as f:
        return f.read()


HAM, SPAM = sample("ham-new.eml"), sample("spam-new.eml")


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class World:
    def __init__(self, tap):
        self.tap = tap
        self.settled = 0
        out = subprocess.run([GREYLAG, "train", "-d", tap.path("store"), "--ham", f"{DATA}/ham", "--spam", f"{DATA}/spam"],
                             capture_output=True, text=True)
        assert out.returncode == 0, out.stderr
        with open(tap.path("clients"), "w") as f:
            f.write(f"192.0.2.99\n{UNCHECKED}\n203.0.113.200\n")
        self.greylagd = Daemon(tap, "greylagd", f"greylist.delay={DELAY}s", f"whitelist.clients={tap.path('clients')}",
                               store=tap.path("store")).start()
        folder = self.tap.path(DKIM_FOLDER)
        os.mkdir(folder)
        # OpenDKIM and OpenDMARC ask at port 53 only.
        dns = "127.%d.%d.53" % divmod(os.getpid() % 60000 + 1000, 256)
        self.start_dns(folder, dns)
        self.start_dkim(folder, dns)
        self.start_dmarc(folder, dns)
        # Postfix would leave out who does not answer yet.
        assert wait_until(lambda: listens(self.dkim_port) and listens(self.dmarc_port))
        self.milter = Milter(tap, "classifier.own_hosts=mx.example.net", "classifier.authserv_ids=mx.example.net",
                             f"greylist.delay={DELAY}s")
        self.postfix = Postfix(
            tap, "smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination,",
            f"    check_policy_service {{ inet:127.0.0.1:{self.greylagd.port}, timeout=10s, default_action=DUNNO }}",
            f"smtpd_milters = inet:127.0.0.1:{self.dkim_port} inet:127.0.0.1:{self.dmarc_port} inet:127.0.0.1:{self.milter.port}",
            "smtpd_sasl_auth_enable = yes", "smtpd_sasl_type = dovecot", "smtpd_sasl_path = private/auth",
            user=USER)

    def spawn(self, *argv):
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # libmilter would take five seconds over its end.
        self.tap.daemons.append(Child(process, end=signal.SIGKILL))

    def start_dns(self, folder, dns):
        """The world's only name server: signed.example has a key and a DMARC policy."""
        subprocess.run(["opendkim-genkey", "-b", "1024", "-d", "signed.example", "-s", "test", "-D", folder], check=True)
        with open(os.path.join(folder, "test.txt")) as f:
            record = "".join(re.findall(r'"([^"]*)"', f.read()))
        parts = ",".join(record[i:i + 200] for i in range(0, len(record), 200))
        self.spawn("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                   f"--listen-address={dns}", "--bind-interfaces", "--port=53", "--local=/#/", "--pid-file=", "--user=root",
                   f"--txt-record=test._domainkey.signed.example,{parts}",
                   "--txt-record=_dmarc.signed.example,v=DMARC1; p=quarantine")

    def start_dkim(self, folder, dns):
        """OpenDKIM, which signs for signed.example what comes from 127.0.0.1, and verifies all else but UNCHECKED's."""
        self.dkim_port = free_port()
        with open(os.path.join(folder, "opendkim.conf"), "w") as f:
            f.write(f"Socket inet:{self.dkim_port}@127.0.0.1\nMode sv\nDomain signed.example\nSelector test\n"
                    f"KeyFile {folder}/test.private\nInternalHosts 127.0.0.1\nPeerList {UNCHECKED}\n"
                    f"AuthservID mx.example.net\n"
                    f"AlwaysAddARHeader yes\nRemoveARAll yes\nNameservers {dns}\nBackground no\nSyslog yes\n"
                    f"RequireSafeKeys no\nPidFile {folder}/pid\nUserID root\n")
        self.spawn("opendkim", "-f", "-x", os.path.join(folder, "opendkim.conf"))

    def start_dmarc(self, folder, dns):
        """OpenDMARC, which judges by OpenDKIM's results."""
        self.dmarc_port = free_port()
        # It has no setting for the name server; a root directory of its own has.
        os.makedirs(os.path.join(folder, "root", "etc"))
        with open(os.path.join(folder, "root", "etc", "resolv.conf"), "w") as f:
            f.write(f"nameserver {dns}\n")
        with open(os.path.join(folder, "opendmarc.conf"), "w") as f:
            f.write(f"Socket inet:{self.dmarc_port}@127.0.0.1\nAuthservID mx.example.net\nBackground no\nSyslog yes\n"
                    f"ChangeRootDirectory {folder}/root\nUserID root\n")
        self.spawn("opendmarc", "-f", "-c", os.path.join(folder, "opendmarc.conf"))

    def sign(self, message):
        """The message with its signature, by the same OpenDKIM."""
        _, changes = deliver(("127.0.0.1", self.dkim_port), message, {"address": "127.0.0.1", "name": "localhost"})
        for command, data in changes:
            name, _, value = data[4:].partition(b"\0") if command == "i" else data.partition(b"\0")
            if name == b"DKIM-Signature":
                return name + b":" + (b"" if value[:1] == b" " else b" ") + value.rstrip(b"\0").replace(b"\r\n", b"\n") + b"\n" + message
        raise AssertionError(changes)

    @staticmethod
    def marked(message, mark):
        """A message of its own."""
        return b"X-Mark: " + mark.encode() + b"\n" + message.replace(b"Message-ID: <", b"Message-ID: <" + mark.encode(), 1)

    def send(self, message, mark=None, **how):
        return self.postfix.send(self.marked(message, mark) if mark else message, **how)

    def through(self, message, mark, **how):
        """A first attempt, which waits, and a retry. The delivered message."""
        first = self.send(message, mark, **how)[0]
        time.sleep(DELAY + 0.2)
        second = self.send(message, mark, **how)[0]
        assert (first, second) == (450, 250), (first, second)
        return self.postfix.delivered(b"X-Mark: " + mark.encode() + b"\n")

    def why(self, client, sender, recipient="al@example.net", name=None):
        argv = [GREYLAGCTL, "-c", self.greylagd.config, "-o", f"store.uri=lmdb:{self.tap.path('store')}", "-o",
                f"greylist.delay={DELAY}s", "why", client, sender, recipient]
        return subprocess.run(argv + (["--name", name] if name else []), capture_output=True, text=True).stdout

    def decision(self, *parts):
        """greylagd's last line with all PARTS; its log is written once a second."""
        def find():
            lines = [line for line in self.greylagd.log().splitlines() if all(part in line for part in parts)]
            return lines[-1] if lines else ""
        return wait_until(find)

    def settle(self):
        """What the milter has to write down is written: it writes in order, and a message after all others is there."""
        self.settled += 1
        message = self.marked(HAM, f"settled-{self.settled}")
        deliver(self.milter.address, message, {"address": "203.0.113.250", "name": "settled.example"})
        with open(self.tap.path("settled"), "wb") as f:
            f.write(message)
        def is_written():
            done = subprocess.run([GREYLAG, "explain", "-d", self.tap.path("store"), *OWN, "--json", self.tap.path("settled")],
                                  capture_output=True, text=True)
            return "delivery" in json.loads(done.stdout)
        assert wait_until(is_written)


def same_message(world):
    """The digest and the score in the dialogue are those of the message in its mailbox."""
    tap, postfix = world.tap, world.postfix
    mail = [sample(os.path.relpath(path, DATA)) for kind in ("ham", "spam", "torture")
            for path in sorted(glob.glob(f"{DATA}/{kind}/*"))]
    mail += [b"From : a@b.example\nsubject : two  words\nX-GREYLAG : ham\nX-Greylag: ham,\n\tfolded\n\nbody\n",
             b"Received: from bank.example (bank.example [198.51.100.1])\n\tby mx.example.net; D\n" + HAM,
             b"Authentication-Results: mx.example.net; dkim=pass header.d=bank.example\n" + HAM,
             b"Subject: dots\n\n.\n..\n.x\nFrom here\n>From there\n", b"Subject: " + b"long " * 500 + b"\n\n" + b"x" * 5000]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda message: postfix.send(message, address="192.0.2.99"), mail))
    tap.equal({code for code, _ in replies}, {250}, "all sample mail is taken")
    wait_until(lambda: len(postfix.mailbox()) == len(mail), 60)
    delivered = postfix.mailbox()
    tap.equal(len(delivered), len(mail), "all sample mail is delivered")
    wait_until(lambda: len(re.findall(r" digest=", world.milter.log())) == len(mail))
    digests = dict(re.findall(r" id=(\S+) .* digest=(\S+)", world.milter.log()))
    wrong = []
    files = sorted(glob.glob(postfix.path("mail/all/new/*")))
    out = subprocess.run([GREYLAG, "classify", "--terse", "-d", tap.path("store"), "-o",
                          "classifier.own_hosts=mx.example.net", "-o", "classifier.authserv_ids=mx.example.net", *files],
                         capture_output=True, text=True).stdout
    scores = {line.split("\t")[3]: float(line.split("\t")[1]) for line in out.splitlines()}
    for path in files:
        with open(path, "rb") as f:
            message = f.read()
        queue_id = re.search(rb"\(Postfix\) with E?SMTP id (\w+)", message).group(1).decode()
        digest = subprocess.run([DIGEST, "mx.example.net"], input=message, capture_output=True).stdout.decode().strip()
        fields = re.findall(rb"(?mi)^X-Greylag *: *(\w+), score=([0-9.]+)", message.split(b"\n\n")[0])
        if digests.get(queue_id) != digest:
            wrong.append(f"digest {path}")
        if len(fields) != 1 or fields[0][1].decode() != f"{scores[path]:.6f}" or b"X-GREYLAG :" in message:
            wrong.append(f"{fields} {scores[path]:.6f} {path}")
    tap.equal(wrong, [], f"{len(files)} messages have in the mailbox the digest and the score that they had in the dialogue")
    results = [m for m in delivered if b"header.d=bank.example" in m]
    tap.equal(len(results), 0, "forged Authentication-Results are removed by OpenDKIM")


def dialogue(world):
    """Between the score in the dialogue and that of what the sender wrote there are those tokens that explain marks."""
    tap = world.tap

    def greylag(store, *argv, **more):
        done = subprocess.run([GREYLAG, argv[0], "-d", tap.path(store), *OWN, *argv[1:]], capture_output=True, text=True, **more)
        assert done.returncode in (0, 1, 2), (argv, done)
        return done.stdout

    # The same was learned, and no delivery is remembered.
    greylag("bare", "load", "-", input=greylag("store", "dump"))
    for kind, message, client in (("ham", HAM, "203.0.113.77"), ("spam", SPAM, "198.51.100.77")):
        mark = f"dialogue-{kind}"
        copies = {"delivered": world.through(message, mark, address=client, sender=f"a@{mark}.example"),
                  "sent": world.marked(message, mark)}
        for name, text in copies.items():
            with open(tap.path(name), "wb") as f:
                f.write(text)
        field = re.search(rb"X-Greylag: (\w+), score=([0-9.]+)", copies["delivered"])
        world.settle()
        here = json.loads(greylag("store", "explain", "--json", tap.path("delivered")))
        bare = json.loads(greylag("bare", "explain", "--json", tap.path("sent")))
        tap.equal((here["verdict"], f"{here['score']:.6f}"), (field[1].decode(), field[2].decode()),
                  f"{kind}: in the mailbox it has the score that it had in the dialogue")
        tap.ok(here["score"] != bare["score"], "as its sender wrote it, it has another", here["score"])
        marked = {word["token"] for word in here["words"] if word["dialogue"]}
        tokens, sent = ({word["token"] for word in known["words"]} for known in (here, bare))
        tap.equal((tokens - sent, sent - tokens), (marked, set()), "by exactly those tokens that explain marks")
        tap.ok({"grey:first", "grey:delay-2m", f"ip:{client}", "rcvd:client.example.org"} <= marked,
               "which are what greylisting saw and what the own host wrote", marked)
        tap.equal(here["sent"], {name: bare[name] for name in ("verdict", "score", "evidence")},
                  "and explain tells the score without them, to the last digit")
        tap.equal([word["token"] for word in bare["words"] if word["dialogue"]], [], "of what its sender wrote none is marked")
        text = greylag("store", "explain", tap.path("sent"))
        judged = f"it was {field[1].decode()}, probability {float(field[2]):.3f}."
        tap.ok(judged in text and "is not in this copy" in text and re.search(r"^  grey:first .* d$", text, re.MULTILINE),
               "of a copy without the own host's field it tells so, and how it was judged on delivery", text)


def correspondents(world):
    tap = world.tap
    friend = {"address": "192.0.2.10", "name": "mail.friend.example"}
    message = world.through(HAM, "friend-1", sender="a@friend.example", **friend)
    tap.ok(message and b"X-Greylag: ham" in message, "a stranger waits; the retry is let in and judged ham", message)
    world.settle()
    tap.equal(world.send(HAM, "friend-2", sender="b@friend.example", **friend)[0], 250,
              "whose mail was ham need not wait with another sender")
    tap.has(world.decision("b@friend.example"), "reason=reputation", "and the log says why")
    tap.equal(world.send(HAM, sender="c@friend.example", address="198.51.100.77", name="mx2.friend.example")[0], 250,
              "nor from another host with a verified name of the same domain")
    tap.equal(world.send(HAM, sender="c@friend.example", address="198.51.100.78")[0], 450,
              "a stranger in the domain's name only does")


def spammers(world):
    tap = world.tap
    spammer = {"address": "203.0.113.9", "name": "mail.spammer.example"}
    for i in range(6):
        tap_code = world.send(SPAM, sender=f"s{chr(97 + i)}@spammer.example", **spammer)[0]
        assert tap_code == 450, tap_code
    forwarder = {"address": "192.0.2.30", "name": "out.forwarder.example"}
    for i in range(8):
        message = HAM if i < 2 else SPAM
        code = world.send(message, sender=f"f{chr(97 + i)}@forwarder.example", **forwarder)[0]
        assert code == 450, code
    time.sleep(DELAY + 0.2)
    for i in range(6):
        assert world.send(SPAM, f"spam-{i}", sender=f"s{chr(97 + i)}@spammer.example", **spammer)[0] == 250
    # Some ham comes before there is spam enough for a history of spam alone.
    for i in (2, 0, 3, 4, 5, 6, 7, 1):
        message = HAM if i < 2 else SPAM
        code, text = world.send(message, f"forwarded-{i}", sender=f"f{chr(97 + i)}@forwarder.example", **forwarder)
        assert code == 250, (i, code, text)
    world.settle()
    message = world.postfix.delivered(b"X-Mark: spam-5\n")
    tap.ok(message and b"X-Greylag: spam" in message, "a spammer's retry is let in and judged spam", message)
    tap.equal(world.send(SPAM, sender="sz@spammer.example", **spammer)[0], 450, "the spammer's next one waits")
    log = world.decision("sender=sz@spammer.example")
    tap.ok(f" delay={2 * DELAY} " in log and "evidence=" in log, "twice as long, for a reason that is told", log)
    code, text = world.send(SPAM, sender="fz@forwarder.example", **forwarder)
    log = world.decision("sender=fz@forwarder.example")
    tap.ok(code == 250 or f" delay={DELAY} " in log, "a forwarder of both never waits longer", code, log)


def own_users(world):
    """Whom own users write to need not wait."""
    tap = world.tap
    partner = {"sender": "bo@partner.example", "recipients": ["al@example.net"], "address": "198.51.100.5"}
    letter = b"From: al@example.net\nTo: bo@partner.example\nSubject: hello\n\nHow are you?\n"
    for message, how, what in (
            (b"Auto-Submitted: auto-replied\n" + letter, {"login": USER, "sender": "al@example.net"}, "an automatic answer"),
            (letter, {"login": USER, "sender": ""}, "a bounce"),
            (letter, {"address": "127.0.0.77", "sender": "far@elsewhere.example"}, "mail that is only relayed")):
        code = world.send(message, recipients=["bo@partner.example"], **how)[0]
        assert code == 250, code
        world.settle()
        tap.ok("first" in world.why(partner["address"], partner["sender"]), f"{what} teaches nothing",
               world.why(partner["address"], partner["sender"]))
    code, text = world.send(letter, recipients=["bo@partner.example"], login=USER, sender="al@example.net")
    tap.equal(code, 250, "a user who has logged in writes to a stranger")
    world.settle()
    code, text = world.send(HAM, "answer", **partner)
    tap.equal(code, 250, "whose answer need not wait")
    tap.has(world.decision("sender=bo@partner.example", "DUNNO"), "reason=correspondent", "and the log says why")
    tap.equal(world.send(HAM, sender="bo@partner.example", recipients=["cy@example.net"], address="198.51.100.6")[0], 450,
              "to somebody else it does")
    tap.equal(world.send(HAM, sender="co@partner.example", recipients=["cy@example.net"], address="198.51.100.7",
                         name="mx.partner.example")[0], 250, "colleagues from a host with a name of their domain need not")
    tap.equal(world.send(HAM, sender="co@partner.example", recipients=["cy@example.net"], address="198.51.100.8")[0], 450,
              "others in the domain's name do")


    code, text = world.send(letter, recipients=["do@other.example"], address="127.0.0.77", sender="al@example.net")
    tap.equal(code, 250, "a host of an own network writes for a user who has a mailbox here")
    world.settle()
    tap.equal(world.send(HAM, sender="do@other.example", address="198.51.100.9")[0], 250, "that teaches, too")


def signatures(world):
    tap = world.tap
    signed = world.sign(re.sub(rb"(?m)^From: .*$", b"From: news@signed.example", HAM, count=1))
    message = world.postfix.send(signed, sender="news@bulk.example", address="192.0.2.99")
    tap.equal(message[0], 250, "signed mail is let in")
    delivered = world.postfix.delivered(b"d=signed.example")
    header = (delivered or b"").split(b"\n\n")[0]
    tap.ok(re.search(rb"(?s)Authentication-Results: mx\.example\.net;\s+dkim=pass[^\n]*header\.d=signed\.example", header),
           "OpenDKIM has verified the signature by the test's DNS server", header.decode("latin1"))
    tap.ok(header.count(b"X-Greylag:") == 1, "greylag-milter has seen it behind OpenDKIM")
    world.settle()
    text = world.why("198.51.100.40", "x@signed.example", name="mx.signed.example")
    tap.ok(re.search(r"spares the delay: .*signed\.example", text), "ham that a domain has signed spares its hosts", text)
    tap.equal(world.send(HAM, sender="x@signed.example", address="198.51.100.40", name="mx.signed.example")[0], 250,
              "which need not wait")
    tap.equal(world.send(HAM, sender="x@signed.example", address="198.51.100.41")[0], 450,
              "others in the domain's name do")


def dmarc_message(mark, words="kestrel"):
    return (f"X-Mark: {mark}\nFrom: al@signed.example\nTo: al@example.net\nSubject: {words}\n"
            f"Message-ID: <{mark}@signed.example>\nDate: Mon, 2 Nov 2026 10:00:00 +0000\n\n{words}\n").encode()


def dmarc(world):
    """OpenDMARC's result, and no other, is a token."""
    tap = world.tap

    def send(mark, message, address="192.0.2.99"):
        """The path of what came of it."""
        code = world.postfix.send(message, sender="al@bulk.example", address=address)[0]
        assert code == 250, code
        path = tap.path(mark + ".eml")
        with open(path, "wb") as f:
            f.write(world.postfix.delivered(f"X-Mark: {mark}\n".encode()))
        return path

    def greylag(*argv):
        out = subprocess.run([GREYLAG, *argv, *OWN, "-o", f"store.uri=lmdb:{tap.path('store')}"], capture_output=True,
                             text=True)
        assert not out.stderr, out.stderr
        return out.stdout

    def results(path):
        return [word for word in greylag("tokens", path).split() if re.match("auth:(dmarc|dkim|spf)=", word)]

    def scores(path):
        """In the dialogue, and now."""
        with open(path, "rb") as f:
            dialogue = re.search(rb"(?m)^X-Greylag: \w+, score=([0-9.]+)", f.read()).group(1).decode()
        return dialogue, f"{float(greylag('classify', '--terse', path).split()[1]):.6f}"

    good, bad = send("good", world.sign(dmarc_message("good"))), send("bad", dmarc_message("bad"))
    tap.equal(results(good), ["auth:dmarc=pass", "auth:dkim=pass"], "a message that passes DMARC has the result among its tokens")
    tap.equal(results(bad), ["auth:dmarc=fail", "auth:dkim=none"], "and one that fails it")
    forged = (b"Authentication-Results: mx.example.net; dmarc=pass header.from=signed.example\n"
              b"Authentication-Results: mx.elsewhere.example; dmarc=pass header.from=signed.example; spf=pass\n")
    path = send("forged", forged + dmarc_message("forged"))
    tap.equal(results(path), ["auth:dmarc=fail", "auth:dkim=none"], "results that it came with are no tokens")
    path = send("forged-unchecked", forged + dmarc_message("forged-unchecked"), UNCHECKED)
    with open(path, "rb") as f:
        tap.has(f.read(), b"mx.elsewhere.example; dmarc=pass", "nor are they where OpenDKIM leaves them in")
    tap.equal(results(path), ["auth:dmarc=fail"], "but OpenDMARC's is")
    greylag("train", "spam", bad)
    greylag("train", "ham", good)
    # It is in force within a second.
    time.sleep(1.2)
    good, bad = [scores(path) for path in (send("good-again", world.sign(dmarc_message("good-again"))),
                                           send("bad-again", dmarc_message("bad-again")))]
    tap.ok(float(bad[0]) > float(good[0]) + 0.1, "what is learned of it tells the next ones apart in the dialogue", good, bad)
    for dialogue, mailbox in (good, bad):
        tap.equal(dialogue, mailbox, "where the score is that of the mailbox")


def codes(world):
    """A code that a user waits for."""
    tap = world.tap
    code = {"sender": "noreply@codes.example", "address": "198.51.100.90"}
    out = subprocess.run([GREYLAGCTL, "-c", world.greylagd.config, "-o", f"store.uri=lmdb:{tap.path('store')}", "expect",
                          "codes.example", "al@example.net", "--for", "15m"], capture_output=True, text=True)
    tap.equal(out.returncode, 0, "a code is expected")
    tap.equal(world.send(HAM, recipients=["cy@example.net"], **code)[0], 450, "for somebody else it waits")
    began = time.monotonic()
    tap.ok(wait_until(lambda: "expected" in world.why(code["address"], code["sender"])), "greylagctl why knows of it")
    # The daemon looks every five seconds.
    sent = wait_until(lambda: world.send(HAM, sender=f"n{chr(97 + int(time.monotonic() - began))}@codes.example",
                                         address=code["address"])[0] == 250 or time.sleep(0.5))
    tap.ok(sent, "then it comes without a delay", time.monotonic() - began)


def corrections(world):
    """What a person says takes a verdict back."""
    tap = world.tap
    client = {"address": "192.0.2.60", "name": "mail.sneaky.example"}
    sneaky = HAM.replace(b"Subject: ", b"Subject: once more ", 1)
    message = world.through(sneaky, "sneaky", sender="a@sneaky.example", **client)
    world.settle()
    tap.has(world.why(client["address"], "b@sneaky.example", name=client["name"]), "spares the delay", "ham spares its client")
    with open(world.tap.path("sneaky.eml"), "wb") as f:
        f.write(message)
    out = subprocess.run([GREYLAG, "train", "spam", "-d", world.tap.path("store"), "-o",
                          "classifier.own_hosts=mx.example.net", world.tap.path("sneaky.eml")], capture_output=True, text=True)
    tap.equal(out.returncode, 0, "the message in the mailbox is trained as spam")
    text = world.why(client["address"], "b@sneaky.example", name=client["name"])
    tap.ok("reputation of the name" in text and "spares the delay" not in text, "and its client is spared no more", text)
    tap.equal(world.send(HAM, sender="b@sneaky.example", **client)[0], 450, "but waits as any other")


def kill_one(world, which):
    if which == 0:
        for child in world.milter.child():
            os.kill(child, signal.SIGKILL)
    elif which == 1:
        world.greylagd.kill()
        world.greylagd.start()
    else:
        world.milter.process.kill()
        world.milter.process.wait()
        world.milter.start()


def killed(world):
    """Kill -9 of the milter, its serving process and greylagd under load: no mail that was taken is lost."""
    tap = world.tap
    taken, stop = [], threading.Event()

    def talk(number):
        count = 0
        while not stop.is_set():
            mark = f"load-{number}-{count}"
            count += 1
            try:
                if world.send(HAM if count % 2 else SPAM, mark, address="203.0.113.200")[0] == 250:
                    taken.append(mark)
            except Exception as error:
                taken.append(error)
    threads = [threading.Thread(target=talk, args=(i,), daemon=True) for i in range(8)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(6):
            time.sleep(0.5)
            kill_one(world, turn % 3)
    finally:
        stop.set()
    for thread in threads:
        thread.join()
    errors = [t for t in taken if not isinstance(t, str)]
    tap.equal(errors, [], f"mail flows on: {len(taken)} messages while each was killed twice")
    marks = {f"X-Mark: {mark}\n".encode() for mark in taken if isinstance(mark, str)}

    def missing():
        found = set()
        for message in world.postfix.mailbox():
            m = re.search(rb"X-Mark: load-\d+-\d+\n", message)
            if m:
                found.add(m.group())
        return marks - found
    wait_until(lambda: not missing(), 30)
    tap.equal(missing(), set(), "and all that was taken is in the mailbox")
    tap.ok(wait_until(lambda: b"X-Greylag: " in (world.postfix.send(b"X-Mark: last\n" + HAM, address="203.0.113.200") and
                                                 world.postfix.delivered(b"X-Mark: last\n") or b"")), "at the end it is judged again")
    out = subprocess.run([GREYLAGCTL, "-c", world.greylagd.config, "-o", f"store.uri=lmdb:{tap.path('store')}", "check"],
                         capture_output=True, text=True)
    tap.equal(out.returncode, 0, "and the store is whole")


def hold(world):
    """Quarantine lies in Postfix's hold queue, a refusal is Postfix's answer."""
    tap = world.tap
    with open(tap.path("empty.conf"), "w") as f:
        f.write("[milter]\non_spam = quarantine\n")
    world.milter.signal(signal.SIGHUP)
    time.sleep(0.5)
    tap.equal(world.send(SPAM, "held", address="192.0.2.99")[0], 250, "spam is taken and held")
    tap.ok(wait_until(lambda: world.postfix.held() == 1), "in the hold queue", world.postfix.log()[-500:])
    with open(tap.path("empty.conf"), "w") as f:
        f.write("[milter]\non_spam = reject\n")
    world.milter.signal(signal.SIGHUP)
    time.sleep(0.5)
    code, text = world.send(SPAM, address="192.0.2.99")
    tap.ok(code == 550 and text.startswith(b"5.7.1"), "spam is refused", code, text)


def main(tap):
    if not can_run(tap, root=True):
        return
    world = World(tap)
    cases = [same_message, dialogue, correspondents, spammers, own_users, signatures, dmarc, codes, killed, hold, corrections]
    for case in cases:
        if not sys.argv[1:] or case.__name__ in sys.argv[1:]:
            began = time.monotonic()
            case(world)
            print(f"# {case.__name__}: {time.monotonic() - began:.1f} s")
    bad = [line for line in world.postfix.log().splitlines() if re.search(r"(panic|fatal):", line)]
    tap.ok(not bad, "Postfix's log is free of fatal errors", *bad[:5])
    tap.ok(not re.search(r"ERROR: AddressSanitizer|runtime error:", world.milter.log()), "the sanitizers found nothing")


with Tap() as tap:
    main(tap)
