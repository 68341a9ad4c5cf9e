#!/usr/bin/env python3
"""What a farm needs of Redis: a simulation with recorded costs.

usage: farm_model.py [--rate RECIPIENTS] [--new SHARE] [--first SHARE] [--seed N]

Each host of the farm has RATE recipients a second that greylagd is asked for. Of these a SHARE are new triplets
(spam, mostly), some come back for the first time, and all others are known: pairs of sender and recipient whose mail
is distributed as 1/rank over 50,000 pairs for each host of the farm, and comes to any host. What a host remembers is
simulated pair by pair; the wait at a server request by request, as one server that takes them in their order.

Costs are those of "policy.py farm" and "policy.py redis" on one machine (2 virtual cores of 2.x GHz, Redis 7.0 over
TCP on loopback, 4 hosts of 1,000 requests a second: hardly any two commands come together, which is the dear case).
"""
import argparse, math, random

COST = {"known": 20.2e-6, "new": 79.0e-6, "first": 79.0e-6}      # seconds of a server's only thread
DAEMON = {"known": 50.2e-6, "cached": 19.8e-6, "new": 117.5e-6}  # seconds of greylagd's
WIRE = {"known": 600, "new": 1900, "first": 1900}                # bytes to and from a server
TRIPLET = 245            # bytes in the server's memory
RETRY_WINDOW = 86400     # seconds that a new triplet is kept
PAIRS, CACHE, TTL = 50000, 65536, 60
TAGS, BUSY = 32, 0.65    # busier than that and the wait grows fast
MASTERS = (1, 2, 4, 8, 16, 32)


def remembered(hosts, rate, rng):
    """The share of a host's requests for known pairs that it answers by itself."""
    pairs, last, hits, n = PAIRS * hosts, {}, 0, int(rate * TTL * 3)
    for i in range(n):
        now, pair = i / rate, int(pairs ** rng.random())
        if pair in last and now - last[pair] < TTL:
            hits += i >= n // 3
        else:
            last.pop(pair, None)
            last[pair] = now
            if len(last) > CACHE:
                del last[next(iter(last))]
    return hits / (n - n // 3)


def wait(load, shares, rng, n=100000):
    """99 % of requests wait no longer at a server that is busy for LOAD of its time, in seconds."""
    kinds, weights = list(shares), list(shares.values())
    mean = sum(COST[k] * w for k, w in shares.items()) / sum(weights)
    free = now = 0
    waits = []
    for kind in rng.choices(kinds, weights, k=n):
        now += rng.expovariate(load / mean)
        waits.append(max(free - now, 0))
        free = max(free, now) + COST[kind]
    return sorted(waits)[int(n * 0.99)]


def busiest(masters):
    """The share of the busiest of so many masters, which have whole tags."""
    return math.ceil(TAGS / masters) / TAGS


def report(hosts, options, rng):
    known = 1 - options.new - options.first
    hit = remembered(hosts, options.rate * known, rng)
    shares = {"known": known * (1 - hit), "new": options.new, "first": options.first}
    asked = options.rate * hosts
    busy = {k: asked * share * COST[k] for k, share in shares.items()}
    daemon = options.rate * (known * (hit * DAEMON["cached"] + (1 - hit) * DAEMON["known"]) +
                             (options.new + options.first) * DAEMON["new"])
    memory = asked * options.new * RETRY_WINDOW * TRIPLET + PAIRS * hosts * TRIPLET
    wire = asked * sum(share * WIRE[k] for k, share in shares.items())
    print(f"{hosts} hosts of {options.rate}/s: {asked} requests/s; {hit:.0%} of the known are remembered")
    print(f"  greylagd {daemon:.0%} of a core on each host; a connection on each for a server, 34 for a cluster")
    print(f"  Redis {sum(busy.values()):.2f} s a second of one thread ({busy['new'] + busy['first']:.2f} for new triplets), "
          f"{memory / 1e9:.0f} GB, {wire * 8 / 1e6:.0f} Mbit/s")
    for masters in MASTERS:
        load = sum(busy.values()) * busiest(masters)
        if load >= 1:
            print(f"  {masters:3} masters: the busiest would be busy for {load:.0%} of its time")
            continue
        print(f"  {masters:3} masters: the busiest is busy for {load:.0%}, 99 % wait less than "
              f"{wait(load, shares, rng) * 1e3:.2f} ms there; {memory / masters / 1e9:.0f} GB and "
              f"{wire * 8 / masters / 1e6:.0f} Mbit/s each")
        if load < BUSY:
            return
    print(f"  more than {TAGS} masters would be needed: split the farm by recipient domains")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--new", type=float, default=0.10)
    parser.add_argument("--first", type=float, default=0.02)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for hosts in (10, 100, 1000):
        report(hosts, options, random.Random(options.seed))


if __name__ == "__main__":
    main()
