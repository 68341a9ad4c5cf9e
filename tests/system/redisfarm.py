"""Redis servers, replicas, sentinels and a cluster for tests; they end with the test."""
import os, random, re, socket, subprocess, time

from policy import free_port, run, wait_until

def letters(n):
    """A number without digits, which greylagd would take for those of one-time senders."""
    return "".join("abcdefghij"[int(digit)] for digit in str(n))


def reasons(daemon, senders, **more):
    """What the log gives as the reason of each, when they are asked for now, from addresses of one network."""
    client = daemon.client()
    mark = f"mark-{letters(time.monotonic_ns())}@example.org"
    client.ask(sender=mark)
    wait_until(lambda: mark in daemon.log())  # and all that was before it
    start = daemon.log().index("\n", daemon.log().index(mark))
    for n, sender in enumerate(senders):
        client.ask(sender=sender, client=f"192.0.2.{n % 250 + 1}", **more)
    client.close()
    wait_until(lambda: daemon.log()[start:].count(" reason=") >= len(senders))
    return re.findall(r" reason=(\S+)", daemon.log()[start:])


SERVER = ["setpriv", "--pdeathsig", "KILL", "redis-server"]


class Server:
    """A redis-server that keeps what it has written, on a TCP port, perhaps in a network namespace."""

    def __init__(self, tap, name, *options, host="127.0.0.1", port=None, netns=None):
        self.folder = tap.path(name)
        os.mkdir(self.folder)
        self.host, self.port, self.options = host, port or free_port(), options
        self.inside = ["ip", "netns", "exec", netns] if netns else []
        self.process = None
        tap.daemons.append(self)

    @property
    def uri(self):
        return f"redis://{self.host}:{self.port}"

    def argv(self):
        return [*SERVER, "--bind", self.host, "--port", str(self.port), "--protected-mode", "no", "--dir", self.folder,
                "--save", "", "--appendonly", "yes", "--appendfsync", "always", *self.options]

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [*self.inside, *self.argv()], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if not wait_until(lambda: self.ask("PING") == "PONG"):
            raise RuntimeError("redis-server does not answer")
        return self

    def ask(self, *command):
        return run(*self.inside, "redis-cli", "-h", self.host, "-p", str(self.port), *command)[1].strip()

    def role(self):
        return self.ask("ROLE").split("\n")[0]

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Sentinel(Server):
    """One that watches a master by the name of "greylag"; two of them agree."""

    def __init__(self, tap, name, master, **more):
        super().__init__(tap, name, **more)
        with open(os.path.join(self.folder, "sentinel.conf"), "w") as f:
            f.write(f"bind {self.host}\nport {self.port}\nprotected-mode no\ndir {self.folder}\n"
                    f"sentinel monitor greylag {master.host} {master.port} 2\n"
                    "sentinel down-after-milliseconds greylag 4000\nsentinel failover-timeout greylag 12000\n")

    def argv(self):
        return [*SERVER, os.path.join(self.folder, "sentinel.conf"), "--sentinel"]


def replicas_are_there(master, n):
    return wait_until(lambda: master.ask("WAIT", str(n), "100") == str(n) and
                      master.ask("INFO", "replication").count("state=online") == n)


def watched(tap, master, replicas):
    """Three sentinels that know of the master, its replicas and each other."""
    sentinels = [Sentinel(tap, f"sentinel-{i}", master).start() for i in range(3)]
    for s in sentinels:
        def knows():
            words = s.ask("SENTINEL", "MASTER", "greylag").split("\n")
            facts = dict(zip(words[::2], words[1::2]))
            return facts.get("num-slaves") == str(replicas) and facts.get("num-other-sentinels") == "2"
        if not wait_until(knows):
            raise RuntimeError("the sentinels do not find each other")
    return sentinels


def two_ports():
    """The first of two that are free; the second, by which the nodes talk, is 10,000 higher."""
    while True:
        port = random.randrange(21000, 32000)
        try:
            for p in (port, port + 10000):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", p))
            return port
        except OSError:
            continue


def node(tap, name):
    return Server(tap, name, "--cluster-enabled", "yes", "--cluster-node-timeout", "6000",
                  "--cluster-require-full-coverage", "no", port=two_ports()).start()


def cluster(tap, masters=3):
    """Servers that share the slots among them."""
    nodes = [node(tap, f"node-{i}") for i in range(masters)]
    done = run("redis-cli", "--cluster", "create", *(f"{n.host}:{n.port}" for n in nodes), "--cluster-yes")
    if done[0] != 0 or not wait_until(lambda: all("cluster_state:ok" in n.ask("CLUSTER", "INFO") for n in nodes)):
        raise RuntimeError("no cluster: " + done[1] + done[2])
    return nodes
