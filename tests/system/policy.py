"""What tests of greylagd in Python share: TAP, a client of the policy protocol, and the daemon."""
import os, select, shutil, signal, socket, subprocess, sys, tempfile, time

BUILD = os.environ.get("top_builddir", ".")
SOURCE = os.environ.get("top_srcdir", ".")
GREYLAGD = os.path.join(BUILD, "policyd", "greylagd")
GREYLAGCTL = os.path.join(BUILD, "policyd", "greylagctl")
PATIENCE = 60.0  # seconds until a test gives up; nothing takes so long that works, on a busy machine either

DEADLINE = 50  # seconds that a daemon has for its answers where the test says nothing else


class Tap:
    """Counts and prints results. Use as a context: at its end the plan, and all is cleared away."""

    def __enter__(self):
        self.count = 0
        self.daemons = []
        self.folder = tempfile.mkdtemp(prefix="greylag-test.")
        os.chmod(self.folder, 0o711)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(130))
        return self

    def __exit__(self, kind, error, trace):
        for daemon in self.daemons:
            daemon.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        if kind is None:
            print(f"1..{self.count}", flush=True)

    def ok(self, good, name, *notes):
        self.count += 1
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}", flush=True)
        if not good:
            for line in "\n".join(map(str, notes)).splitlines():
                print(f"# {line}", flush=True)
        return good

    def equal(self, got, expected, name):
        return self.ok(got == expected, name, f"got      {got!r}", f"expected {expected!r}")

    def has(self, text, part, name):
        return self.ok(part in text, name, f"no {part!r} in:", text)

    def skip(self, name, why):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {why}", flush=True)

    def path(self, name):
        return os.path.join(self.folder, name)


def sanitized():
    """The program has the address sanitizer in it, so its memory says nothing."""
    with open(GREYLAGD, "rb") as f:
        return b"__asan_init" in f.read()


def free_port(host="127.0.0.1"):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as s:
        s.bind((host, 0))
        return s.getsockname()[1]


def has_ipv6():
    try:
        free_port("::1")
        return True
    except OSError:
        return False


def wait_until(condition, patience=PATIENCE):
    """The first true value of condition(), or its last one when patience is over."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.02)


def request(client="192.0.2.1", sender="sender@example.org", recipient="rcpt@example.net", **more):
    """A request as Postfix 3.7 sends it. Attributes given as None are left out."""
    attributes = {
        "request": "smtpd_access_policy", "protocol_state": "RCPT", "protocol_name": "ESMTP",
        "client_address": client, "client_name": "unknown", "client_port": "40000",
        "reverse_client_name": "unknown", "server_address": "192.0.2.25", "server_port": "25",
        "helo_name": "mail.example.org", "sender": sender, "recipient": recipient,
        "recipient_count": "0", "queue_id": "", "instance": "", "size": "0", "etrn_domain": "",
        "stress": "", "sasl_method": "", "sasl_username": "", "sasl_sender": "",
        "ccert_subject": "", "ccert_issuer": "", "ccert_fingerprint": "",
        "ccert_pubkey_fingerprint": "", "encryption_protocol": "", "encryption_cipher": "",
        "encryption_keysize": "0", "policy_context": ""}
    attributes.update(more)
    lines = b""
    for name, value in attributes.items():
        if value is not None:
            lines += name.encode() + b"=" + (value if isinstance(value, bytes) else str(value).encode()) + b"\n"
    return lines + b"\n"


def connect(address):
    """address: a path, or (host, port)."""
    if isinstance(address, str):
        s = socket.socket(socket.AF_UNIX)
    else:
        s = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    s.settimeout(PATIENCE)
    s.connect(address)
    return s


class Client:
    """One connection; ask() gives the action of the reply, or None if it was closed instead."""

    def __init__(self, address):
        self.socket = connect(address)
        self.rest = b""

    def send(self, data):
        self.socket.sendall(data)

    def reply(self):
        while b"\n\n" not in self.rest:
            try:
                data = self.socket.recv(65536)
            except ConnectionError:
                return None
            if not data:
                return None
            self.rest += data
        reply, self.rest = self.rest.split(b"\n\n", 1)
        assert reply.startswith(b"action="), reply
        return reply[len(b"action="):].decode("ascii")

    def ask(self, *values, **attributes):
        try:
            self.send(request(*values, **attributes))
        except ConnectionError:
            return None
        return self.reply()

    def is_closed(self):
        """The server closes without a reply."""
        try:
            return self.rest == b"" and self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def is_quiet(self):
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return not poll.poll(50)

    def close(self):
        self.socket.close()


def verb(action):
    return action.split(" ")[0] if action else action


class Daemon:
    """A greylagd in the foreground, with a log that can be read, on a port of its own. However slow the machine is, it
    lets nobody in for that, unless a test that is about the deadline gives it one."""

    def __init__(self, tap, name, *options, config="", listen=None, store=None, argv=(), **popen):
        self.port = free_port()
        self.address = ("127.0.0.1", self.port)
        self.store = store or tap.path(name + ".store")
        self.config = tap.path(name + ".conf")
        self.log_path = tap.path(name + ".log")
        with open(self.config, "w") as f:
            f.write(config)
        self.argv = [*argv, GREYLAGD, "-f", "-c", self.config, "-o", "http.listen=off",
                     "-o", "store.uri=lmdb:" + self.store]
        if "policy.user" not in " ".join(options):
            self.argv += ["-o", "policy.user="]
        self.argv += ["-o", "policy.listen=" + (listen or f"inet:127.0.0.1:{self.port}")]
        if "store.timeout_ms" not in " ".join(options):
            self.argv += ["-o", f"store.timeout_ms={DEADLINE * 1000}"]
        for option in options:
            self.argv += ["-o", option]
        self.popen = popen
        self.process = None
        tap.daemons.append(self)

    def start(self, ready="is ready"):
        self.log_start = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self.popen)
        if ready and not wait_until(lambda: ready in self.log() or self.process.poll() is not None):
            raise RuntimeError("greylagd does not get ready: " + self.log())
        if ready and self.process.poll() is not None:
            raise RuntimeError("greylagd ended: " + self.log())
        return self

    def log(self):
        """What was logged since the last start."""
        with open(self.log_path, "rb") as f:
            f.seek(self.log_start)
            return f.read().decode("utf-8", "backslashreplace")

    def logs(self, text, patience=PATIENCE):
        return wait_until(lambda: text in self.log(), patience)

    def client(self):
        return Client(self.address)

    def ask(self, *values, **attributes):
        client = self.client()
        action = client.ask(*values, **attributes)
        client.close()
        return action

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        return self.process.wait(PATIENCE)

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def run(*argv, **more):
    """(status, standard output, standard error)"""
    done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=600, **more)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
