"""A greylagd with HTTP for a test, and TAP."""
import os, shutil, signal, socket, subprocess, sys, tempfile, time

BUILD = os.environ.get("top_builddir", ".")
SOURCE = os.environ.get("top_srcdir", ".")


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def ok(self, good, name, *diagnostics):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}", flush=True)
        if not good:
            for line in "\n".join(map(str, diagnostics)).splitlines():
                print("#", line, flush=True)
        return good

    def equal(self, got, expected, name):
        return self.ok(got == expected, name, f"got {got!r}", f"expected {expected!r}")

    def done(self):
        print(f"1..{self.count}", flush=True)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


class Daemon:
    """greylagd on ports of its own; its store is the folder "store" below self.folder."""

    def __init__(self, *settings, store=None, fill=False):
        self.folder = tempfile.mkdtemp(prefix="greylag-web-")
        self.policy, self.http = free_port(), free_port()
        self.store = store or f"lmdb:{self.folder}/store"
        if fill:
            subprocess.run([f"{BUILD}/tests/system/fill", self.store], check=True)
        self.settings = settings
        self.start()

    def start(self):
        argv = [f"{BUILD}/policyd/greylagd", "-f", "-c", "/dev/null", "-o", "policy.user=",
                "-o", f"policy.listen=inet:127.0.0.1:{self.policy}",
                "-o", f"http.listen=inet:127.0.0.1:{self.http}", "-o", f"store.uri={self.store}"]
        # However slow the machine is, nobody is let in for that.
        for setting in ("store.timeout_ms=50000", *self.settings):
            argv += ["-o", setting]
        self.log = open(f"{self.folder}/log", "ab")
        self.process = subprocess.Popen(argv, stdout=self.log, stderr=self.log)
        for port in self.policy, self.http:
            wait_for(lambda: socket.create_connection(("127.0.0.1", port), 1).close() or True)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(60)

    def close(self):
        if self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, **attributes):
        """One policy request; its reply."""
        request = {"request": "smtpd_access_policy", "protocol_state": "RCPT", "client_name": "unknown",
                   "helo_name": "mail.example.net"}
        request.update(attributes)
        text = "".join(f"{k}={v}\n" for k, v in request.items()) + "\n"
        with socket.create_connection(("127.0.0.1", self.policy), 60) as s:
            s.sendall(text.encode("utf-8", "surrogateescape"))
            return s.recv(4096).decode()

    def raw(self, data, timeout=60):
        """What comes back for DATA on one connection, until the server closes it or is silent."""
        with socket.create_connection(("127.0.0.1", self.http), timeout) as s:
            s.sendall(data)
            got = b""
            s.settimeout(timeout)
            try:
                while True:
                    part = s.recv(65536)
                    if not part:
                        break
                    got += part
            except (socket.timeout, ConnectionResetError):
                pass
            return got

    def get(self, path, host="localhost", method="GET", headers="", version="HTTP/1.1"):
        """(status, headers, body) of one request."""
        data = f"{method} {path} {version}\r\n" + (f"Host: {host}\r\n" if host is not None else "")
        data += headers + "Connection: close\r\n\r\n"
        got = self.raw(data.encode("latin-1"))
        head, _, body = got.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        if len(lines[0].split(" ")) < 2:
            return 0, {}, got
        fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        return int(lines[0].split(" ")[1]), fields, body


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return True
        except OSError:
            pass
        time.sleep(0.05)
    return False
