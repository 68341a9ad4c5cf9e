#!/usr/bin/env python3
"""greylagd, greylagctl and greylag on Redis over TLS: who is not known is not spoken with, on either side."""
import os, shutil, subprocess, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from policy import BUILD, GREYLAGCTL, SOURCE, Daemon, Tap, free_port, run, verb, wait_until
import redisfarm

GREYLAG = os.path.join(BUILD, "classifier", "greylag")
HAM, SPAM = (os.path.join(SOURCE, "tests", "data", name) for name in ("ham", "spam"))


class Certificates:
    """Two authorities, and what they have signed."""

    def __init__(self, tap):
        self.folder = tap.path("certificates")
        os.mkdir(self.folder)
        for ca in ("ca", "stranger-ca"):
            self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", ca + ".key", "-out", ca + ".pem",
                         "-days", "2", "-subj", f"/CN={ca}")
        self.sign("redis", "ca", "DNS:localhost,IP:127.0.0.1")
        self.sign("name-only", "ca", "DNS:localhost")
        self.sign("other", "ca", "DNS:other.example.net,IP:192.0.2.1")
        self.sign("mx", "ca", "DNS:mx.example.net")
        self.sign("stranger", "stranger-ca", "DNS:localhost,IP:127.0.0.1")

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def sign(self, name, ca, names):
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj",
                     f"/CN={name}", "-addext", "subjectAltName=" + names)
        self.openssl("x509", "-req", "-in", name + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key", "-CAcreateserial",
                     "-days", "2", "-copy_extensions", "copy", "-out", name + ".pem")
        with open(self.path(name + "-both.pem"), "w") as both:
            for part in (".key", ".pem"):
                with open(self.path(name + part)) as f:
                    both.write(f.read())

    def path(self, name):
        return os.path.join(self.folder, name)

    def of(self, name):
        """Options of redis-server, and of redis-cli."""
        return [("cert-file", self.path(name + ".pem")), ("key-file", self.path(name + ".key"))]


class Server(redisfarm.Server):
    """One that speaks TLS alone, as NAME."""

    def __init__(self, tap, certificates, name, *options, as_name="redis", clients="no"):
        super().__init__(tap, name, *options)
        self.certificates, self.as_name, self.clients = certificates, as_name, clients

    def tls(self):
        options = [("port", "0"), ("tls-port", str(self.port)), ("tls-auth-clients", self.clients),
                   ("tls-ca-cert-file", self.certificates.path("ca.pem"))]
        return options + [("tls-" + name, value) for name, value in self.certificates.of(self.as_name)]

    def argv(self):
        return [*super().argv(), *(word for name, value in self.tls() for word in ("--" + name, value))]

    def ask(self, *command):
        return run("redis-cli", "--tls", "--insecure", "--cert", self.certificates.path("mx.pem"), "--key",
                   self.certificates.path("mx.key"), "-h", self.host, "-p", str(self.port), *command)[1].strip()

    def uri_of(self, host="localhost", scheme="rediss", path=""):
        return f"{scheme}://{host}:{self.port}{path}"


class Sentinel(Server):
    """One that watches a master by its address, all over TLS."""

    def __init__(self, tap, certificates, name, master, **more):
        super().__init__(tap, certificates, name, **more)
        self.file = os.path.join(self.folder, "sentinel.conf")
        with open(self.file, "w") as f:
            f.write("".join(f"{name} {value}\n" for name, value in self.tls()) +
                    f"tls-replication yes\nsentinel monitor greylag 127.0.0.1 {master.port} 1\n")

    def argv(self):
        return [*redisfarm.SERVER, self.file, "--sentinel", "--bind", self.host, "--dir", self.folder]


def options(uri, *files):
    """Of any of the programs; files of tls_ca, tls_cert and tls_key."""
    given = ["store.uri=" + uri, *(f"store.tls_{name}={file}" for name, file in zip(("ca", "cert", "key"), files))]
    return given


def ctl(uri, *files, command=("list",), **more):
    return run(GREYLAGCTL, "-c", "/dev/null", *(word for o in options(uri, *files) for word in ("-o", o)), *command, **more)


def refused(tap, uri, files, words, name):
    status, out, err = ctl(uri, *files)
    tap.ok(status != 0 and words in err, name, status, out, err)


def daemon(tap, name, uri, *files):
    return Daemon(tap, name, *options(uri, *files), "greylist.delay=1s", "store.cache=0").start()


def passes(tap, host, server, sender):
    tap.equal(verb(host.ask(sender=sender)), "DEFER_IF_PERMIT", "over TLS a first attempt waits")
    time.sleep(1.1)
    tap.equal(verb(host.ask(sender=sender)), "PREPEND", "and its retry passes")
    tap.ok(server.ask("DBSIZE") not in ("", "0"), "by what is in the server", server.ask("DBSIZE"))


def greylists_again(host, sender):
    return wait_until(lambda: verb(host.ask(sender=sender)) == "DEFER_IF_PERMIT")


def life(tap, pem):
    """The daemon's connection, which is another than that of the programs: the server ends, comes back, and is another's."""
    ca = pem.path("ca.pem")
    server = Server(tap, pem, "server").start()
    host = daemon(tap, "host", server.uri_of(), ca)
    passes(tap, host, server, "a@example.org")
    server.kill()
    tap.equal(host.ask(sender="b@example.org"), "DUNNO", "the server is killed: mail goes on")
    server.start()
    tap.ok(greylists_again(host, "b@example.org"), "it is back: greylisted again", host.log()[-2000:])
    tap.equal(host.ask(sender="a@example.org"), "DUNNO", "and what was known is known")
    for name, words in (("stranger", "certificate: "), ("other", "certificate: hostname mismatch")):
        server.kill()
        server.as_name = name
        server.start()
        host.ask(sender="c@example.org")
        tap.ok(host.logs("TLS: the server's " + words), f"a server with the certificate \"{name}\" in its place is told of",
               host.log()[-2000:])
        tap.equal(host.ask(sender=f"{name}@example.org"), "DUNNO", "and not asked")
        server.kill()
        server.as_name = "redis"
        server.start()
        tap.ok(greylists_again(host, "d@example.org"), "until the right one is back", host.log()[-2000:])
        host.stop()
        host.start()
    tap.equal(host.stop(), 0, "greylagd stops cleanly")
    return server


def strangers(tap, pem, server):
    ca = pem.path("ca.pem")
    tap.equal(ctl(server.uri_of(), ca)[0], 0, "greylagctl goes by the server's name")
    tap.equal(ctl(server.uri_of("127.0.0.1"), ca)[0], 0, "and by its address")
    refused(tap, server.uri_of(), [pem.path("stranger-ca.pem")], "TLS: the server's certificate: ",
            "a server of another authority is refused, and why is said")
    refused(tap, server.uri_of(), [], "TLS: the server's certificate: ", "so it is when only the system's are trusted")
    tap.equal(ctl(server.uri_of(), env=dict(os.environ, SSL_CERT_FILE=ca))[0], 0, "unless the server's is one of them")
    named = Server(tap, pem, "named", as_name="name-only").start()
    refused(tap, named.uri_of("127.0.0.1"), [ca], "IP address mismatch", "the certificate of a name is none of an address")
    other = Server(tap, pem, "other", as_name="other").start()
    refused(tap, other.uri_of(), [ca], "hostname mismatch", "nor is one of another name")
    plain = redisfarm.Server(tap, "plain").start()
    refused(tap, plain.uri.replace("redis:", "rediss:"), [ca], "does the server speak TLS on this port?", "a server without TLS is not spoken with")
    refused(tap, server.uri_of(), [tap.path("none")], "store.tls_ca", "a file that is missing is named with its setting")
    refused(tap, server.uri_of(), [ca, pem.path("ca.key")], "store.tls_cert", "so is one that is no certificate")
    refused(tap, server.uri_of(), [ca, pem.path("mx.pem"), pem.path("redis.key")], "store.tls_key",
            "and a key that belongs to another one")
    lost = daemon(tap, "lost", server.uri_of(), pem.path("stranger-ca.pem"))
    tap.equal(lost.ask(sender="a@example.org"), "DUNNO", "greylagd with the wrong authority lets mail in")
    tap.ok("TLS: the server's certificate: " in lost.log(), "and says why", lost.log())
    lost.stop()
    for one in (named, other, plain):
        one.kill()


def clients(tap, pem):
    ca, both = pem.path("ca.pem"), pem.path("mx-both.pem")
    strict = Server(tap, pem, "strict", clients="yes").start()
    refused(tap, strict.uri_of(), [ca], "certificate required", "where the server wants a certificate, none is not enough")
    refused(tap, strict.uri_of(), [ca, pem.path("stranger-both.pem")], "TLS: ", "nor is a stranger's")
    host = daemon(tap, "uncertified", strict.uri_of(), ca)
    tap.ok(host.ask(sender="a@example.org") == "DUNNO" and "certificate required" in host.log(),
           "greylagd without one lets mail in and says why", host.log()[-2000:])
    host.stop()
    tap.equal(ctl(strict.uri_of(), ca, pem.path("mx.pem"), pem.path("mx.key"), command=("allow", "192.0.2.7"))[0], 0,
              "with the right one it answers")
    tap.equal(ctl(strict.uri_of(), ca, both)[0], 0, "with its key in the same file, too")
    host = daemon(tap, "certified", strict.uri_of(), ca, both)
    passes(tap, host, strict, "a@example.org")
    tap.equal(host.stop(), 0, "greylagd stops cleanly")
    strict.kill()


def training(tap, pem, server):
    def greylag(store, *arguments):
        given = () if ":" not in store else ("-o", "store.tls_ca=" + pem.path("ca.pem"))
        return run(GREYLAG, "-c", "/dev/null", "-d", store, *given, *arguments)
    there, here = server.uri_of(path="/5"), tap.path("here")
    results = [greylag(store, "train", "--ham", HAM, "--spam", SPAM) for store in (there, here)]
    tap.ok(results[0][0] == 0 and results[0][1] == results[1][1], "greylag train learns the same over TLS as on LMDB", results)
    tap.equal(greylag(there, "classify", "--terse", SPAM)[1], greylag(here, "classify", "--terse", SPAM)[1],
              "and judges the same by it")


def guided(tap, pem):
    """Where the server has to be asked for."""
    ca = pem.path("ca.pem")
    node = Server(tap, pem, "node", "--cluster-enabled", "yes", "--tls-cluster", "yes", "--cluster-port", str(free_port()),
                  "--cluster-announce-hostname", "localhost", "--cluster-preferred-endpoint-type", "hostname",
                  as_name="name-only").start()
    node.ask("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    wait_until(lambda: "cluster_state:ok" in node.ask("CLUSTER", "INFO"))
    master = Server(tap, pem, "master", "--tls-replication", "yes").start()
    sentinel = Sentinel(tap, pem, "sentinel", master, as_name="name-only").start()
    for kind, server, uri in (("cluster", node, node.uri_of(scheme="rediss+cluster")),
                              ("sentinel", master, sentinel.uri_of(scheme="rediss+sentinel", path="/greylag"))):
        host = daemon(tap, kind, uri, ca)
        passes(tap, host, server, "a@example.org")
        tap.equal(host.stop(), 0, f"with {kind}")
        refused(tap, uri, [pem.path("stranger-ca.pem")], "TLS: the server's certificate: ", "who is asked for it must be known")


with Tap() as tap:
    if not all(map(shutil.which, ("redis-server", "redis-cli", "openssl"))):
        tap.skip("Redis over TLS", "needs redis-server and openssl")
    else:
        certificates = Certificates(tap)
        server = life(tap, certificates)
        strangers(tap, certificates, server)
        clients(tap, certificates)
        training(tap, certificates, server)
        guided(tap, certificates)
