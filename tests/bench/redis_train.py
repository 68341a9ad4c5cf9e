#!/usr/bin/env python3
"""Training a corpus into Redis: greylag beside rspamd's Bayes, in one run on one machine.

usage: redis_train.py [--build DIR] [--runs N] [--durable] [--latency] INDEX
INDEX has lines "ham|spam PATH", as contrib/fetch-corpus makes it. Each filter gets a redis-server of its own with the
same options: no persistence, or with --durable "appendonly yes" and "appendfsync always". rspamd is Debian's with its
own configuration but for the server's address and ports, and for the condition by which it learns nothing that it
judges rightly already; all of the corpus is given to its controller by "rspamc -n 8 learn_ham" and "learn_spam", as
its manual says. greylag gets it by "greylag train --ham ...
--spam ...", which starts a process, too. Printed: messages learned, seconds, used_memory, bytes a token, and the
ratios; the best of so many runs. --latency adds how long another client of the server had to wait while greylag
trained.
"""
import argparse, json, os, re, resource, shutil, signal, socket, subprocess, sys, tempfile, threading, time

import cases

PORTS = {"rspamd redis": 21401, "greylag redis": 21402, "controller": 21411}
PASSWORD = "bench"


def wait_for(port, process):
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None:
                sys.exit(f"{process.args[0]} ended with status {process.returncode}")
            time.sleep(0.05)
    sys.exit(f"{process.args[0]} does not listen")


def cpu_of(parent):
    """Seconds of a process and those that it has started."""
    ticks, pids = 0, [parent]
    while pids:
        pid = pids.pop()
        try:
            with open(f"/proc/{pid}/stat") as f:
                ticks += sum(map(int, f.read().rsplit(") ", 1)[1].split()[11:13]))
            with open(f"/proc/{pid}/task/{pid}/children") as f:
                pids += f.read().split()
        except FileNotFoundError:
            pass
    return ticks / os.sysconf("SC_CLK_TCK")


class Redis:
    def __init__(self, folder, port, durable):
        os.mkdir(folder)
        self.port = port
        options = ["--appendonly", "yes", "--appendfsync", "always"] if durable else ["--appendonly", "no"]
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "redis-server", "--port", str(port), "--bind", "127.0.0.1",
             "--dir", folder, "--save", "", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(port, self.process)
        self.empty = self.memory()

    def ask(self, *command):
        return subprocess.run(["redis-cli", "-p", str(self.port), *command], capture_output=True, text=True).stdout

    def info(self, section, field):
        return int(re.search(rf"^{field}:(\d+)", self.ask("INFO", section), re.M).group(1))

    def memory(self):
        return self.info("memory", "used_memory")

    def cpu(self):
        return cpu_of(self.process.pid)

    def clear(self):
        self.ask("FLUSHALL")

    def stop(self):
        self.process.kill()
        self.process.wait()


class Rspamd:
    """Debian's rspamd with its own configuration, and a server of its own."""

    def __init__(self, folder, redis):
        conf = os.path.join(folder, "conf")
        shutil.copytree("/etc/rspamd", conf)
        local = {
            "redis.conf": f'servers = "127.0.0.1:{redis.port}";',
            # Its own condition refuses what it judges rightly already: two thirds of the spam.
            "classifier-bayes.conf": f'servers = "127.0.0.1:{redis.port}"; backend = "redis"; '
                                     'learn_condition = "return function() return true end";',
            "worker-controller.inc": f'bind_socket = "127.0.0.1:{PORTS["controller"]}"; password = "{PASSWORD}"; '
                                     'secure_ip = "127.0.0.1";',
            "worker-normal.inc": "enabled = false;",
            "worker-proxy.inc": "enabled = false;",
            "worker-fuzzy.inc": "enabled = false;",
            # What has nothing to do with learning, and would ask the network.
            "rbl.conf": "enabled = false;", "fuzzy_check.conf": "enabled = false;", "asn.conf": "enabled = false;",
            "neural.conf": "enabled = false;", "history_redis.conf": "enabled = false;",
        }
        for name, text in local.items():
            with open(os.path.join(conf, "local.d", name), "w") as f:
                f.write(text + "\n")
        for name in ("run", "log", "db"):
            os.mkdir(os.path.join(folder, name))
        os.chmod(folder, 0o755)
        for path, _, _ in os.walk(folder):
            shutil.chown(path, "_rspamd", "_rspamd")
        self.log = os.path.join(folder, "log", "rspamd.log")
        variables = [f"--var={name}={os.path.join(folder, where)}" for name, where in
                     (("CONFDIR", "conf"), ("LOCAL_CONFDIR", "conf"), ("RUNDIR", "run"), ("LOGDIR", "log"),
                      ("DBDIR", "db"))]
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd",
             "-c", os.path.join(conf, "rspamd.conf"), *variables],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(PORTS["controller"], self.process)

    def learn(self, label, paths):
        argv = ["rspamc", "-h", f"127.0.0.1:{PORTS['controller']}", "-P", PASSWORD, "-n", "8", "-t", "60", f"learn_{label}"]
        out = subprocess.run(["xargs", "-0", *argv], input="\0".join(paths), capture_output=True, text=True).stdout
        return out.count("success = true")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


class Latency:
    """How long PING takes another client."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.times, self.going = [], True
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while self.going:
            start = time.monotonic()
            self.socket.sendall(b"PING\r\n")
            self.socket.recv(64)
            self.times.append(time.monotonic() - start)
            time.sleep(0.002)

    def stop(self):
        self.going = False
        self.thread.join()
        self.times.sort()
        return [1000 * self.times[int(len(self.times) * share)] for share in (0.5, 0.99)] + [1000 * self.times[-1]]


def train_rspamd(rspamd, redis, corpus):
    redis.clear()
    start, cpu = time.monotonic(), redis.cpu() + cpu_of(rspamd.process.pid)
    learned = sum(rspamd.learn(label, corpus[label]) for label in ("ham", "spam"))
    return {"learned": learned, "seconds": time.monotonic() - start, "bytes": redis.memory() - redis.empty,
            "cpu": redis.cpu() + cpu_of(rspamd.process.pid) - cpu}


def train_greylag(build, redis, corpus, latency):
    redis.clear()
    store = f"redis://127.0.0.1:{redis.port}"
    greylag = [os.path.join(build, "classifier", "greylag"), "-c", "/dev/null", "-d", store]
    probe = Latency(redis.port) if latency else None
    start, cpu, own = time.monotonic(), redis.cpu(), resource.getrusage(resource.RUSAGE_CHILDREN)
    out = subprocess.run([*greylag, "train", "--ham", *corpus["ham"], "--spam", *corpus["spam"]],
                         capture_output=True, text=True)
    seconds = time.monotonic() - start
    done = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = redis.cpu() - cpu + done.ru_utime + done.ru_stime - own.ru_utime - own.ru_stime
    waited = probe.stop() if probe else None
    if out.returncode:
        sys.exit(out.stderr)
    shown = json.loads(subprocess.run([*greylag, "status", "--json"], capture_output=True, text=True).stdout)
    return {"learned": int(re.match(r"trained (\d+)", out.stdout).group(1)), "seconds": seconds,
            "bytes": redis.memory() - redis.empty, "tokens": shown["tokens"], "waited": waited, "cpu": cpu}


def show(name, result):
    tokens = f", about {result['tokens']} tokens" if result.get("tokens") else ""
    print(f"{name:8} {result['learned']} messages learned in {result['seconds']:.1f} s "
          f"({result['learned'] / result['seconds']:.0f} a second, {result['cpu']:.1f} s of CPU time with the server's), used_memory {result['bytes'] / 1e6:.1f} MB{tokens}")
    if result.get("waited"):
        print("         meanwhile PING took a median of %.1f ms, 99 %% at most %.1f ms, once %.1f ms" % tuple(result["waited"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index")
    parser.add_argument("--build", default=".")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--durable", action="store_true")
    parser.add_argument("--latency", action="store_true")
    arguments = parser.parse_args()
    if not shutil.which("rspamd"):
        sys.exit("rspamd is missing (Debian: apt-get install rspamd)")
    corpus = {"ham": [], "spam": []}
    for label, path in cases.read_index(arguments.index):
        corpus[label].append(path)
    folder = tempfile.mkdtemp(prefix="greylag-redis-")
    os.chmod(folder, 0o755)
    running, results = [], {"rspamd": [], "greylag": []}
    try:
        for name in ("rspamd", "greylag"):
            running.append(Redis(os.path.join(folder, name), PORTS[name + " redis"], arguments.durable))
        os.mkdir(os.path.join(folder, "own"))
        running.append(Rspamd(os.path.join(folder, "own"), running[0]))
        for _ in range(arguments.runs):
            results["greylag"].append(train_greylag(arguments.build, running[1], corpus, arguments.latency))
            results["rspamd"].append(train_rspamd(running[2], running[0], corpus))
    finally:
        for process in reversed(running):
            process.stop()
        shutil.rmtree(folder, ignore_errors=True)
    best = {name: min(of, key=lambda result: result["seconds"]) for name, of in results.items()}
    for name, result in best.items():
        show(name, result)
    speed = {name: result["learned"] / result["seconds"] for name, result in best.items()}
    cpu = {name: result["learned"] / min(one["cpu"] for one in results[name]) for name, result in best.items()}
    print(f"greylag learns {speed['greylag'] / speed['rspamd']:.1f} times as fast, "
          f"{cpu['greylag'] / cpu['rspamd']:.1f} times as many messages a second of CPU time, "
          f"in {best['greylag']['bytes'] / best['rspamd']['bytes']:.2f} of the memory")


if __name__ == "__main__":
    main()
