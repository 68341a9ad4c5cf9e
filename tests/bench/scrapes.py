#!/usr/bin/env python3
"""What a thousand scrapes a second cost the policy server.

usage: scrapes.py [--build DIR] [--seconds N] [--turns N] [--scrapes RATE]
Runs greylagd at a fifth of the rate that it can serve on this machine, without scrapes and with them, in turns,
and prints the 99.9th percentile of its answers, in microseconds, and the time of a scrape. Judges nothing.
"""
import argparse, json, os, shutil, socket, subprocess, tempfile, threading, time


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


class Scraper(threading.Thread):
    """Scrapes /metrics on one connection at a rate, and keeps the times."""

    def __init__(self, port, rate):
        super().__init__()
        self.port, self.rate, self.times, self.stopped = port, rate, [], False

    def run(self):
        s = socket.create_connection(("127.0.0.1", self.port))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        turn = time.monotonic()
        while not self.stopped:
            begin = time.monotonic()
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            got = s.recv(1 << 18)
            while b"\r\n\r\n" not in got:
                got += s.recv(1 << 18)
            head, _, body = got.partition(b"\r\n\r\n")
            size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            left = size - len(body)
            while left > 0:
                left -= len(s.recv(1 << 18))
            self.times.append(time.monotonic() - begin)
            turn += 1 / self.rate
            time.sleep(max(0, turn - time.monotonic()))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=".")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--scrapes", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="greylag-bench-")
    policy, http = free_port(), free_port()
    daemon = subprocess.Popen(
        [f"{options.build}/policyd/greylagd", "-f", "-c", "/dev/null", "-o", "policy.user=", "-o", "log.level=warning",
         "-o", f"policy.listen=inet:127.0.0.1:{policy}", "-o", f"http.listen=inet:127.0.0.1:{http}",
         "-o", f"store.uri=lmdb:{folder}/store"], stderr=subprocess.DEVNULL)

    def load(n, *more):
        out = subprocess.run([f"{options.build}/tests/bench/load", "-s", f"inet:127.0.0.1:{policy}", "-n", str(int(n)),
                              "-c", "50", "-m", "known", "-u", "10000", *more], capture_output=True, text=True, check=True)
        return json.loads(out.stdout)

    try:
        time.sleep(1)
        load(20000)
        full = load(200000)["rate"]
        rate = full / 5
        print(f"full load {full:.0f} requests/s; measured at {rate:.0f}/s")
        tails = {0: [], options.scrapes: []}
        for turn in range(options.turns):
            for scrapes in 0, options.scrapes:
                scrapers = [Scraper(http, scrapes / 4) for _ in range(4 if scrapes else 0)]
                for s in scrapers:
                    s.start()
                begin = time.monotonic()
                result = load(rate * options.seconds, "-r", str(int(rate)))
                elapsed = time.monotonic() - begin
                for s in scrapers:
                    s.stopped = True
                    s.join()
                times = sorted(t for s in scrapers for t in s.times)
                told = f"{len(times) / elapsed:.0f} scrapes/s"
                if times:
                    told += f", median {times[len(times) // 2] * 1e6:.0f} us, p99 {times[len(times) * 99 // 100] * 1e6:.0f} us"
                tails[scrapes].append(result["p999"])
                print(f"policy p50 {result['p50']} p99 {result['p99']} p99.9 {result['p999']} us; {told}")
        for scrapes, all in tails.items():
            print(f"median p99.9 with {scrapes} scrapes/s: {sorted(all)[len(all) // 2]} us")
    finally:
        daemon.terminate()
        daemon.wait()
        shutil.rmtree(folder)


main()
