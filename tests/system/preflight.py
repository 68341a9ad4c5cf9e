#!/usr/bin/env python3
"""The first contact: what --check-config says a start does, and a start that fails leaves nothing behind."""
import os, pwd, signal, socket, subprocess, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from policy import GREYLAGCTL, GREYLAGD, Daemon, Tap, free_port, run, verb, wait_until
from mta import MILTER

ROOT = os.geteuid() == 0


def write(path, text, mode=0o644):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


def started(argv):
    """Exit status and errors of a program that shall not start."""
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        _, err = child.communicate(timeout=60)
    finally:
        child.kill()
    return child.returncode, err.decode()


def faults(tap):
    """Each by --check-config, and by a start, which says the same."""
    private = write(tap.path("private"), "example.org\n", 0o600)
    user = "nobody" if ROOT else ""
    rows = [
        # name, the configuration's second line, what is told of it, whether a program bears it
        ("a statistics page for all", "[http]", "listen = inet:0.0.0.0:{port}",
         ": http.listen: inet:0.0.0.0:{port} is not a loopback address", False),
        ("a log in a folder that is not there", "[log]", "target = /nonexistent/log",
         ": log.target: /nonexistent/log: No such file or directory", False),
        ("a list that is not there", "[whitelist]", "recipients = /nonexistent/list",
         ": whitelist.recipients: /nonexistent/list: No such file or directory", False),
        ("a socket in a folder that is not there", "[policy]", "listen = unix:/nonexistent/socket",
         ": policy.listen: unix:/nonexistent/socket: cannot listen: No such file or directory", False),
        ("a store that cannot be made", "[store]", "uri = lmdb:/nonexistent/there/store",
         ": store.uri: /nonexistent/there/store: No such file or directory", False),
    ]
    if ROOT:
        rows += [
            ("a user who does not exist", "[policy]", "user = no-such-user",
             ': policy.user: there is no user "no-such-user"', False),
            ("a list that only root can read", "[whitelist]", f"clients = {private}",
             f": whitelist.clients: {private}: Permission denied (as user nobody)", False),
            ("a password that only root can read", "[store]", f"password_file = {private}",
             f": store.password_file: {private}: Permission denied (as user nobody)", True),
        ]
    for name, section, line, expected, borne in rows:
        port = free_port()
        config = write(tap.path("faulty.conf"), f"{section}\n{line.format(port=port)}\n")
        place = f"greylagd: {config}:2" + expected.format(port=port)
        more = []
        for key, value in {"http.listen": "off", "policy.listen": f"unix:{tap.path('faulty.sock')}",
                           "policy.user": user, "store.uri": f"lmdb:{tap.path('faulty.store')}"}.items():
            if not (section == f"[{key.split('.')[0]}]" and line.startswith(key.split(".")[1] + " ")):
                more += ["-o", f"{key}={value}"]
        status, out, err = run(GREYLAGD, "-c", config, *more, "--check-config")
        tap.ok(status == 2 and place in err and out == "", f"{name}: --check-config names file, line, key and reason",
               f"expected {place}", status, out, err)
        if borne:
            continue
        foreground = [] if section == "[log]" else ["-f"]
        status, err = started([GREYLAGD, *foreground, "-c", config, *more])
        tap.ok(status == 2 and place in err, "and a start refuses it with the same words", status, err)
        tap.ok(not os.path.exists(tap.path("faulty.sock")) and not os.path.exists(tap.path("faulty.store")),
               "and leaves neither socket nor store behind", os.listdir(tap.folder))
    if os.path.exists(MILTER):
        status, _, err = run(MILTER, "-c", write(tap.path("milter.conf"), "[milter]\nlisten = unix:/nonexistent/m\n"),
                             "-o", "policy.user=", "-o", f"store.uri=lmdb:{tap.path('m')}", "--check-config")
        tap.ok(status == 2 and "milter.conf:2: milter.listen: unix:/nonexistent/m: cannot listen" in err,
               "greylag-milter checks its own", status, err)
    good = write(tap.path("good.conf"), "")
    for program in [GREYLAGD] + [MILTER] * os.path.exists(MILTER):
        tap.equal(run(program, "-c", good, "-o", f"policy.user={user}", "-o", f"store.uri=lmdb:{tap.path('g')}",
                      "--check-config"), (0, "the configuration is good\n", ""),
                  os.path.basename(program) + ": a good one is called good")
    tap.ok(not os.path.exists(tap.path("g")), "and a check makes nothing")


def late_failure(tap):
    """What only shows after the socket was made."""
    taken = socket.create_server(("127.0.0.1", 0))
    address = f"inet:127.0.0.1:{taken.getsockname()[1]}"
    path = tap.path("late.sock")
    daemon = Daemon(tap, "late", listen=f"unix:{path} {address}").start(ready=None)
    tap.ok(daemon.wait() == 2 and f"{address}: cannot listen: Address already in use" in daemon.log(),
           "a port that is taken is told", daemon.log())
    tap.has(daemon.log(), f"by {open('/proc/self/comm').read().strip()} (process {os.getpid()})", "and who has it")
    tap.ok(not os.path.exists(path), "the socket that was made before is removed")
    taken.close()


def sockets(tap):
    if not ROOT:
        tap.skip("sockets that Postfix cannot open", "needs root")
        return
    folder = tap.path("sockets")
    os.mkdir(folder, 0o755)
    for mode, folder_mode, expected in (("0660", 0o755, "user postfix cannot connect to it (root:root 0660)"),
                                        ("0666", 0o700, f"user postfix cannot come into its folder {folder} (root:root"),
                                        ("0666", 0o755, None)):
        os.chmod(folder, folder_mode)
        daemon = Daemon(tap, "socket", f"policy.socket_mode={mode}", listen=f"unix:{folder}/policy").start()
        told = "user postfix" in daemon.log()
        tap.ok(expected in daemon.log() and "mend it with" in daemon.log() if expected else not told,
               f"a socket of mode {mode} in a folder of mode {folder_mode:o}: "
               + ("what shuts Postfix out, and what mends it" if expected else "nothing to warn of"), daemon.log())
        daemon.stop()


def log_file(tap):
    if not ROOT:
        tap.skip("a log file that root makes", "needs root")
        return
    nobody = pwd.getpwnam("nobody").pw_uid
    folder, config = tap.path("logs"), write(tap.path("log.conf"), "")
    os.mkdir(folder, 0o755)
    log, store, port = os.path.join(folder, "log"), tap.path("log.store"), free_port()
    options = ["-c", config, "-o", f"store.uri=lmdb:{store}", "-o", f"policy.listen=inet:127.0.0.1:{port}"]
    tap.equal(run(GREYLAGD, *options, "-o", f"log.target={log}", "-o", "policy.user=nobody", "-o", "http.listen=off")[0],
              0, "a daemon in the background")
    tap.ok(wait_until(lambda: run(GREYLAGCTL, *options, "status")[0] == 0), "comes up", run(GREYLAGCTL, *options, "status"))
    with open(os.path.join(store, "greylagd.pid")) as f:
        pid = int(f.readline())
    try:
        tap.equal(os.stat(log).st_uid, nobody, "the log file that root has made is the daemon's user's")
        tap.equal(run(GREYLAGCTL, *options, "reload"), (0, "greylagd: the new configuration is in force\n", ""),
                  "so that a reload opens it again")
        with open(log) as f:
            tap.ok("Permission denied" not in f.read(), "without a complaint")
        os.rename(log, log + ".1")
        write(log, "", 0o640)
        os.chown(log, nobody, 0)
        run(GREYLAGCTL, *options, "reload")
        with open(log) as f:
            tap.has(f.read(), "read again", "after a rotation it goes on in the new one")
    finally:
        os.kill(pid, signal.SIGTERM)
    tap.ok(wait_until(lambda: not os.path.exists(f"/proc/{pid}")), "it stops")


def journal(tap):
    """systemd names in $JOURNAL_STREAM the stream that it has connected with the journal."""
    def stderr_of(argv, stop):
        with open(tap.path("journal"), "w+") as log:
            st = os.fstat(log.fileno())
            env = dict(os.environ, JOURNAL_STREAM=f"{st.st_dev}:{st.st_ino}")
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
            if stop:
                wait_until(lambda: "is ready" in open(tap.path("journal")).read())
                child.terminate()
            child.wait(60)
            return open(tap.path("journal")).read().splitlines()
    whatever = Daemon(tap, "journal")
    lines = stderr_of(whatever.argv, True)
    tap.ok(any(line.startswith("<6>greylagd: ") for line in lines) and all(line[0] == "<" for line in lines),
           "in the journal each line begins with its level", *lines)
    write(whatever.store + ".file", "in the way\n")
    lines = stderr_of([*whatever.argv, "-o", f"store.uri=lmdb:{whatever.store}.file"], True)
    tap.ok(any(line.startswith("<3>greylagd: ") and "mail is let in" in line for line in lines),
           "an error with that of errors", *lines)
    lines = stderr_of([*whatever.argv, "-o", "policy.listen=unix:/nonexistent/socket"], False)
    tap.ok(lines and all(line.startswith("<3>greylagd: ") for line in lines), "a start that fails, too", *lines)
    whatever.start()
    whatever.stop()
    tap.ok("<" not in whatever.log()[:1], "on another stream there is no such prefix", whatever.log())


def as_root(tap):
    if not ROOT:
        tap.skip("a store that root makes", "needs root")
        return
    nobody = pwd.getpwnam("nobody").pw_uid
    store = tap.path("by-root")
    options = [GREYLAGCTL, "-c", "/dev/null", "-o", f"store.uri=lmdb:{store}"]
    status, out, err = run(*options, "-o", "policy.user=no-such-user", "import", "/dev/null")
    tap.ok(status == 1 and "nobody else could read it" in err and "no-such-user" in err,
           "without the daemon's user root makes no store", status, out, err)
    tap.ok(not os.path.exists(store), "none at all")
    for name in ("not there", "empty and root's"):
        tap.equal(run(*options, "-o", "policy.user=nobody", "import", "/dev/null")[0], 0, f"a folder that is {name}")
        owners = {os.stat(os.path.join(root, name)).st_uid for root, _, names in os.walk(store) for name in [*names, "."]}
        tap.equal(owners, {nobody}, "becomes that user's, with all that is in it")
        for name in os.listdir(store):
            os.unlink(os.path.join(store, name))
        os.chown(store, 0, 0)
    daemon = Daemon(tap, "given", "policy.user=nobody", store=store).start()
    tap.equal(verb(daemon.ask()), "DEFER_IF_PERMIT", "a start does the same")
    tap.equal(daemon.stop(), 0, "and stops cleanly")


with Tap() as tap:
    faults(tap)
    late_failure(tap)
    sockets(tap)
    log_file(tap)
    journal(tap)
    as_root(tap)
