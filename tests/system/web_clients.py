#!/usr/bin/env python3
"""Statistics over HTTP: what machines read, and what odd clients send."""
import concurrent.futures, json, os, re, shutil, socket, subprocess, tempfile, time

import openmetrics
from web import BUILD, SOURCE, Daemon, Tap, free_port, wait_for

OPEN = "Accept: application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5\r\n"
WICKED = '"><script>alert(1)</script>'


def ask(daemon, n, name="u"):
    for i in range(n):
        daemon.ask(client_address=f"192.0.2.{i}", sender=f"{name}{i}@example.com", recipient="r@example.org",
                   instance=f"{name}{i}")


def value(daemon, family, **labels):
    """A sample's value in /metrics."""
    samples = openmetrics.parse(daemon.get("/metrics", headers=OPEN)[2].decode())[family][1]
    return next(v for _, have, v in samples if have == labels)


def machines(tap, daemon):
    ask(daemon, 20)
    daemon.ask(client_address="192.0.2.1", sender=f"x@{WICKED}", recipient="r@example.org", instance="w")
    daemon.ask(client_address="192.0.2.1", sender="x@b\udcffd.example", recipient="r@example.org", instance="v")
    wait_for(lambda: value(daemon, "greylag_decisions", reason="first") == 22)
    status, headers, body = daemon.get("/metrics")
    tap.equal((status, headers["content-type"]), (200, "text/plain; version=0.0.4; charset=utf-8"),
              "without Accept it is the Prometheus text")
    check = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True)
    tap.ok(check.returncode == 0 and not check.stderr, "promtool has nothing to say", check.stderr.decode())
    status, headers, body = daemon.get("/metrics", headers=OPEN)
    tap.equal((status, headers["content-type"]),
              (200, "application/openmetrics-text; version=1.0.0; charset=utf-8"), "with Accept it is OpenMetrics")
    try:
        families = openmetrics.parse(body.decode())
        tap.ok(True, "which a strict parser takes")
    except openmetrics.Bad as bad:
        families = {}
        tap.ok(False, "which a strict parser takes", bad)
    tap.ok(families and all(name.startswith("greylag_") for name in families), "all names begin with greylag_")
    tap.ok(b"example.com" not in body and b"192.0.2" not in body and b"script" not in body,
           "nothing from mail is in a label")
    tap.equal(value(daemon, "greylag_replies", action="defer"), 22, "replies are counted by action")
    wait_for(lambda: json.loads(daemon.get("/stats")[2])["last_24_hours"]["deferred"] == 22)
    stats = json.loads(daemon.get("/stats")[2])
    tap.equal((stats["version"], stats["last_24_hours"]["by_reason"]["first"], len(stats["hours"]), len(stats["days"])),
              (1, 22, 48, 30), "/stats has its version, sums, 48 hours and 30 days")
    tap.equal(sum(hour["deferred"] for hour in stats["hours"]), 22, "its hours add up")
    names = [item["name"] for item in stats["most_deferred"]["sender_domains"]]
    tap.ok(names[0] == "example.com" and WICKED.lower() in names and "b\ufffdd.example" in names,
           "it names the domains that were deferred most, whatever they hold", names)
    page = daemon.get("/")[2].decode()
    tap.ok("&lt;script&gt;" in page and "<script>alert" not in page, "on the page they are text")


def classifier(tap, daemon):
    tap.equal(json.loads(daemon.get("/stats")[2])["classifier"], None, "without training there is no classifier data")
    for name, count in ("ham", 2), ("spam", 3):
        os.mkdir(f"{daemon.folder}/{name}")
        for i in range(count):
            with open(f"{daemon.folder}/{name}/{i}", "w") as file:
                file.write(f"From: a@example.com\nSubject: {name} {i}\nMessage-ID: <{name}{i}@x>\n\nWords of {name}\n")
    train = subprocess.run([f"{BUILD}/classifier/greylag", "-d", daemon.store, "train", "--ham", f"{daemon.folder}/ham",
                            "--spam", f"{daemon.folder}/spam"], capture_output=True, text=True)
    wait_for(lambda: json.loads(daemon.get("/stats")[2])["classifier"])
    told = json.loads(daemon.get("/stats")[2])["classifier"] or {}
    tap.equal((told.get("messages"), told.get("trained")), (5, {"spam": 3, "ham": 2}), "what is trained is counted by class")
    if train.returncode:
        print("#", train.stderr)
    tap.equal(value(daemon, "greylag_trained_messages", **{"class": "spam"}), 3, "in the metrics, too")
    tap.ok(b"Learned as spam" in daemon.get("/")[2], "and on the page")
    verdicts(tap, daemon)


def verdicts(tap, daemon):
    """What greylag filter judges and train learns from now on, in all that shows it."""
    day = lambda: json.loads(daemon.get("/stats")[2])["verdicts"]["last_24_hours"]
    # The hours are read again when they are a few seconds old.
    tap.ok(wait_for(lambda: (day()["trained_spam"], day()["trained_ham"]) == (3, 2)), "trainings are counted by the hour", day())
    tap.equal(value(daemon, "greylag_classifier_verdicts", verdict="unsure"), 0, "nothing has been judged")
    with open(f"{daemon.folder}/ham/0", "rb") as file:
        run = subprocess.run([f"{BUILD}/classifier/greylag", "-d", daemon.store, "filter"], stdin=file,
                             capture_output=True)
    tap.equal(run.returncode, 2, "so few messages make no sure verdict")
    tap.ok(wait_for(lambda: day()["unsure"] == 1), "a verdict of greylag filter is counted", day())
    tap.equal(value(daemon, "greylag_classifier_verdicts", verdict="unsure"), 1, "in the metrics, too")
    tap.equal(value(daemon, "greylag_classifier_score", le="+Inf"), 1, "with its score")
    tap.equal(sum(bin["count"] for bin in day()["scores"]), 1, "and in /stats")
    tap.ok(b"1 unsure." in daemon.get("/")[2], "and on the page")
    wait_for(lambda: json.loads(daemon.get("/stats")[2])["last_24_hours"]["deferred"])
    ctl = subprocess.run([f"{BUILD}/policyd/greylagctl", "-c", "/dev/null", "-o", f"store.uri={daemon.store}",
                          "status", "--json"], capture_output=True, text=True)
    told, stats = json.loads(ctl.stdout), json.loads(daemon.get("/stats")[2])
    for part in "last_24_hours", "last_30_days", "hours", "days", "retry", "classifier", "verdicts":
        tap.equal(told[part], stats[part], f"greylagctl status has the same {part}")


def document(tap, daemon):
    manual = open(f"{SOURCE}/policyd/greylag-metrics.5").read()
    families = openmetrics.parse(daemon.get("/metrics", headers=OPEN)[2].decode())
    told = set(re.findall(r"^\.It Va (greylag_\w+)", manual, re.M))
    tap.equal(told ^ set(families), set(), "the manual names the metrics that there are")


def restart(tap, daemon, first):
    tap.equal(daemon.stop(), 0, "it stops with open statistics")
    daemon.start()
    wait_for(lambda: json.loads(daemon.get("/stats")[2])["last_24_hours"]["deferred"] == first)
    stats = json.loads(daemon.get("/stats")[2])
    tap.equal(stats["last_24_hours"]["deferred"], first, "hourly counters survive a restart")
    tap.equal(value(daemon, "greylag_decisions", reason="first"), 0, "counters of the process begin anew")


def headers(tap, daemon):
    _, fields, _ = daemon.get("/")
    policy = fields["content-security-policy"]
    tap.ok("unsafe" not in policy and "default-src 'none'" in policy and policy.count("sha256-") == 3,
           "the content security policy allows three digests and nothing unsafe", policy)
    tap.ok("set-cookie" not in fields and fields["x-content-type-options"] == "nosniff", "no cookie, no sniffing")
    status, head, body = daemon.get("/", method="HEAD")
    tap.equal((status, body, head["content-length"] != "0"), (200, b"", True), "HEAD has the headers alone")


REFUSED = [
    ("GET", "/", "attacker.example", "", 421), ("GET", "/", "attacker.example:6647", "", 421),
    ("GET", "/", "127.0.0.1.attacker.example", "", 421), ("GET", "/", "", "", 421),
    ("GET", "/", "localhost:x", "", 421), ("GET", "/", "[::1", "", 421), ("GET", "/", None, "", 400),
    ("GET", "/", "localhost", "Host: localhost\r\n", 400),
    ("POST", "/", "localhost", "Content-Length: 3\r\n", 405), ("PUT", "/stats", "localhost", "", 405),
    ("DELETE", "/stats", "localhost", "", 405), ("OPTIONS", "*", "localhost", "", 405),
    ("TRACE", "/", "localhost", "", 405), ("BREW", "/", "localhost", "", 405), ("get", "/", "localhost", "", 405),
    ("GET", "/", "localhost", "Content-Length: 3\r\n", 413),
    ("GET", "/", "localhost", "Transfer-Encoding: chunked\r\n", 413),
    ("GET", "/../etc/passwd", "localhost", "", 404), ("GET", "/stats/..", "localhost", "", 404),
    ("GET", "/%2e%2e/stats", "localhost", "", 404), ("GET", "/stats%00", "localhost", "", 404),
    ("GET", "/st\xc3\xa4ts", "localhost", "", 404), ("GET", "//stats", "localhost", "", 404),
    ("GET", "/nothing", "localhost", "", 404),
]
ACCEPTED = ["localhost", "LOCALHOST:6647", "127.0.0.1", "127.8.9.10:80", "[::1]", "[::1]:6647", "stats.example.org",
            "stats.example.org:8080"]


def odd_requests(tap, daemon):
    for method, path, host, more, expected in REFUSED:
        status, fields, _ = daemon.get(path, host, method, more)
        tap.equal(status, expected, f"{method} {path!a} for {host}{' ' + more.strip() if more else ''}")
        if expected == 405:
            tap.equal(fields.get("allow"), "GET, HEAD", "and says what is allowed")
    for host in ACCEPTED:
        tap.equal(daemon.get("/healthz", host)[0], 200, f"Host {host}")
    tap.equal(daemon.get("/stats?x=1&y=%00")[0], 200, "a query is ignored")
    tap.equal(daemon.get("/healthz", None, version="HTTP/1.0")[0], 200, "HTTP/1.0 needs no Host")
    status = daemon.get("/" + "a" * 9000)[0]
    tap.equal(status, 414, "a path over 8 KiB")
    status = daemon.get("/", headers="X: " + "a" * 9000 + "\r\n")[0]
    tap.equal(status, 431, "headers over 8 KiB")
    for data in b"\0\0\0\0\r\n\r\n", b"GET /n\0 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET\r\n\r\n", b"\xff" * 100 + b"\r\n\r\n":
        got = daemon.raw(data, 1)
        tap.ok(not got or got.split(b" ")[1][:1] == b"4", f"rubbish {data[:12]} is refused or cut", got[:60])
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    got = daemon.raw(one * 19 + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    tap.equal(got.count(b"HTTP/1.1 200 OK"), 20, "twenty pipelined requests have twenty answers")


def mail(daemon):
    """It is answered, whoever holds the web server meanwhile."""
    sender = f"{time.monotonic()}@example.com"
    return "DEFER" in daemon.ask(client_address="198.51.100.1", sender=sender, recipient="r@e.org")


def idle(tap, daemon):
    held = [socket.create_connection(("127.0.0.1", daemon.http), 5) for _ in range(1000)]
    tap.equal(daemon.get("/healthz")[0], 200, "past a thousand idle connections it answers")
    tap.ok(mail(daemon), "and mail does not wait")
    tap.ok(value(daemon, "greylag_http_connections") <= 64, "open connections are bounded")
    for s in held:
        s.close()
    slow = socket.create_connection(("127.0.0.1", daemon.http), 5)
    cut, begin = False, time.monotonic()
    while not cut and time.monotonic() - begin < 60:
        try:
            slow.sendall(b"G")
            slow.settimeout(0.2)
            cut = slow.recv(100) == b""
        except socket.timeout:
            pass
        except OSError:
            cut = True
    tap.ok(cut, "who dribbles a request for longer than http.timeout is cut")


def load(tap, daemon):
    def scrape(_):
        return daemon.get("/metrics")[0]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        tap.equal(set(pool.map(scrape, range(400))), {200}, "many scrapes at once have their answers")


def health(tap):
    broken = tempfile.mkdtemp(prefix="greylag-web-")
    with open(f"{broken}/policy.mdb", "wb") as file:
        file.write(b"no database" * 1000)
    daemon = Daemon(store=f"lmdb:{broken}")
    try:
        status, _, body = daemon.get("/healthz")
        tap.equal((status, body), (503, b"the store cannot be opened\n"), "/healthz without a store")
        tap.equal(daemon.get("/")[0], 200, "the page is shown all the same")
        tap.ok(b"The store does not work" in daemon.get("/")[2], "and says what is wrong")
        tap.equal(value(daemon, "greylag_store_up"), 0, "greylag_store_up is 0")
        tap.equal(daemon.ask(client_address="192.0.2.1", sender="a@b.c", recipient="d@e.f"), "action=DUNNO\n\n",
                  "and mail is let in")
        tap.ok(wait_for(lambda: value(daemon, "greylag_errors", kind="store-unavailable") == 1), "which is counted")
        os.unlink(f"{broken}/policy.mdb")
        tap.ok(wait_for(lambda: daemon.get("/healthz")[0] == 200), "and well again when it can be opened")
    finally:
        daemon.close()
        shutil.rmtree(broken)
    daemon = Daemon()
    try:
        tap.equal(daemon.get("/healthz")[::2], (200, b"ok\n"), "/healthz with a store")
        shutil.move(f"{daemon.folder}/store", f"{daemon.folder}/elsewhere")
        tap.equal(daemon.get("/healthz")[::2], (503, b"the store's folder is gone\n"), "/healthz when its folder is gone")
        shutil.move(f"{daemon.folder}/elsewhere", f"{daemon.folder}/store")
        tap.equal(daemon.get("/healthz")[0], 200, "/healthz when it is back")
    finally:
        daemon.close()


def sockets(tap):
    def start(*settings):
        argv = [f"{BUILD}/policyd/greylagd", "-f", "-c", "/dev/null", "-o", "policy.user=", "-o", "store.uri=mem:",
                "-o", f"policy.listen=inet:127.0.0.1:{free_port()}"]
        for setting in settings:
            argv += ["-o", setting]
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        out = b""
        for line in child.stdout:
            out += line
            if b"is ready" in line:
                child.terminate()
        return child.wait(60), out.decode()

    port = free_port()
    status, out = start(f"http.listen=inet:0.0.0.0:{port}")
    tap.ok(status == 2 and "http.allow_remote" in out, "another address than loopback needs http.allow_remote", out)
    status, out = start(f"http.listen=inet:0.0.0.0:{port}", "http.allow_remote=on")
    tap.ok(status == 0 and "readable from other machines" in out, "and is warned of", out)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, out = start(f"http.listen=inet:127.0.0.1:{taken.getsockname()[1]}")
    tap.ok(status == 0 and "ready" in out and "no statistics" in out, "mail is served though the port is taken", out)
    status, out = start("http.listen=off")
    tap.ok(status == 0 and "ready" in out, "http.listen=off", out)
    daemon = Daemon()
    try:
        path = f"{daemon.folder}/http.sock"
        daemon.stop()
        daemon.settings = (f"http.listen=unix:{path} inet:127.0.0.1:{daemon.http}",)
        daemon.start()
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            tap.ok(s.recv(4096).startswith(b"HTTP/1.1 200"), "a unix socket answers beside a port")
        daemon.stop()
        tap.ok(not os.path.exists(path), "and its file goes at the end")
    finally:
        daemon.close()


def main():
    tap = Tap()
    daemon = Daemon("http.hosts=stats.example.org", "http.timeout=3s")
    try:
        machines(tap, daemon)
        classifier(tap, daemon)
        document(tap, daemon)
        headers(tap, daemon)
        odd_requests(tap, daemon)
        restart(tap, daemon, 22)
        idle(tap, daemon)
        load(tap, daemon)
        tap.ok(mail(daemon), "after all that mail is served")
        tap.equal(daemon.stop(), 0, "and the daemon ends well")
    finally:
        daemon.close()
    health(tap)
    sockets(tap)
    tap.done()


main()
