"""The mail server's side of the milter protocol, as Postfix speaks it (version 6), for tests and benchmarks."""
import os, socket, struct, subprocess

from policy import BUILD, PATIENCE, connect, free_port, wait_until

MILTER = os.path.join(BUILD, "policyd", "greylag-milter")

VERSION = 6
ACTIONS = 0x1ff
PROTOCOL = 0x1fffff
# Commands that the filter may leave without a reply.
NR = {"L": 0x80, "C": 0x1000, "H": 0x2000, "M": 0x4000, "R": 0x8000, "N": 0x40000, "B": 0x80000}
SKIP = 0x400
LEADING_SPACE = 0x100000
CHUNK = 65535
VERDICTS = {b"c": "continue", b"a": "accept", b"r": "reject", b"t": "tempfail", b"d": "discard", b"y": "reply",
            b"s": "skip"}


def packet(command, data=b""):
    return struct.pack(">I", len(data) + 1) + command.encode() + data


def z(*texts):
    return b"".join((t if isinstance(t, bytes) else t.encode()) + b"\0" for t in texts)


def split(message):
    """Bytes of a message with LF line ends -> fields (name, value as it stands), body with CR LF."""
    header, _, body = message.partition(b"\n\n")
    fields = []
    for line in header.split(b"\n"):
        if line[:1] in b" \t" and fields:
            fields[-1][1] += b"\n" + line
        elif line:
            name, _, value = line.partition(b":")
            fields.append([name, value])
    return fields, body.replace(b"\n", b"\r\n")


class Closed(Exception):
    pass


class Mta:
    """One connection. deliver() gives what became of a message."""

    def __init__(self, address, actions=ACTIONS, protocol=PROTOCOL, patience=PATIENCE):
        self.socket = connect(address)
        self.socket.settimeout(patience)
        if not isinstance(address, str):
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""
        self.protocol = protocol
        self.symbols = b""
        if protocol is not None:
            self.negotiate(actions, protocol)

    def negotiate(self, actions=ACTIONS, protocol=PROTOCOL):
        self.send("O", struct.pack(">III", VERSION, actions, protocol))
        command, data = self.receive()
        assert command == b"O", command
        _, self.actions, self.protocol = struct.unpack(">III", data[:12])
        self.symbols = data[12:]

    def send(self, command, data=b""):
        self.raw(packet(command, data))

    def raw(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Closed from error

    def take(self, n):
        while len(self.rest) < n:
            try:
                data = self.socket.recv(65536)
            except ConnectionError as error:
                raise Closed from error
            if not data:
                raise Closed
            self.rest += data
        data, self.rest = self.rest[:n], self.rest[n:]
        return data

    def receive(self):
        length, = struct.unpack(">I", self.take(4))
        data = self.take(length)
        return data[:1], data[1:]

    def ask(self, command, data=b""):
        """The reply's verdict, or "continue" where none was agreed on."""
        self.send(command, data)
        if self.protocol & NR.get(command, 0):
            return "continue"
        return VERDICTS[self.receive()[0]]

    def macros(self, command, **values):
        names = [n if len(n) == 1 or n == "_" else "{%s}" % n for n in values]
        pairs = [x for pair in zip(names, values.values()) for x in pair]
        self.send("D", command.encode() + z(*pairs))

    def connect(self, address="192.0.2.1", name="unknown", resolve="OK", port=40000):
        self.macros("C", j="mx.example.net", client_addr=address, client_name=name, client_resolve=resolve)
        family = b"6" if ":" in address else b"4"
        return self.ask("C", z(name) + family + struct.pack(">H", port) + z(address))

    def helo(self, name="mail.example.org"):
        return self.ask("H", z(name))

    def envelope(self, sender="sender@example.org", recipients=("al@example.net",), user=None, mailer="smtp",
                 to_mailer="virtual"):
        values = {"i": "4XQ", "mail_mailer": mailer}
        if user:
            values["auth_authen"] = user
        self.macros("M", **values)
        self.ask("M", z(f"<{sender}>"))
        for recipient in recipients:
            self.macros("R", i="4XQ", rcpt_mailer=to_mailer)
            self.ask("R", z(f"<{recipient}>"))

    def fields(self, fields):
        for name, value in fields:
            if not self.protocol & LEADING_SPACE:
                value = value.lstrip(b" ")
            self.ask("L", z(name, value))
        self.ask("N")

    def body(self, body):
        for at in range(0, len(body), CHUNK):
            if self.ask("B", body[at:at + CHUNK]) == "skip":
                return at
        return len(body)

    def end(self):
        """(verdict, changes): changes as (command, data)."""
        self.send("E")
        changes = []
        while True:
            command, data = self.receive()
            if command in VERDICTS:
                return (data.rstrip(b"\0").decode() if command == b"y" else VERDICTS[command]), changes
            if command != b"p":
                changes.append((command.decode(), data))

    def message(self, message, **envelope):
        """One more message on a connection that has said HELO."""
        self.envelope(**envelope)
        fields, body = split(message)
        self.fields(fields)
        self.body(body)
        return self.end()

    def abort(self):
        self.send("A")

    def close(self):
        try:
            self.send("Q")
        except Closed:
            pass
        self.socket.close()


def deliver(address, message, client=None, patience=PATIENCE, **envelope):
    """One message over a connection of its own: (verdict, changes)."""
    mta = Mta(address, patience=patience)
    mta.connect(**(client or {}))
    mta.helo()
    result = mta.message(message, **envelope)
    mta.close()
    return result


def field(changes):
    """The value of the X-Greylag field that was put in; None without one."""
    for command, data in changes:
        if command == "i" and data[4:].startswith(b"X-Greylag\0"):
            return data[4:].split(b"\0")[1].decode().strip()
    return None


def removed(changes):
    """The numbers of the X-Greylag fields that were taken out."""
    return [struct.unpack(">I", data[:4])[0] for command, data in changes
            if command == "m" and data[4:] == b"X-Greylag\0\0"]


def can_run(tap, root=False):
    """Whether there is a greylag-milter, and the right to start a Postfix; else it is told."""
    missing = None
    if not os.path.exists(MILTER):
        missing = "greylag-milter was built without libmilter"
    elif root and os.getuid() != 0:
        missing = "a Postfix of one's own needs root"
    if missing and os.environ.get("GREYLAG_SKIP_IS_FAILURE"):
        tap.ok(False, "greylag-milter", missing)
    elif missing:
        tap.skip("greylag-milter", missing)
    return not missing


class Milter:
    """A greylag-milter of one's own, in the foreground, on a port or a socket."""

    def __init__(self, tap, *options, store="store", listen=None, wait=True):
        self.tap = tap
        self.port = free_port()
        self.address = listen or ("127.0.0.1", self.port)
        self.log_path = tap.path(f"milter-{self.port}.log")
        where = f"unix:{listen}" if listen else f"inet:127.0.0.1:{self.port}"
        if not os.path.exists(tap.path("empty.conf")):
            open(tap.path("empty.conf"), "w").close()
        self.arguments = [MILTER, "-f", "-c", tap.path("empty.conf"), "-o", f"milter.listen={where}",
                          "-o", f"store.uri=lmdb:{tap.path(store)}", "-o", "policy.user="]
        for option in options:
            self.arguments += ["-o", option]
        self.start(wait)
        tap.daemons.append(self)

    def start(self, wait=True):
        with open(self.log_path, "ab") as log:
            begin = log.tell()
            self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait:
            assert wait_until(lambda: "is ready" in self.log()[begin:]), self.log()
            assert wait_until(lambda: " is open" in self.log()[begin:]), self.log()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def child(self):
        out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True)
        return [int(pid) for pid in out.stdout.split()]

    def only_child(self):
        """The serving process, once there is neither its predecessor besides nor a gap before it."""
        child, = wait_until(lambda: children if len(children := self.child()) == 1 else None) or self.child()
        return child

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        return self.process.wait(timeout=PATIENCE)

    def stop(self):
        self.process.terminate()
        return self.wait()

    def kill(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
