#!/usr/bin/env python3
"""greylagd by its protocol: listeners, requests of every shape, modes, and very many connections."""
import os, resource, socket, stat, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from policy import Client, Daemon, Tap, free_port, has_ipv6, request, sanitized, verb, wait_until


def listeners(tap):
    v4, path = free_port(), tap.path("policy.sock")
    names = [f"inet:127.0.0.1:{v4}", f"unix:{path}"]
    addresses = [("127.0.0.1", v4), path]
    if has_ipv6():
        v6 = free_port("::1")
        names.append(f"inet:[::1]:{v6}")
        addresses.append(("::1", v6))
    daemon = Daemon(tap, "listeners", "policy.socket_mode=0606", "greylist.delay=0", listen=" ".join(names)).start()
    replies = []
    for address in addresses:
        client = Client(address)
        replies.append(verb(client.ask(sender="listeners@example.org")))
    tap.equal(replies, ["DEFER_IF_PERMIT", "PREPEND", "DUNNO"][:len(addresses)],
              "several listeners at once, one store behind them")
    if not has_ipv6():
        tap.skip("an IPv6 listener", "this machine has no IPv6")
    tap.equal(oct(stat.S_IMODE(os.stat(path).st_mode)), "0o606", "a Unix socket has its mode")
    daemon.kill()
    daemon.start()
    tap.equal(verb(Client(path).ask(sender="listeners@example.org")), "DUNNO",
              "a socket file left by a killed server is replaced")
    second = Daemon(tap, "second", listen=f"unix:{path}").start(ready=None)
    tap.equal(second.wait(), 2, "a socket that is served is an error for a second server")
    tap.equal(verb(Client(path).ask(sender="listeners@example.org")), "DUNNO", "and stays the first one's")
    daemon.stop()
    tap.ok(not os.path.exists(path), "the socket file goes with its server")


def requests(tap, daemon):
    client = daemon.client()
    senders = [f"pipelined-{word}@example.org" for word in ("a", "b", "c")]
    client.send(b"".join(request(sender=s) for s in senders) + request(sasl_username="al"))
    tap.equal([verb(client.reply()) for _ in range(4)], ["DEFER_IF_PERMIT"] * 3 + ["DUNNO"],
              "pipelined requests are answered in their order")

    for byte in request(sender="bytes@example.org"):
        client.send(bytes([byte]))
    tap.equal(verb(client.reply()), "DEFER_IF_PERMIT", "bytes may come one at a time")

    tap.equal(verb(client.ask(sender=b"b\xfcrger@example.org")), "DEFER_IF_PERMIT", "8-bit addresses are decided about")
    tap.equal(verb(client.ask(recipient=b"\xff\xfe\x80@example.net", helo_name=b"\xc3\xa4\x01")), "DEFER_IF_PERMIT",
              "and so are control characters")
    tap.has(daemon.log() if daemon.logs("\\xff\\xfe") else daemon.log(), 'recipient="\\xff\\xfe\\x80@example.net"',
            "the log quotes such values")

    for name, attributes in {
        "an unknown client address": {"client": "unknown"},
        "another request type": {"request": "something_else"},
        "a state other than RCPT": {"protocol_state": "VRFY"},
        "no attributes but one": None,
        "an authenticated client": {"sasl_username": "al", "sasl_method": "plain"},
    }.items():
        if attributes is None:
            client.send(b"request=smtpd_access_policy\n\n")
            action = client.reply()
        else:
            action = client.ask(sender="other@example.org", **attributes)
        tap.equal(action, "DUNNO", f"{name} is no reason to defer")
    tap.equal(verb(client.ask(sender="other@example.org", new_in_postfix_9="x=y")), "DEFER_IF_PERMIT",
              "unknown attributes are ignored")
    tap.ok(client.is_quiet(), "nothing is ever sent unasked")


def malformed(tap, daemon):
    other = daemon.client()
    other.ask(sender="undisturbed@example.org")
    for name, data in {
        "a NUL": request(sender=b"a\0b@example.org"),
        "a line without '='": b"request=smtpd_access_policy\nnonsense\n\n",
        "an empty name": b"request=smtpd_access_policy\n=value\n\n",
        "an empty request": b"\n",
        "more than 64 KiB": b"request=smtpd_access_policy\nsender=" + b"x" * 70000,
    }.items():
        client = daemon.client()
        try:
            client.send(data)
        except ConnectionError:
            pass
        tap.ok(client.is_closed(), f"{name}: no reply, the connection is closed")
    client = daemon.client()
    client.send(request()[:50])
    client.socket.shutdown(socket.SHUT_WR)
    tap.ok(client.is_closed(), "a request that ends in the middle: no reply, closed")
    tap.equal(verb(other.ask(sender="undisturbed@example.org")), "DEFER_IF_PERMIT", "other connections are undisturbed")
    daemon.logs("malformed request")
    tap.has(daemon.log(), "malformed request", "the log tells")
    slow, whole = daemon.client(), request(sender="slow@example.org")
    slow.send(whole[:10])
    tap.equal(verb(other.ask(sender="undisturbed@example.org")), "DEFER_IF_PERMIT",
              "others are answered while one stops in the middle")
    slow.send(whole[10:])
    tap.equal(verb(slow.reply()), "DEFER_IF_PERMIT", "which has held nothing but its own place")
    injected = daemon.client().ask(sender=b"x\raction=OK@example.org", helo_name="%s%n")
    tap.ok(injected and "\r" not in injected and "OK" not in injected, "nothing from a request gets into a reply")


def modes(tap):
    daemon = Daemon(tap, "modes", "greylist.delay=0", config="[greylist]\nmode = observe\n").start()
    tap.equal(daemon.ask(sender="observed@example.org"), "DUNNO", "observe lets a first attempt in")
    daemon.stop()
    with open(daemon.config, "w") as f:
        f.write("[greylist]\nmode = enforce\n")
    daemon.start()
    tap.equal(daemon.ask(sender="observed@example.org"), "DUNNO", "what observe recorded is known to enforce")
    tap.equal(verb(daemon.ask(sender="not-observed@example.org")), "DEFER_IF_PERMIT", "and nothing else is")
    daemon.stop()

    daemon = Daemon(tap, "null", "greylist.null_sender=data", "greylist.delay=0").start()
    client = daemon.client()

    def bounce(**more):
        return verb(client.ask(sender="", instance="77.1", **more))
    tap.equal(bounce(), "DUNNO", "a callout with the null sender is not deferred at RCPT")
    tap.equal(bounce(protocol_state="DATA", recipient=""), "DEFER_IF_PERMIT", "its message is at DATA, without a recipient")
    tap.equal(verb(client.ask(sender="", instance="78.1")), "DUNNO", "its retry comes")
    tap.equal(verb(client.ask(sender="", instance="78.1", protocol_state="DATA", recipient="")), "PREPEND",
              "and passes at DATA")
    daemon.stop()

    with open(tap.path("opt-in"), "w") as f:
        f.write("wants@example.net\n")
    daemon = Daemon(tap, "optin", f"whitelist.opt_in={tap.path('opt-in')}").start()
    tap.equal((verb(daemon.ask(recipient="wants@example.net")), daemon.ask(recipient="other@example.net")),
              ("DEFER_IF_PERMIT", "DUNNO"), "with an opt-in list, only who is on it is greylisted")
    daemon.stop()


def many(tap):
    idle, busy = 5000, 500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = idle + busy + 100
    if hard != resource.RLIM_INFINITY and hard < need:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (need, need))
        except (OSError, ValueError):
            tap.skip("5,000 idle connections and 500 busy ones", f"at most {hard} open files are allowed")
            return
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, need), hard))
    daemon = Daemon(tap, "many").start()
    def resident():
        with open(f"/proc/{daemon.process.pid}/statm") as f:
            return int(f.read().split()[1]) * resource.getpagesize()
    daemon.ask()
    before = resident()
    clients = [daemon.client() for _ in range(idle)]
    wait_until(lambda: len(os.listdir(f"/proc/{daemon.process.pid}/fd")) > idle)
    grown = (resident() - before) / idle
    print(f"# {grown:.0f} bytes for each idle connection")
    if not sanitized():
        tap.ok(grown < 8192, "an idle connection takes less than 8 KiB", f"{grown:.0f}")
    active = [daemon.client() for _ in range(busy)]
    slowest = 0
    answers = set()
    for round_ in range(4):
        start = time.monotonic()
        for n, client in enumerate(active):
            client.send(request(sender=f"many-{chr(97 + n % 26)}@example.org", recipient=f"r{n}@example.net"))
        answers |= {verb(client.reply()) for client in active}
        slowest = max(slowest, time.monotonic() - start)
    tap.equal(answers, {"DEFER_IF_PERMIT"}, "5,000 idle connections and 500 busy ones: all are answered")
    print(f"# slowest round of {busy} requests: {slowest:.3f} s")
    tap.ok(all(client.is_quiet() for client in clients[::100]), "and no idle one was closed")
    tap.equal(daemon.stop(), 0, "with all of them open it stops cleanly")


with Tap() as tap:
    listeners(tap)
    daemon = Daemon(tap, "main").start()
    requests(tap, daemon)
    malformed(tap, daemon)
    tap.equal(daemon.stop(), 0, "after all that it stops cleanly")
    modes(tap)
    many(tap)
