#!/usr/bin/env python3
"""The policy server against the floor, a bare LMDB loop and postgrey, in one run on one machine.

usage: policy.py [--build DIR] [--quick] [CASE ...]
Cases: known redis farm white new reputation mixed idle size expiry many. Without any: all but "many" (which fills ten million
triplets). Prints figures and ratios; judges nothing. Figures depend on the machine, ratios less.
"""
import argparse, json, os, pwd, shutil, signal, socket, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))


class Bench:
    def __init__(self, build, quick):
        self.build, self.quick = build, quick
        self.folder = tempfile.mkdtemp(prefix="greylag-bench-")
        self.children = []

    def program(self, name):
        return os.path.join(self.build, name)

    def close(self):
        for child in self.children:
            self.stop(child)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, argv, port):
        child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.children.append(child)
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return child
            except OSError:
                if child.poll() is not None:
                    sys.exit(f"{argv[0]} ended with status {child.returncode}")
                time.sleep(0.02)
        sys.exit(f"{argv[0]} does not listen")

    def stop(self, child):
        if child.poll() is None:
            own_group = os.getpgid(child.pid) == child.pid
            (os.killpg if own_group else os.kill)(child.pid, signal.SIGTERM)
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def floor(self):
        port = free_port()
        return self.start([self.program("tests/bench/floor"), str(port)], port), port

    def greylagd(self, name, *settings):
        port = free_port()
        argv = [self.program("policyd/greylagd"), "-f", "-c", "/dev/null",
                "-o", f"policy.listen=inet:127.0.0.1:{port}", "-o", "policy.user=", "-o", "http.listen=off",
                "-o", f"store.uri=lmdb:{self.folder}/{name}"]
        for setting in settings:
            argv += ["-o", setting]
        log = open(os.path.join(self.folder, name + ".log"), "ab")
        child = subprocess.Popen(argv, stdout=log, stderr=log)
        self.children.append(child)
        self.wait_for(port, child)
        return child, port

    def wait_for(self, port, child):
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if child.poll() is not None:
                    sys.exit("greylagd ended: see its log")
                time.sleep(0.02)
        sys.exit("greylagd does not listen")

    def lists(self):
        """Debian's whitelists for both, where postgrey is installed."""
        folder = "/etc/postgrey/whitelist_"
        return [f"whitelist.{k}={folder}{k}" for k in ("clients", "recipients") if os.path.exists(folder + k)]

    def postgrey(self):
        """Debian's postgrey, as it comes, on a database of its own; None if it is not installed."""
        if not shutil.which("postgrey"):
            return None, None
        port, folder = free_port(), os.path.join(self.folder, "postgrey")
        os.makedirs(folder)
        argv = ["postgrey", f"--inet=127.0.0.1:{port}", f"--dbdir={folder}", "--delay=1",
                f"--pidfile={folder}/pid"]
        if os.getuid() == 0:
            user = pwd.getpwnam("postgrey")
            os.chmod(self.folder, 0o755)
            os.chown(folder, user.pw_uid, user.pw_gid)
            argv += ["--user=postgrey", f"--group={user.pw_gid}"]
        return self.start(argv, port), port

    def load(self, port, **options):
        argv = [self.program("tests/bench/load"), "-s", f"inet:127.0.0.1:{port}"]
        for name, value in options.items():
            argv += ["-" + name, str(value)]
        return json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)

    def load_start(self, port, **options):
        argv = [self.program("tests/bench/load"), "-s", f"inet:127.0.0.1:{port}"]
        for name, value in options.items():
            argv += ["-" + name, str(value)]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)

    def n(self, full, quick):
        return quick if self.quick else full


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def line(what, **figures):
    print(f"{what:34}" + "  ".join(f"{k} {v}" for k, v in figures.items()), flush=True)


def show(what, result):
    line(what, rate=f"{result['rate']}/s", p50=f"{result['p50']}us", p99=f"{result['p99']}us",
         p999=f"{result['p999']}us", deferred=result["deferred"])


def make_known(bench, port, unique):
    bench.load(port, n=unique, u=unique, m="known")
    time.sleep(1.3)
    bench.load(port, n=unique, u=unique, m="known")


def case_known(bench):
    """Known triplets, with the decision log on."""
    n = bench.n(300000, 60000)
    floor, floor_port = bench.floor()
    daemon, port = bench.greylagd("known", "greylist.delay=1s", *bench.lists())
    make_known(bench, port, 1000)
    rounds = [(bench.load(floor_port, n=n, m="known"), bench.load(port, n=n, m="known", u=1000))
              for _ in range(3)]
    base, ours = max((r[0] for r in rounds), key=lambda x: x["rate"]), max((r[1] for r in rounds), key=lambda x: x["rate"])
    show("floor", base)
    show("known triplets", ours)
    line("  of the floor", ratio=f"{ours['rate'] / base['rate']:.2f}", p99=f"{ours['p99'] / base['p99']:.2f} times")
    theirs, their_port = bench.postgrey()
    if theirs:
        make_known(bench, their_port, 100)
        result = bench.load(their_port, n=bench.n(3000, 1000), m="known", u=100, c=20)
        show("postgrey, known", result)
        line("  of postgrey", ratio=f"{ours['rate'] / result['rate']:.0f}")
        bench.stop(theirs)
        shutil.rmtree(os.path.join(bench.folder, "postgrey"))
    bench.stop(daemon)
    bench.stop(floor)


class Redis:
    """A redis-server, and the processor time that it and a daemon take."""

    def __init__(self, bench, *options):
        self.port = free_port()
        self.process = bench.start(["redis-server", "--port", str(self.port), "--dir", tempfile.mkdtemp(dir=bench.folder),
                                    "--save", "", *options], self.port)
        self.uri = f"redis://127.0.0.1:{self.port}"

    def info(self, what):
        out = subprocess.run(["redis-cli", "-p", str(self.port), "INFO"], check=True, capture_output=True, text=True).stdout
        return float(next(line.split(":")[1] for line in out.splitlines() if line.startswith(what + ":")))


def processor_time(process):
    with open(f"/proc/{process.pid}/stat") as f:
        words = f.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def cost(bench, redis, daemon, port, **options):
    """The result of a load, and the microseconds that each of both takes for a request."""
    before = processor_time(redis.process), processor_time(daemon)
    result = bench.load(port, **options)
    after = processor_time(redis.process), processor_time(daemon)
    return result, *((b - a) / options["n"] * 1e6 for a, b in zip(before, after))


def case_redis(bench):
    """Known triplets of a store on Redis, with nothing remembered and with all of them; then what new ones cost."""
    n = bench.n(200000, 50000)
    redis = Redis(bench)
    floor, floor_port = bench.floor()
    for name, cache in (("nothing remembered", "0"), ("remembered", "65536")):
        daemon, port = bench.greylagd("redis", "greylist.delay=1s", f"store.uri={redis.uri}", f"store.cache={cache}")
        make_known(bench, port, 1000)
        rounds = [(bench.load(floor_port, n=n, m="known"), *cost(bench, redis, daemon, port, n=n, m="known", u=1000))
                  for _ in range(bench.n(5, 3))]
        base, ours, theirs, own = sorted(rounds, key=lambda r: r[1]["rate"] / r[0]["rate"])[len(rounds) // 2]
        show("floor", base)
        show(f"known on Redis, {name}", ours)
        line("  of the floor", ratio=f"{ours['rate'] / base['rate']:.2f}", server=f"{theirs:.1f}us a request",
             daemon=f"{own:.1f}us a request")
        bench.stop(daemon)
    bench.stop(floor)
    for name, options in (("in memory", ()), ("appendfsync always", ("--appendonly", "yes", "--appendfsync", "always"))):
        redis = Redis(bench, *options)
        daemon, port = bench.greylagd("redis-new", f"store.uri={redis.uri}")
        used = redis.info("used_memory")
        n = bench.n(100000, 20000)
        result, theirs, own = cost(bench, redis, daemon, port, n=n, m="new", c=200)
        show(f"new on Redis, {name}", result)
        line("  each", server=f"{theirs:.1f}us", daemon=f"{own:.1f}us", memory=f"{(redis.info('used_memory') - used) / n:.0f} B")
        bench.stop(daemon)
        bench.stop(redis.process)


def case_farm(bench):
    """What a request costs where each of four hosts has 1,000 a second, the figures of farm_model.py."""
    hosts, rate, n = 4, 1000, bench.n(10000, 3000)
    for what, mode, cache in (("known, asked for", "known", 0), ("known, remembered", "known", 65536), ("new", "new", 0)):
        redis = Redis(bench)
        daemons = [bench.greylagd(f"farm-{mode}-{cache}-{i}", "greylist.delay=1s", f"store.uri={redis.uri}",
                                  f"store.cache={cache}") for i in range(hosts)]
        if mode == "known":
            make_known(bench, daemons[0][1], 500)
            for _, port in daemons[1:]:
                bench.load(port, n=500, u=500, m="known")
        before = [processor_time(p) for p in (redis.process, *(d for d, _ in daemons))]
        commands = redis.info("total_commands_processed")
        loads = [bench.load_start(port, n=n, u=500, m=mode, c=20, r=rate) for _, port in daemons]
        results = [json.loads(load.communicate()[0]) for load in loads]
        after = [processor_time(p) for p in (redis.process, *(d for d, _ in daemons))]
        commands = (redis.info("total_commands_processed") - commands) / n / hosts
        show(what, results[0])
        line("  a request", server=f"{(after[0] - before[0]) / n / hosts * 1e6:.1f}us", commands=f"{commands:.1f}",
             daemon=f"{sum(b - a for a, b in zip(before[1:], after[1:])) / n / hosts * 1e6:.1f}us")
        for daemon, _ in daemons:
            bench.stop(daemon)
        bench.stop(redis.process)


def case_white(bench):
    """A whitelisted client, by name."""
    n = bench.n(300000, 60000)
    path = os.path.join(bench.folder, "white")
    with open(path, "w") as out:
        out.write("white.example.org\n")
    floor, floor_port = bench.floor()
    daemon, port = bench.greylagd("white-store", f"whitelist.clients={path}")
    base, ours = bench.load(floor_port, n=n, m="white"), bench.load(port, n=n, m="white")
    show("floor", base)
    show("whitelisted client", ours)
    line("  of the floor", ratio=f"{ours['rate'] / base['rate']:.2f}")
    bench.stop(daemon)
    bench.stop(floor)


def case_new(bench):
    """New triplets, each on the disk before it is answered."""
    n = bench.n(60000, 20000)
    out = subprocess.run([bench.program("tests/bench/bench_store"), bench.folder], check=True,
                         capture_output=True, text=True).stdout
    print(out, end="")
    daemon, port = bench.greylagd("new", *bench.lists())
    ours = bench.load(port, n=n, m="new")
    show("new triplets", ours)
    bench.stop(daemon)
    theirs, their_port = bench.postgrey()
    if theirs:
        result = bench.load(their_port, n=bench.n(3000, 1000), m="new", c=20)
        show("postgrey, new", result)
        line("  of postgrey", ratio=f"{ours['rate'] / result['rate']:.0f}")
        bench.stop(theirs)
        shutil.rmtree(os.path.join(bench.folder, "postgrey"))


def judge(bench, name, n):
    """N verdicts on mail of as many networks and names, none of which the load comes from."""
    now = int(time.time()) - n
    blocks = [f"request=greylag_verdict\ninstance={i}\nclient_address=203.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}\n"
              f"client_name=mx.judged{i}.example\nsender=a@judged{i}.example\nrecipient=b@dest.example\n"
              f"verdict={'ham' if i % 2 else 'spam'}\ntime={now + i}\n\n" for i in range(n)]
    subprocess.run([bench.program("policyd/greylagctl"), "-c", "/dev/null", "-o", "policy.user=", "-o",
                    f"store.uri=lmdb:{bench.folder}/{name}", "replay", "--learn"], input="".join(blocks).encode(), check=True, stdout=subprocess.DEVNULL)


def cpu_time(child):
    """Seconds on a processor: of the thread that answers, and of all."""
    times = {}
    for thread in os.listdir(f"/proc/{child.pid}/task"):
        with open(f"/proc/{child.pid}/task/{thread}/schedstat") as f:
            times[int(thread)] = int(f.read().split()[0]) / 1e9
    return times[child.pid], sum(times.values())


def case_reputation(bench):
    """New triplets, which alone are looked up in the reputation, with it and without, in turn."""
    n = bench.n(60000, 10000)
    daemons, rounds = {}, {"off": [], "on": []}
    for use in rounds:
        judge(bench, "reputation-" + use, bench.n(5000, 500))
        daemons[use] = bench.greylagd("reputation-" + use, "reputation.use=" + use, *bench.lists())
    for i in range(8):
        for use in ("off", "on") if i % 2 else ("on", "off"):
            child, port = daemons[use]
            before = cpu_time(child)
            rate = bench.load(port, n=n, m="new")["rate"]
            rounds[use].append((rate, *((b - a) / n * 1e6 for a, b in zip(before, cpu_time(child)))))
    median = {use: [sorted(column)[len(column) // 2] for column in zip(*rows)] for use, rows in rounds.items()}
    for use, (rate, answering, cpu) in median.items():
        line(f"new triplets, reputation {use}", rate=f"{rate}/s", cpu=f"{cpu:.1f}us an answer",
             answering=f"{answering:.1f}us")
    ratios = [on / off for on, off in zip(median["on"], median["off"])]
    line("  with it", rate=f"{ratios[0]:.2f}", cpu=f"{ratios[2]:.2f} times", answering=f"{ratios[1]:.2f} times")
    for child, _ in daemons.values():
        bench.stop(child)


def case_mixed(bench):
    """Known triplets while new ones keep the writer busy."""
    daemon, port = bench.greylagd("mixed", "greylist.delay=1s")
    make_known(bench, port, 1000)
    alone = bench.load(port, n=bench.n(20000, 5000), m="known", u=1000, c=10, r=3000)
    writer = bench.load_start(port, n=bench.n(200000, 50000), m="new", c=50)
    time.sleep(0.5)
    beside = bench.load(port, n=bench.n(20000, 5000), m="known", u=1000, c=10, r=3000)
    writer.kill()
    show("known at 3,000/s, alone", alone)
    show("known at 3,000/s, beside new ones", beside)
    bench.stop(daemon)


def case_idle(bench):
    """5,000 idle connections and 500 busy ones."""
    daemon, port = bench.greylagd("idle", "greylist.delay=1s")
    make_known(bench, port, 1000)
    result = bench.load(port, n=bench.n(200000, 50000), m="known", u=1000, c=500, i=5000, p=daemon.pid)
    show("500 busy beside 5,000 idle", result)
    line("  an idle connection", memory=f"{result['idle_bytes']} B")
    bench.stop(daemon)


def store_bytes(folder):
    """Bytes of the policy environment's file."""
    return max(os.stat(os.path.join(root, f)).st_blocks * 512
               for root, _, files in os.walk(folder) for f in files)


def case_size(bench):
    """Bytes on the disk for a triplet, with its text and without."""
    n = bench.n(200000, 50000)
    for privacy in ("off", "on"):
        name = "size-" + privacy
        daemon, port = bench.greylagd(name, f"greylist.privacy={privacy}")
        bench.load(port, n=n, m="new", c=200)
        bench.stop(daemon)
        line(f"a triplet, privacy {privacy}", size=f"{store_bytes(os.path.join(bench.folder, name)) / n:.0f} B")


def case_expiry(bench):
    """Latency at a fifth of full load while records expire, and while none do."""
    n = bench.n(1000000, 100000)
    daemon, port = bench.greylagd("expiry", "greylist.delay=1s", "greylist.retry_window=1h")
    bench.load(port, n=n, m="new", c=200)
    make_known(bench, port, 1000)
    calm = bench.load(port, n=200000, m="known", u=1000, r=12000)
    show("no expiry", calm)
    bench.stop(daemon)
    log = open(os.path.join(bench.folder, "expiry.log"), "ab")
    fake = ["faketime", "-f", "+2h", bench.program("policyd/greylagd"), "-f", "-c", "/dev/null",
            "-o", f"policy.listen=inet:127.0.0.1:{port}", "-o", "policy.user=", "-o", "http.listen=off", "-o", "greylist.delay=1s",
            "-o", "greylist.retry_window=1h", "-o", f"store.uri=lmdb:{bench.folder}/expiry"]
    # faketime runs it as a child: both are a group, and end together.
    daemon = subprocess.Popen(fake, stdout=log, stderr=log, start_new_session=True)
    bench.children.append(daemon)
    bench.wait_for(port, daemon)
    busy = bench.load(port, n=200000, m="known", u=1000, r=12000)
    show("while they expire", busy)
    bench.stop(daemon)


def case_many(bench):
    """Look-ups among ten million triplets and among a hundred thousand."""
    for n in (100000, bench.n(10000000, 1000000)):
        name = f"many-{n}"
        daemon, port = bench.greylagd(name, "greylist.delay=1s", "log.level=warning")
        bench.load(port, n=n, m="new", c=500)
        make_known(bench, port, 100000)
        show(f"known among {n}", bench.load(port, n=300000, m="known", u=100000))
        bench.stop(daemon)


CASES = {name[5:]: f for name, f in list(globals().items()) if name.startswith("case_")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default=".")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("cases", nargs="*", choices=[*CASES, []])
    arguments = parser.parse_args()
    bench = Bench(os.path.abspath(arguments.build), arguments.quick)
    try:
        for name in arguments.cases or [c for c in CASES if c != "many"]:
            CASES[name](bench)
    finally:
        bench.close()


main()
