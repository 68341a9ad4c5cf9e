#!/usr/bin/env python3
"""The log in normal work: contrib/logcheck knows every line of it, and logrotate takes it away in use."""
import os, re, shutil, signal, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from policy import BUILD, SOURCE, Daemon, Tap, run, wait_until
from mta import MILTER, Milter, deliver

RULES = os.path.join(SOURCE, "contrib", "logcheck", "greylag")
ROTATION = os.path.join(SOURCE, "contrib", "logrotate", "greylag")
DATA = os.path.join(SOURCE, "tests", "data")
STAMPS = ("Nov  5 09:07:01 mx", "2026-11-05T09:07:01.123456+01:00 mx.example.org")


def unknown(tap, log):
    """The lines that logcheck would report, as it finds them: by grep -E, from a file of rules."""
    with open(RULES) as f:
        rules = [line for line in f if not line.startswith("#") and line.strip()]
    with open(tap.path("rules"), "w") as f:
        f.writelines(rules)
    lines = [re.sub(r"^(greylag[a-z-]*): ", rf"{stamp} \1[1234]: ", line) for stamp in STAMPS for line in log.splitlines()]
    with open(tap.path("syslog"), "w") as f:
        f.write("".join(line + "\n" for line in lines))
    return run("grep", "-Evf", tap.path("rules"), tap.path("syslog"))[1].splitlines()


def policy_log(tap):
    daemon = Daemon(tap, "daily", "greylist.delay=0s", "greylist.auto_whitelist_after=2").start()
    mail = [
        dict(client="192.0.2.1", client_name="mx.example.org", helo_name="mx.example.org"),
        dict(client="192.0.2.1", client_name="mx.example.org", helo_name="mx.example.org"),
        dict(client="192.0.2.1", client_name="mx.example.org", helo_name="mx.example.org"),
        dict(client="2001:db8::25", sender=""),
        dict(client="192.0.2.2", sasl_username="joe doe"),
        dict(client="127.0.0.1"),
        dict(client="unknown"),
        dict(client="192.0.2.3", sender='"a b\\"= action=DUNNO"@example.org'),
        dict(client="192.0.2.4", sender="\u00e9@example.org"),
        dict(client="192.0.2.5", protocol_state="DATA"),
    ]
    for one in mail:
        daemon.ask(**one)
    daemon.signal(signal.SIGHUP)
    daemon.logs("was read again")
    tap.equal(daemon.log().count(" reason="), len(mail), "there are decisions in the log")
    daemon.stop()
    return daemon.log()


def milter_log(tap):
    run(os.path.join(BUILD, "classifier", "greylag"), "train", "-d", tap.path("store"), "--ham", f"{DATA}/ham",
        "--spam", f"{DATA}/spam")
    milter = Milter(tap, "milter.on_spam=reject")
    for name in ("ham-new.eml", "spam-new.eml"):
        with open(os.path.join(DATA, name), "rb") as f:
            deliver(milter.address, f.read())
    milter.signal(signal.SIGHUP)
    told = wait_until(lambda: "was read again" in milter.log() and milter.log().count(" verdict=") == 2)
    tap.ok(told, "so there are of the milter", milter.log())
    milter.signal(signal.SIGTERM)
    milter.process.wait()
    return milter.log()


def known(tap):
    tap.equal(unknown(tap, policy_log(tap)), [], "logcheck's rules know all that greylagd logs in normal work")
    if os.path.exists(MILTER):
        tap.equal(unknown(tap, milter_log(tap)), [], "and all that greylag-milter logs")


def reported(tap):
    """What somebody ought to look at is not hidden by a rule."""
    os.mkdir(tap.path("ill.store"))
    with open(tap.path("ill.store/policy.mdb"), "wb") as f:
        f.write(b"no store" * 1000)
    daemon = Daemon(tap, "ill").start()
    daemon.ask(client="192.0.2.1")
    client = daemon.client()
    client.send(b"no request\n\n")
    daemon.logs("malformed")
    left = unknown(tap, daemon.log())
    daemon.kill()
    for part, name in (("mail is let in until it opens", "a store that does not open"),
                       ("reason=store-unavailable", "mail that was let in for it"), ("malformed request", "a malformed request")):
        tap.ok([line for line in left if part in line], f"logcheck reports {name}", *left)


def read(path):
    with open(path) as f:
        return f.read()


def rotated(tap):
    logrotate = shutil.which("logrotate", path=os.environ.get("PATH", "") + ":/usr/sbin")
    name = "logrotate takes the log of a daemon in use"
    if not logrotate:
        if os.environ.get("GREYLAG_SKIP_IS_FAILURE"):
            tap.ok(False, name, "needs logrotate")
        else:
            tap.skip(name, "needs logrotate")
        return
    folder = tap.path("log")
    os.mkdir(folder, 0o750)
    log = os.path.join(folder, "greylag.log")
    # In the foreground it would log to standard error.
    daemon = Daemon(tap, "logged", "log.target=" + log)
    daemon.argv.remove("-f")
    daemon.start(ready=None)
    tap.ok(wait_until(lambda: os.path.exists(log) and "is ready" in read(log)), "there is a log file", daemon.log())
    pid = int(read(os.path.join(daemon.store, "greylagd.pid")).split("\n")[0])
    try:
        daemon.ask(client="192.0.2.1", sender="before@example.org")
        rules = read(ROTATION).replace("/var/log/greylag", folder)
        rules = re.sub(r"\tsu .*\n", "", rules)
        rules = re.sub(r"create .*", "create 0640", rules)
        rules = re.sub(r"systemctl kill .*", f"kill -HUP {pid}", rules)
        with open(tap.path("rotation"), "w") as f:
            f.write(rules)
        os.chmod(tap.path("rotation"), 0o644)
        status, out, err = run(logrotate, "-f", "-s", tap.path("rotation.state"), tap.path("rotation"))
        tap.ok(status == 0, "logrotate takes its example", out, err)
        tap.ok(wait_until(lambda: "was read again" in read(log)), "the daemon goes on in a new file")
        daemon.ask(client="192.0.2.1", sender="after@example.org")
        tap.ok(wait_until(lambda: "after@example.org" in read(log)), name, read(log))
        tap.has(read(log + ".1"), "before@example.org", "what was there before is kept")
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not os.path.exists(f"/proc/{pid}"))


def main():
    with Tap() as tap:
        known(tap)
        reported(tap)
        rotated(tap)


main()
