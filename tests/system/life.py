#!/usr/bin/env python3
"""The life of greylagd: command line, configuration, signals, systemd, privileges, --stdio."""
import os, pwd, signal, socket, stat, subprocess, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from policy import GREYLAGD, Client, Daemon, Tap, connect, free_port, request, run, verb, wait_until

# Makes the descriptor given first number 3 and hands it over as systemd does.
ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def write(path, text):
    with open(path, "w") as f:
        f.write(text)
    return path


def command_line(tap):
    status, out, _ = run(GREYLAGD, "--version")
    tap.ok(status == 0 and out.startswith("greylagd "), "--version", status, out)
    status, out, _ = run(GREYLAGD, "--help")
    tap.ok(status == 0 and "--check-config" in out, "--help", status, out)
    tap.equal(run(GREYLAGD, "nonsense")[0], 2, "an argument too many is refused")

    bad = {
        "unknown key": ("[greylist]\n\ndealy = 60s\n", [":3:", "dealy"]),
        "bad value": ("# comment\n[greylist]\ndelay = soon\n", [":3:", "greylist.delay", "soon"]),
        "value out of range": ("[greylist]\nipv4_prefix = 33\n", [":2:", "greylist.ipv4_prefix", "8", "32"]),
        "word that is no choice": ("[greylist]\nmode = maybe\n", [":2:", "greylist.mode", "enforce", "observe", "off"]),
    }
    for name, (text, expected) in bad.items():
        path = write(tap.path("bad.conf"), text)
        status, out, err = run(GREYLAGD, "-c", path, "--check-config")
        tap.ok(status == 2 and all(part in err for part in [path] + expected),
               f"{name}: --check-config names file, line, key and what is allowed", status, err)
    tap.equal(run(GREYLAGD, "-f", "-c", path, "-o", f"store.uri=lmdb:{tap.path('none')}")[0], 2,
              "nothing starts on a bad configuration")
    tap.ok(not os.path.exists(tap.path("none")), "and no store is made")
    status, _, err = run(GREYLAGD, "-c", tap.path("missing.conf"), "--check-config")
    tap.ok(status == 2 and "missing.conf" in err, "a configuration that was named must exist", err)
    whitelist = write(tap.path("bad.whitelist"), "example.org\n/unfinished(/\n")
    empty = write(tap.path("empty.conf"), "")
    status, _, err = run(GREYLAGD, "-c", empty, "-o", f"whitelist.clients={whitelist}", "--check-config")
    tap.ok(status == 2 and whitelist in err and "2" in err, "a bad whitelist is named with its line", status, err)

    options = ["-o", "greylist.delay=90s", "-o", "greylist.text=4.2.0 Come  again, # in %s s",
               "-o", "policy.listen=inet:127.0.0.1:1 unix:/a", "-o", "store.map_size=1G", "-o", "policy.socket_mode=0600"]
    status, first, err = run(GREYLAGD, "-c", empty, *options, "--show-config")
    shown = write(tap.path("shown.conf"), first)
    tap.ok(status == 0 and "1G" in first and "unix:/a" in first, "--show-config shows what is in force", first, err)
    status, second, err = run(GREYLAGD, "-c", shown, "--show-config")
    tap.ok(status == 0 and first == second, "and can be read again without loss", err, first, second)
    sample = write(tap.path("sample.conf"), run(GREYLAGD, "--sample-config")[1])
    defaults = run(GREYLAGD, "-c", empty, "--show-config")[1]
    tap.equal(run(GREYLAGD, "-c", sample, "--show-config")[1], defaults, "the sample configuration changes nothing")
    sample = write(sample, "".join(
        line[1:] if line.startswith("#") and " = " in line and not line.startswith("# ") else line
        for line in open(sample).readlines()))
    tap.equal(run(GREYLAGD, "-c", sample, "--show-config")[1], defaults, "nor with every default taken out of its comment")


def signals(tap):
    daemon = Daemon(tap, "term").start()
    client = daemon.client()
    client.ask(sender="first@example.org")
    client.send(b"".join(request(sender=f"held-{word}@example.org") for word in ("a", "b", "c", "d")))
    daemon.signal(signal.SIGTERM)
    tap.equal([verb(client.reply()) for _ in range(4)], ["DEFER_IF_PERMIT"] * 4, "SIGTERM: what has arrived is answered")
    tap.ok(client.is_closed(), "then the connection is closed")
    tap.equal(daemon.wait(), 0, "and the exit status is 0")

    whitelist = write(tap.path("clients"), "192.0.2.10\n")
    config = f"[whitelist]\nclients = {whitelist}\n"
    daemon = Daemon(tap, "hup", config=config).start()
    client = daemon.client()

    def spared(address):
        return client.ask(client=address, sender=f"{address}@example.org") == "DUNNO"
    tap.equal((spared("192.0.2.10"), spared("192.0.2.11")), (True, False), "a whitelist is read at the start")
    write(whitelist, "192.0.2.11\n")
    daemon.signal(signal.SIGHUP)
    daemon.logs("read again")
    tap.equal((spared("192.0.2.10"), spared("192.0.2.11")), (False, True), "SIGHUP swaps it, on open connections too")
    write(whitelist, "192.0.2.12\n\n/unfinished(/\n")
    daemon.signal(signal.SIGHUP)
    daemon.logs("stays in force")
    tap.ok(f"{whitelist}:3" in daemon.log(), "a bad list: the log names file and line", daemon.log())
    tap.equal((spared("192.0.2.11"), spared("192.0.2.12")), (True, False), "and the old list stays")
    write(daemon.config, config + "[greylist]\nmode = perhaps\n")
    daemon.signal(signal.SIGHUP)
    tap.ok(daemon.logs(f"{daemon.config}:4"), "a bad configuration: the log names file and line", daemon.log())
    write(whitelist, "192.0.2.12\n")
    write(daemon.config, config + "[policy]\nlisten = inet:127.0.0.1:1\n[greylist]\nmode = off\n")
    daemon.argv = daemon.argv
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: daemon.log().count("read again") == 2)
    tap.ok(spared("192.0.2.99"), "a good one after bad ones is taken up")
    tap.equal(daemon.stop(), 0, "it stops cleanly after reloads")


def systemd(tap):
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(tap.path("notify"))
    notify.settimeout(60)
    os.chmod(tap.path("notify"), 0o666)
    port = free_port()
    listener = socket.create_server(("127.0.0.1", port))
    launcher = [sys.executable, "-c", ACTIVATE, str(listener.fileno())]
    daemon = Daemon(tap, "systemd", argv=launcher, pass_fds=[listener.fileno()],
                    env=dict(os.environ, NOTIFY_SOCKET=tap.path("notify")))
    early = Client(("127.0.0.1", port))
    early.send(request())
    daemon.start(ready=None)
    tap.equal(notify.recv(1000).decode(), "READY=1", "READY=1 when it is ready")
    if run(GREYLAGD, "--version")[0] == 0 and not wait_until(lambda: "is ready" in daemon.log()):
        raise RuntimeError(daemon.log())
    tap.equal(verb(early.reply()), "DEFER_IF_PERMIT", "a socket from systemd is served, whoever connected before")
    tap.ok(not can_connect(daemon.address), "and policy.listen is not listened on besides")
    daemon.signal(signal.SIGHUP)
    told = notify.recv(1000).decode(), notify.recv(1000).decode()
    tap.ok(told[0].startswith("RELOADING=1") and told[1].startswith("READY=1"), "a reload is told", told)
    daemon.signal(signal.SIGTERM)
    tap.equal(notify.recv(1000).decode(), "STOPPING=1", "a stop is told")
    tap.equal(daemon.wait(), 0, "and is clean")
    listener.close()


def watchdog(tap):
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(tap.path("watchdog"))
    notify.settimeout(60)
    os.chmod(tap.path("watchdog"), 0o666)
    daemon = Daemon(tap, "watched", env=dict(os.environ, NOTIFY_SOCKET=tap.path("watchdog"), WATCHDOG_USEC="1000000"))
    began = time.monotonic()
    daemon.start()
    tap.equal(notify.recv(1000).decode(), "READY=1", "a service manager with a watchdog hears that it is ready")
    told = [notify.recv(1000).decode()]
    first = time.monotonic()
    told += [notify.recv(1000).decode() for _ in range(3)]
    last = time.monotonic()
    tap.equal(told, ["WATCHDOG=1"] * 4, "and then signs of life")
    # Of an idle daemon three intervals take a second and a half; the bound is ten times that.
    tap.ok(last - began > 1 and last - first < 15, "about twice as often as it wants them", (began, first, last))
    tap.equal(daemon.stop(), 0, "and that is no bar to a clean stop")


def can_connect(address):
    try:
        connect(address).close()
        return True
    except OSError:
        return False


def privileges(tap):
    if os.geteuid() != 0:
        tap.skip("privileges are dropped", "needs root")
        return
    nobody = pwd.getpwnam("nobody")
    daemon = Daemon(tap, "drop", "policy.user=nobody").start()
    tap.equal(verb(daemon.ask()), "DEFER_IF_PERMIT", "started as root with policy.user it serves")
    with open(f"/proc/{daemon.process.pid}/status") as f:
        status = dict(line.split(":\t", 1) for line in f.read().splitlines())
    tap.equal(set(status["Uid"].split()), {str(nobody.pw_uid)}, "all its user ids are that user's")
    tap.equal(set(status["Gid"].split()), {str(nobody.pw_gid)}, "all its group ids are")
    tap.equal(status["CapEff"].strip("0"), "", "it has no capabilities")
    tap.equal(status["NoNewPrivs"], "1", "and can get no new ones")
    owners = {os.stat(os.path.join(root, name)).st_uid
              for root, _, names in os.walk(daemon.store) for name in [*names, "."]}
    tap.equal(owners, {nobody.pw_uid}, "the store is that user's")
    tap.equal(stat.S_IMODE(os.stat(daemon.store).st_mode) & 0o077, 0, "and nobody else's")
    tap.equal(daemon.stop(), 0, "it stops cleanly")
    wrong = Daemon(tap, "wrong", "policy.user=no-such-user").start(ready=None)
    tap.ok(wrong.wait() == 2 and "no-such-user" in wrong.log(), "an unknown user is refused", wrong.log())


def stdio(tap):
    config = write(tap.path("stdio.conf"), "")
    argv = [GREYLAGD, "--stdio", "-c", config, "-o", f"store.uri=lmdb:{tap.path('stdio.store')}", "-o", "policy.user=",
            "-o", "greylist.delay=0", "-o", f"log.target={tap.path('stdio.log')}"]
    replies = []
    children = [subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                for _ in range(4)]
    for child in children:
        child.stdin.write(request(sender="stdio@example.org"))
        child.stdin.flush()
        replies.append(child.stdout.readline().decode().split(" ")[0].strip() + child.stdout.readline().decode())
    tap.equal(replies, ["action=DEFER_IF_PERMIT\n", "action=PREPEND\n", "action=DUNNO\n", "action=DUNNO\n"],
              "--stdio: several processes share one store")
    rest = [child.communicate(b"", 15) for child in children]
    tap.equal([child.returncode for child in children], [0] * 4, "each ends with its input, status 0")
    tap.equal(rest, [(b"", b"")] * 4, "and nothing but replies comes out, on standard error neither")
    done = subprocess.run(argv, input=b"nonsense\n\n", capture_output=True, timeout=15)
    tap.equal(done.stdout, b"", "a malformed request gets no reply there either")


with Tap() as tap:
    command_line(tap)
    signals(tap)
    systemd(tap)
    watchdog(tap)
    privileges(tap)
    stdio(tap)
