#!/usr/bin/env python3
"""The reference deployment of contrib/redis, with other addresses: Redis with its users, a replica, sentinels,
stunnel; and moving a store there and back."""
import json, os, re, shutil, subprocess, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from policy import GREYLAGCTL, GREYLAGD, SOURCE, Daemon, Tap, free_port, run, verb, wait_until
import redisfarm

PASSWORDS = {"CHANGE-THIS": "open-sesame", "CHANGE-REPLICA": "replica-secret", "CHANGE-SENTINEL": "sentinel-secret"}


def contrib(name, *changes):
    """A file of contrib/redis with passwords, and with each (pattern, replacement)."""
    with open(os.path.join(SOURCE, "contrib", "redis", name)) as f:
        text = f.read()
    for old, new in PASSWORDS.items():
        text = text.replace(old, new)
    for pattern, replacement in changes:
        text, n = re.subn(pattern, replacement, text, flags=re.M)
        assert n, (name, pattern)
    return text


def write(path, text):
    with open(path, "w") as f:
        f.write(text)
    return path


class Process:
    def __init__(self, tap, name, *argv):
        self.log_path = tap.path(name + ".log")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *argv], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        tap.daemons.append(self)

    def log(self):
        with open(self.log_path) as f:
            return f.read()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Redis(Process):
    """As redis.conf has it, with other files besides."""

    def __init__(self, tap, name, *others, port=None):
        self.port = port or free_port()
        folder = tap.path(name)
        os.mkdir(folder)
        text = contrib("redis.conf", (r"^bind .*", "bind 127.0.0.1"), (r"^port .*", f"port {self.port}"),
                       (r"^dir .*", f"dir {folder}"), (r"^unixsocket .*", f"unixsocket {folder}/socket"))
        super().__init__(tap, name, "redis-server", write(folder + "/redis.conf", text + "".join(others)))
        if not wait_until(lambda: "NOAUTH" in self.ask("PING")):
            raise RuntimeError("redis-server does not answer: " + self.log())

    def ask(self, *command, user=()):
        return run("redis-cli", "-p", str(self.port), *user, *command)[1].strip()

    def role(self):
        return self.ask("ROLE", user=("--no-auth-warning", "--user", "greylag", "--pass", PASSWORDS["CHANGE-THIS"])).split("\n")[0]


def ctl(uri, password, *arguments):
    return run(GREYLAGCTL, "-c", "/dev/null", "-o", "policy.user=", "-o", "store.uri=" + uri, "-o", "store.password_file=" + password, *arguments)


def replicated(tap, password):
    """A master, a replica and three sentinels."""
    master = Redis(tap, "master", contrib("replica.conf", (r"^replicaof .*", "")))
    replica = Redis(tap, "replica", contrib("replica.conf", (r"^replicaof .*", f"replicaof 127.0.0.1 {master.port}")))
    ports = []
    for i in range(3):
        folder = tap.path(f"sentinel-{i}")
        os.mkdir(folder)
        ports.append(free_port())
        text = contrib("sentinel.conf", (r"^bind .*", "bind 127.0.0.1"), (r"^port .*", f"port {ports[-1]}"),
                       (r"^dir .*", f"dir {folder}"), (r"192\.0\.2\.40 6379", f"127.0.0.1 {master.port}"),
                       (r"milliseconds greylag .*", "milliseconds greylag 4000"))
        Process(tap, f"sentinel-{i}.out", "redis-server", write(folder + "/sentinel.conf", text), "--sentinel")
    uri = "redis+sentinel://greylag@" + ",".join(f"127.0.0.1:{p}" for p in ports) + "/greylag"

    def sees(port):
        words = run("redis-cli", "-p", str(port), "SENTINEL", "MASTER", "greylag")[1].split("\n")
        facts = dict(zip(words[::2], words[1::2]))
        return facts.get("num-slaves") == "1" and facts.get("num-other-sentinels") == "2"
    tap.ok(wait_until(lambda: all(sees(p) for p in ports)), "the sentinels see master and replica, by their user")
    host = Daemon(tap, "sentinels", "store.uri=" + uri, "store.password_file=" + password, "store.wait_replicas=1",
                  "store.cache=0", "greylist.delay=1s", "store.timeout_ms=10000").start()
    tap.ok(wait_until(lambda: verb(host.ask(sender="first@example.org")) == "DEFER_IF_PERMIT"),
           "a triplet is answered when the replica has it", host.log()[-1000:])
    master.kill()
    tap.ok(wait_until(lambda: replica.role() == "master"), "the replica takes over")
    tap.ok(wait_until(lambda: host.ask(sender="known@example.org") == "DUNNO" and "reason=store-un" in host.log()),
           "with min-replicas-to-write nothing new is taken without a replica")
    Redis(tap, "again", contrib("replica.conf", (r"^replicaof .*", f"replicaof 127.0.0.1 {replica.port}")), port=master.port)
    tap.ok(wait_until(lambda: verb(host.ask(sender="first@example.org")) == "PREPEND"),
           "a replica is back, and what was answered before is known", host.log()[-1000:])
    tap.equal(host.stop(), 0, "greylagd stops cleanly")


def certificates(folder):
    """An authority, and what it has signed for the server and for an MX host; and a stranger's."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.mkdir(folder)
    for ca in ("ca", "stranger-ca"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", ca + ".key", "-out", ca + ".pem", "-days", "2",
                "-subj", f"/CN={ca}")
    for name, ca in (("redis", "ca"), ("mx", "ca"), ("stranger", "stranger-ca")):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj",
                f"/CN={name}.example.net", "-addext", f"subjectAltName=DNS:{name}.example.net")
        openssl("x509", "-req", "-in", name + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key", "-CAcreateserial",
                "-days", "2", "-copy_extensions", "copy", "-out", name + ".pem")


def stunnel(tap, name, source, folder, accept, connect, certificate):
    text = contrib(source, (r"^accept = .*", f"accept = 127.0.0.1:{accept}"),
                   (r"^connect = .*", f"connect = 127.0.0.1:{connect}"),
                   (r"/etc/stunnel/(mx|redis)\.", folder + f"/{certificate}."), (r"/etc/stunnel/", folder + "/"))
    Process(tap, name, "stunnel4", write(tap.path(name + ".conf"), "foreground = yes\n" + text))


def tls(tap, redis, password):
    folder = tap.path("certificates")
    certificates(folder)
    far, near, stranger = free_port(), free_port(), free_port()
    stunnel(tap, "server", "stunnel-server.conf", folder, far, redis.port, "redis")
    stunnel(tap, "mx", "stunnel-mx.conf", folder, near, far, "mx")
    stunnel(tap, "stranger", "stunnel-mx.conf", folder, stranger, far, "stranger")
    wait_until(lambda: ctl(f"redis://greylag@127.0.0.1:{near}", password, "list")[0] == 0)
    conf = write(tap.path("farm.conf"), contrib(
        "greylag.conf", (r"^uri = .*", f"uri = redis://greylag@127.0.0.1:{near}"),
        (r"^password_file = .*", "password_file = " + password),
        (r"^fallback = .*", "fallback = lmdb:" + tap.path("fallback")), (r"^\[policy\]", "cache = 0\n\n[policy]")))
    tap.equal(run(GREYLAGD, "-c", conf, "-o", "policy.user=", "--check-config")[0], 0, "greylag.conf is a good configuration")
    with open(conf) as f:
        text = f.read()
    host = Daemon(tap, "tls", "greylist.delay=1s", config=text)
    host.argv = [a for i, a in enumerate(host.argv) if "store.uri=" not in a and
                 not (a == "-o" and "store.uri=" in host.argv[i + 1])]
    host.start()
    tap.equal(verb(host.ask(sender="tls@example.org")), "DEFER_IF_PERMIT", "through stunnel a first attempt waits")
    tap.ok(wait_until(lambda: verb(host.ask(sender="tls@example.org")) == "PREPEND"), "and its retry passes")
    status, out, err = ctl(f"redis://greylag@127.0.0.1:{near}", password, "list")
    tap.ok("tls@example.org" in out, "in the server, not in the local store", out, err)
    tap.ok(ctl(f"redis://greylag@127.0.0.1:{stranger}", password, "list")[0] != 0, "a stranger's certificate lets nobody near")
    tap.ok(run("redis-cli", "-p", str(far), "PING")[1].strip() != "PONG", "nor does none")
    tap.equal(host.stop(), 0, "greylagd stops cleanly")


def records(text):
    return sorted(json.dumps({k: v for k, v in json.loads(line).items() if k != "key"}, sort_keys=True)
                  for line in text.splitlines()[1:])


def moving(tap, redis, password):
    """As greylag-redis(7) tells: from LMDB to Redis, and back, while the new store is in use already."""
    lmdb, uri, back = "lmdb:" + tap.path("old"), f"redis://greylag@127.0.0.1:{redis.port}/1", "lmdb:" + tap.path("back")
    old = Daemon(tap, "old-host", store=tap.path("old")).start()
    client = old.client()
    for n in range(2000):
        client.ask(sender=f"{redisfarm.letters(n)}@example.org", client=f"192.0.{n % 9}.{n % 250 + 1}")
    old.stop()
    there = ctl(lmdb, "", "export")[1]
    tap.ok(len(records(there)) > 2000, "a store on LMDB has triplets")
    status, out, err = ctl(uri, password, "import", write(tap.path("there"), there))
    tap.equal((status, err), (0, ""), "is moved to Redis")
    tap.ok(records(ctl(uri, password, "export")[1]) == records(there), "where each record is the same")
    new = Daemon(tap, "new-host", "store.uri=" + uri, "store.password_file=" + password).start()
    tap.equal(verb(new.ask(sender="bjj@example.org", client="192.0.1.200")), "DEFER_IF_PERMIT", "is asked")
    tap.ok(wait_until(lambda: "reason=early" in new.log()), "and knows who had asked before", new.log())
    new.stop()
    changed = ctl(uri, password, "export")[1]
    status, out, err = ctl(back, "", "import", write(tap.path("changed"), changed))
    tap.equal((status, err), (0, ""), "and back to LMDB")
    tap.ok(records(ctl(back, "", "export")[1]) == records(changed), "without losing a record")


with Tap() as tap:
    if not shutil.which("redis-server") or "HAVE_REDIS 1" not in open(
            os.path.join(os.path.dirname(GREYLAGD), "..", "config.h")).read():
        tap.skip("the reference deployment", "needs redis-server, and hiredis at build time")
        sys.exit()
    password = write(tap.path("password"), PASSWORDS["CHANGE-THIS"] + "\n")
    redis = Redis(tap, "redis")
    moving(tap, redis, password)
    if shutil.which("stunnel4") and shutil.which("openssl"):
        tls(tap, redis, password)
    else:
        tap.skip("over TLS", "needs stunnel4 and openssl")
    node = Redis(tap, "node", contrib("cluster.conf", (r"^cluster-enabled yes",
                                                        f"cluster-enabled yes\ncluster-port {free_port()}")))
    tap.ok("cluster_enabled:1" in node.ask("INFO", "cluster", user=("--no-auth-warning", "--user", "greylag", "--pass",
                                                                     PASSWORDS["CHANGE-THIS"])), "a node of a cluster")
    replicated(tap, password)
