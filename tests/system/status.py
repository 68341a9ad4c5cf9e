#!/usr/bin/env python3
"""What greylagctl status and reload say of the programs that run: true, and in time, whatever has happened to them."""
import json, os, signal, subprocess, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from policy import GREYLAGCTL, Daemon, Tap, free_port, run, verb, wait_until
from mta import Milter, can_run


def write(path, text):
    with open(path, "w") as f:
        f.write(text)
    return path


def options(daemon):
    return [GREYLAGCTL, "-c", daemon.config, "-o", f"store.uri=lmdb:{daemon.store}",
            "-o", f"policy.listen=inet:127.0.0.1:{daemon.port}"]


def ctl(daemon, *arguments, **more):
    """(exit status, lines of standard output, standard error)"""
    status, out, err = run(*options(daemon), *arguments, **more)
    return status, out.splitlines(), err


def first(daemon):
    """The exit status and the first line of status."""
    status, lines, _ = ctl(daemon, "status")
    return status, lines[0] if lines else ""


def says(tap, daemon, expected, part, name, *absent):
    """Within the second or so that the daemon takes to notice."""
    def good():
        status, line = first(daemon)
        return status == expected and part in line and not any(word in line for word in absent)
    return tap.ok(wait_until(good), name, f"expected {expected}, {part!r}", *first(daemon), daemon.log())


def unchanged(daemon):
    """The pid file is written where something changes, not by requests."""
    path = os.path.join(daemon.store, "greylagd.pid")
    return os.stat(path).st_mtime_ns


def alive(tap):
    daemon = Daemon(tap, "alive").start()
    says(tap, daemon, 0, "greylagd runs since ", "all is well: since when it runs, exit status 0")
    tap.has(first(daemon)[1], ", greylisting", "and what mail experiences")
    before = unchanged(daemon)
    client = daemon.client()
    for _ in range(100):
        client.ask()
    client.close()
    tap.equal(unchanged(daemon), before, "no request writes the pid file")
    with open(os.path.join(daemon.store, "greylagd.pid")) as f:
        tap.equal(f.readline(), f"{daemon.process.pid}\n", "whose first line is the process id, as ever")
    shown = json.loads("\n".join(ctl(daemon, "status", "--json")[1]))
    told = shown["programs"]["greylagd"]
    tap.equal([shown["status"], told["running"], told["condition"], told["answers_at"], told["generation"]],
              [0, True, "greylisting", f"inet:127.0.0.1:{daemon.port}", 1], "the same facts as JSON")
    tap.ok(shown["store"]["driver"] == "lmdb" and shown["version"] == 1, "beside those of the store", shown)
    tap.equal(shown["programs"]["greylag-milter"], None, "and no word of a milter that nobody has set up")
    tap.equal(ctl(daemon, "status", "--nonsense")[0], 3, "wrong usage is neither of the three")

    daemon.signal(signal.SIGSTOP)
    began = time.monotonic()
    status, line = first(daemon)
    took = time.monotonic() - began
    daemon.signal(signal.SIGCONT)
    tap.ok(status == 2 and "does not answer" in line and "Postfix lets all mail in" in line,
           "a daemon that hangs is found out", status, line)
    tap.ok(took < 12, "in seconds", took)
    says(tap, daemon, 0, "greylagd runs since", "and one that goes on again, too")
    tap.equal(daemon.stop(), 0, "it stops cleanly")
    tap.equal(first(daemon), (2, "greylagd is not running: Postfix lets all mail in (default_action)"),
              "a stopped one is told, and the exit status is 2")
    daemon.start()
    daemon.kill()
    tap.equal(first(daemon)[0], 2, "so is one that was killed: what it has left behind deceives nobody")
    for mode, words in {"observe": "observing", "off": "greylisting is off"}.items():
        other = Daemon(tap, mode, f"greylist.mode={mode}").start()
        says(tap, other, 0, words, f"greylist.mode = {mode} is told, and is well")
        other.stop()


def shut_out(tap):
    if os.geteuid() != 0:
        tap.skip("a store that the daemon may not read", "needs root")
        return
    daemon = Daemon(tap, "shut", "policy.user=nobody").start()
    tap.equal(verb(daemon.ask()), "DEFER_IF_PERMIT", "a store of nobody's")
    daemon.stop()
    os.chown(daemon.store, 0, 0)
    daemon.start()
    tap.equal(daemon.ask(), "DUNNO", "its folder is closed: mail is let in")
    says(tap, daemon, 1, "greylagd lets all mail in since ", "status says so, and exits 1")
    tap.has(first(daemon)[1], "because the store cannot be opened:", "and why")
    tap.has(first(daemon)[1], "Permission denied", "to the letter")
    tap.has(daemon.log(), "(as user nobody)", "the log says at the start whom the folder shuts out")
    status, lines, err = ctl(daemon, "status", user="nobody", group="nogroup")
    tap.ok(status == 1 and "greylagd answers at inet:" in lines[0] and "Permission denied" in lines[0],
           "who may not read the store hears that the daemon answers", status, lines, err)
    tap.ok("Permission denied" in err, "and why there is no more", err)
    os.chown(daemon.store, 65534, 65534)
    says(tap, daemon, 0, ", greylisting", "opened again it is well again, without a restart")
    tap.equal(daemon.stop(), 0, "it stops cleanly")


def reload(tap):
    whitelist = write(tap.path("clients"), "192.0.2.10\n")
    config = f"[whitelist]\nclients = {whitelist}\n"
    daemon = Daemon(tap, "reload", config=config)
    status, lines, err = ctl(daemon, "reload")
    tap.ok(status == 1 and "neither" in err, "nobody runs, nobody reloads", status, lines, err)
    daemon.start()
    tap.equal(ctl(daemon, "reload"), (0, ["greylagd: the new configuration is in force"], ""),
              "reload tells the daemon's answer")
    tap.has(daemon.log(), "read again", "which is true")
    tap.equal(json.loads("\n".join(ctl(daemon, "status", "--json")[1]))["programs"]["greylagd"]["generation"], 2,
              "and is a new generation")
    os.unlink(whitelist)
    status, lines, err = ctl(daemon, "reload")
    tap.equal((status, lines), (1, [f"greylagd: refused, the old one stays in force: {daemon.config}:2: "
                                    f"whitelist.clients: {whitelist}: No such file or directory"]),
              "a refusal comes with its reason, by file, line and key, and fails")
    status, lines, _ = ctl(daemon, "status")
    tap.ok(status == 1 and "refused" in lines[1] and whitelist in lines[2], "status remembers it", status, lines[:4])
    write(whitelist, "192.0.2.11\n")
    write(daemon.config, config + "[policy]\nsocket_mode = 0666\n[http]\nsocket_mode = 0666\n")
    for n in ("", " also the second time"):
        status, lines, err = ctl(daemon, "reload")
        tap.equal((status, lines), (0, ["greylagd: the new configuration is in force, but a restart is needed for: "
                                        "policy.socket_mode http.socket_mode"]), "what needs a restart is told" + n)
    tap.equal(daemon.log().count("policy.socket_mode has changed: restart"), 2, "in the log, too")
    says(tap, daemon, 0, ", greylisting", "the refusal is forgotten")
    write(daemon.config, config + "[greylist]\nmode = observe\n")
    tap.equal(ctl(daemon, "reload")[:2], (0, ["greylagd: the new configuration is in force"]), "what was undone is not")
    tap.has(first(daemon)[1], "observing", "another mode is told at once")

    daemon.signal(signal.SIGSTOP)
    waiting = subprocess.Popen([*options(daemon), "reload"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    tap.ok(wait_until(lambda: pending(daemon.process.pid)), "the signal has arrived")
    daemon.kill()
    out, _ = waiting.communicate(timeout=60)
    tap.equal((waiting.returncode, out.decode()), (1, "greylagd: has ended meanwhile\n"),
              "one that ends before it has answered has not")

    if os.geteuid() != 0:
        tap.skip("a list that only root can read", "needs root")
        return
    os.chmod(whitelist, 0o644)
    daemon = Daemon(tap, "private", "policy.user=nobody", config=config).start()
    os.chmod(whitelist, 0o600)
    status, lines, _ = ctl(daemon, "reload")
    tap.ok(status == 1 and lines[0].endswith(f"{whitelist}: Permission denied"),
           "root's tool does not say that nobody's daemon can read a list that it cannot", status, lines)
    tap.equal(verb(daemon.ask(client="192.0.2.11")), "DUNNO", "the old one is in force")
    daemon.stop()


def pending(pid):
    with open(f"/proc/{pid}/status") as f:
        fields = dict(line.split(":\t", 1) for line in f.read().splitlines() if ":\t" in line)
    return (int(fields["SigPnd"], 16) | int(fields["ShdPnd"], 16)) >> (signal.SIGHUP - 1) & 1


def milter(tap):
    if not can_run(tap):
        return
    program = Milter(tap)
    store = tap.path("store")
    arguments = [GREYLAGCTL, "-c", tap.path("empty.conf"), "-o", f"store.uri=lmdb:{store}",
                 "-o", f"policy.listen=inet:127.0.0.1:{free_port()}"]

    def line():
        out = run(*arguments, "status")[1].splitlines()
        return next((one for one in out if one.startswith("greylag-milter ")), "")

    def told():
        return json.loads(run(*arguments, "status", "--json")[1])["programs"]["greylag-milter"]
    tap.ok(wait_until(lambda: ", judging" in line()), "status has a line of the milter, too", line())
    tap.equal(told()["status"], 0, "that it is well")
    tap.equal(run(*arguments, "reload"), (0, "greylag-milter: the new configuration is in force\n", ""),
              "reload tells its answer")
    child = program.only_child()
    os.kill(child, signal.SIGKILL)
    tap.ok(wait_until(lambda: program.child() not in ([], [child]) and ", judging" in line()),
           "after the end of its serving process, too", line())
    write(tap.path("empty.conf"), "[whitelist]\nclients = /nonexistent/list\n")
    status, out, _ = run(*arguments, "reload")
    tap.ok(status == 1 and out.startswith("greylag-milter: refused, the old one stays in force: ")
           and "/nonexistent/list: No such file" in out, "it refuses what is wrong", status, out)
    tap.equal(told()["status"], 1, "and that is remembered")
    write(tap.path("empty.conf"), "")
    run(*arguments, "reload")
    program.stop()
    tap.ok(wait_until(lambda: "not running" in line()), "a milter that has stopped is missed", line())
    tap.equal(told()["status"], 2, "as something that is down")
    for name in os.listdir(store):
        if name.endswith(".mdb"):
            write(os.path.join(store, name), "no store\n" * 1000)
    program.start(wait=False)
    tap.ok(wait_until(lambda: "lets all mail in without a verdict since" in line() and "because" in line()),
           "without a store it says what mail experiences", line(), program.log())
    tap.equal(told()["condition"], "unjudged", "as JSON as well")
    program.kill()


with Tap() as tap:
    alive(tap)
    shut_out(tap)
    reload(tap)
    milter(tap)
