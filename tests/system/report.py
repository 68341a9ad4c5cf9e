#!/usr/bin/env python3
"""greylagctl report against an independent count of the same traffic, to the message. The traffic is a dialogue with
greylagctl replay: who comes when depends on the answers, and what came in is judged. Then what the page and status of
a real daemon say of it, and of a mail of their own. Speaks TAP."""
import collections, heapq, json, math, os, random, re, subprocess, tempfile, time

from policy import GREYLAGCTL, Tap
from web import Daemon, wait_for

DAY = 86400
DELAYS = (60, 120, 300, 600)
AGES = (1, 30, 60, 120, 300, 600, 1800, 3600)  # of early retries the first in each interval is kept
RETRY_GAP = 3 * 3600  # what comes later after the attempt before may be a new message
DOMAINS = ["alpha.example", "beta.example", "Gamma.Example", "delta.example", "mail.delta.example"]
WORDS = ["bo", "ka", "lu", "mi", "ne", "po", "ra", "su", "ti", "wo", "xy", "ze"]
# name, addresses, seconds to the first retry, by which the next wait is longer, verified name
SENDERS = [
    ("quick.example", 1, 45, 2, True),
    ("usual.example", 4, 300, 2, True),
    ("slow.example", 9, 900, 1.5, True),
    ("nameless.example", 6, 200, 3, False),
    ("nervous.example", 2, 7, 1.3, True),
    ("seldom.example", 3, 40000, 1, True),  # never retries: its next mail comes half a day later
]


class Replay:
    """greylagctl replay --learn on a store, asked a request at a time."""

    def __init__(self, arguments):
        self.process = subprocess.Popen([*arguments, "replay", "--learn"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.instance = 0

    def ask(self, **attributes):
        block = "".join(f"{name}={value}\n" for name, value in attributes.items())
        self.process.stdin.write(block + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        assert self.process.stdout.readline() == "\n", answer
        return answer

    def end(self):
        self.process.stdin.close()
        return self.process.wait()


class Message:
    """On its way: when it was tried, and how it goes on."""

    def __init__(self, sender, recipient, address, name, gap, factor, patience, spam):
        self.sender, self.recipient, self.address, self.name = sender, recipient, address, name
        self.gap, self.factor, self.patience, self.spam = gap, factor, patience, spam
        self.tries = 0
        self.domain = recipient.split("@")[1].lower()


def word(dice, syllables=5):
    return "".join(dice.choice(WORDS) for _ in range(syllables))


def traffic(dice, now, days):
    """Messages with the time of their first attempt."""
    start = (now // DAY - days) * DAY
    for i in range(days * 150):
        at = start + dice.randrange(days * DAY - 3600)
        recipient = f"{word(dice, 2)}@{dice.choice(DOMAINS)}"
        if dice.random() < 0.5:
            host, n, gap, factor, named = dice.choice(SENDERS)
            k = dice.randrange(n)
            number = [s[0] for s in SENDERS].index(host)
            yield at, Message(f"{word(dice)}@{host}", recipient, f"10.{number}.{k}.5",
                              f"mx{k}.{host}" if named else "unknown", gap, factor, 2 * DAY, dice.random() < 0.03)
        else:
            # Bots: most never come again, some hammer, some behave.
            patience, gap, factor = dice.choice([(0, 1, 1)] * 6 + [(50, 9, 1), (400, 19, 1), (9000, 120, 1.7), (3 * DAY, 90000, 1)])
            yield at, Message(f"{word(dice)}@{word(dice, 3)}.example", recipient,
                              f"172.16.{dice.randrange(256)}.{dice.randrange(256)}", "unknown", gap, factor, patience,
                              dice.random() < 0.97)


class Count:
    """What the report has to say, by the answers alone."""

    def __init__(self):
        self.rows = collections.defaultdict(collections.Counter)
        self.ham = collections.defaultdict(list)  # delays by domain; "" is all
        self.what_if = {d: collections.Counter() for d in DELAYS}
        self.what_if_ham = {d: [] for d in DELAYS}
        self.pools = collections.defaultdict(lambda: ([], set(), [0]))

    def both(self, message, what):
        self.rows[message.domain][what] += 1
        self.rows[""][what] += 1

    def tried(self, message, at, deferred, window, ripe):
        """Takes an attempt; the ages of attempts are those since the first of a retry window."""
        first = getattr(message, "first", None)
        fresh = first is None or at - first > window
        if deferred and fresh:
            message.first, message.ages, message.ripe = at, [0], at // DAY * DAY < ripe
            self.both(message, "firsts" if message.ripe else "open")
            return
        if fresh:
            message.ages = None
            return
        age, before = at - first, message.ages[-1]
        message.ages.append(age)
        for delay in DELAYS if message.ripe else ():
            if before < delay <= age:
                self.both(message, f"reached {delay}")
            if not deferred and age < delay:
                self.both(message, f"before {delay}")
        if not deferred:
            if message.ripe:
                self.both(message, "returned")
            else:
                self.rows[message.domain]["open"] -= 1
                self.rows[""]["open"] -= 1

    def judged(self, message, verdict):
        delayed = message.ages[-1] if message.ages else 0
        self.both(message, f"judged {verdict}")
        if delayed:
            kept = {sum(age >= a for a in AGES): age for age in reversed(message.ages[:-1])}
            if delayed - max(kept.values()) > RETRY_GAP:
                self.both(message, f"new {verdict}")
                delayed = 0
        if verdict == "spam" and message.name != "unknown":
            self.pools[message.name.split(".", 1)[1]][2][0] += 1
        if not delayed:
            return
        self.both(message, f"delayed {verdict}")
        if verdict == "ham":
            self.ham[message.domain].append(delayed)
            self.ham[""].append(delayed)
            if message.name != "unknown":
                pool = self.pools[message.name.split(".", 1)[1]]
                pool[0].append(delayed)
                pool[1].add(message.address)
        for delay in DELAYS:
            later = [age for age in message.ages if age >= delay]
            if verdict == "spam":
                self.what_if[delay]["most"] += 1
                self.what_if[delay]["least"] += bool(later)
            if verdict == "ham":
                self.what_if[delay]["unknown"] += not later
                self.what_if_ham[delay].append(later[0] if later else delay)


def delays(values):
    """As the report has them: the smallest value that so many do not exceed."""
    values = sorted(values)
    pick = lambda q: values[max(math.ceil(q * len(values)), 1) - 1] if values else None
    return {"count": len(values), "median_seconds": pick(0.5), "p95_seconds": pick(0.95), "worst_seconds": pick(1),
            "hours": round(sum(values) / 3600, 6)}


def rounded(value):
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list) else value


def row(count, domain):
    c = count.rows[domain]
    three = lambda what: {v: c[f"{what} {v}"] for v in ("ham", "spam", "unsure")}
    return {"first_attempts": {"count": c["firsts"], "returned": c["returned"],
                               "never_returned": c["firsts"] - c["returned"], "open": c["open"]},
            "judged": three("judged"), "delayed": three("delayed"), "may_be_new": three("new"), "ham_delay": delays(count.ham[domain])}


def play(arguments, seed, delay, window, days=12):
    dice = random.Random(seed)
    now = int(time.time())
    ripe = (now - window) // DAY * DAY
    replay, count, queue = Replay(arguments), Count(), []
    for number, (at, message) in enumerate(traffic(dice, now, days)):
        heapq.heappush(queue, (at, number, message))
    number = 1 << 20
    while queue:
        at, _, message = heapq.heappop(queue)
        if at > now - 10:
            continue
        number += 1
        envelope = {"client_address": message.address, "sender": message.sender, "recipient": message.recipient}
        answer = replay.ask(request="smtpd_access_policy", protocol_state="RCPT", client_name=message.name,
                            helo_name=message.name, instance=f"{number:x}.{at:x}.0", time=at, **envelope)
        deferred = answer.startswith("action=DEFER")
        count.tried(message, at, deferred, window, ripe)
        message.tries += 1
        if not deferred:
            verdict = "unsure" if dice.random() < 0.04 else "spam" if message.spam else "ham"
            replay.ask(request="greylag_verdict", instance=f"{number:x}.{at:x}.0", verdict=verdict, time=at + 1, **envelope)
            count.judged(message, verdict)
            continue
        began = message.began = getattr(message, "began", at)
        at += max(int(message.gap * message.factor ** (message.tries - 1) * dice.uniform(1, 1.1)), 1)
        if at - began <= message.patience:
            heapq.heappush(queue, (at, number, message))
    return replay.end(), count, now


def compare(tap, report, count, story):
    tap.equal(rounded(report["all"]), row(count, ""), f"{story}: all traffic")
    domains = {r.pop("domain"): rounded(r) for r in report["domains"]}
    tap.equal(domains, {d: row(count, d) for d in count.rows if d}, f"{story}: each domain")
    c, others = count.rows[""], []
    for delay in DELAYS:
        away = c["firsts"] - c[f"reached {delay}"]
        others.append({"delay_seconds": delay, "never_returned": {"least": away - c[f"before {delay}"], "most": away},
                       "spam_through": {"least": count.what_if[delay]["least"], "most": count.what_if[delay]["most"]},
                       "ham_delay_at_least": delays(count.what_if_ham[delay]),
                       "ham_unknown": count.what_if[delay]["unknown"]})
    tap.equal(rounded(report["other_delays"]), others, f"{story}: other delays")
    pools = {name: {"addresses": len(addresses), "ham_delay": delays(waited)}
             for name, (waited, addresses, spam) in count.pools.items()
             if not spam[0] and len(waited) >= 5 and len(addresses) >= 3 and delays(waited)["median_seconds"] > 300}
    tap.equal({p.pop("domain"): rounded(p) for p in report["worth_whitelisting"]}, pools, f"{story}: pools worth whitelisting")
    away = c["firsts"] - c["returned"]
    hours = sum(count.ham[""]) / 3600
    # Nobody corrected anything: what the classifier missed is unknown.
    verdict = "too-little" if c["firsts"] < 200 else "nobody-leaves" if away < 0.05 * c["firsts"] else "no-corrections"
    got = report["pays"]
    tap.equal((got["verdict"], got["never_returned"], round(got["ham_hours"], 6), got["corrected"], got["spam_missed"],
               got["missed_share"], got["kept_out"]), (verdict, away, round(hours, 6), 0, None, None, None),
              f"{story}: whether it pays is not known")


def compare_text(tap, text, report, count, story):
    """The sentence and the table say the same numbers."""
    words = " ".join(text.split())
    hours = f"{report['all']['ham_delay']['hours']:.1f}"
    tap.ok(f"all of them together {hours} h" in words and f"wanted mail waited {hours} hours" in words,
           f"{story}: table and sentence agree", text)
    tap.ok("nobody has corrected or confirmed a verdict" in words and "No longer" not in words,
           f"{story}: without corrections it does not say that greylisting no longer pays", text)
    new = sum(count.rows[""][f"new {verdict}"] for verdict in ("ham", "spam", "unsure"))
    tap.ok((f"Left out of the delays: {new} that" in words) == (new > 0), f"{story}: it says what may be new messages", new, text)


def stats(daemon):
    return json.loads(daemon.get("/stats")[2])


def check_page(tap, store, report):
    """Of a store that a replay has taught, and nobody has asked."""
    daemon = Daemon(store=store)
    try:
        tap.ok(wait_for(lambda: stats(daemon)["report"], 100), "the daemon makes a report of what was replayed")
        page = " ".join(re.sub("<[^>]*>", " ", daemon.get("/")[2].decode()).split())
        tap.ok("Nobody has asked this server about mail in 30 days." in page and "no data yet" not in page,
               "the page does not call it no data", page)
        got = stats(daemon)["report"]
        tap.equal(got["all"]["ham_delay"], report["all"]["ham_delay"], "its numbers are those of the command")
        hours = f"{report['all']['ham_delay']['hours']:.1f}"
        tap.ok(f"wanted mail waited {hours} hours" in page and f"All delays of ham {hours}" in page.replace("\xa0h", ""),
               "and said in the same way", page)
        tap.ok('class="banner bad"' not in daemon.get("/")[2].decode(), "nothing of it is red")
    finally:
        daemon.close()


def check_one_mail(tap):
    """One mail that waited: every quantile is its delay."""
    daemon = Daemon("greylist.delay=2s")
    try:
        first = daemon.ask(client_address="192.0.2.9", sender="a@bank.example", recipient="r@example.org", instance="1")
        tap.ok(first.startswith("action=DEFER"), "a mail is deferred", first)
        replies = []
        wait_for(lambda: replies.append(daemon.ask(client_address="192.0.2.9", sender="a@bank.example",
                                                   recipient="r@example.org", instance=f"r{len(replies)}"))
                 or "PREPEND" in replies[-1], 60)
        delay = int(re.search(r"delayed (\d+) seconds", replies[-1]).group(1))
        tap.ok(wait_for(lambda: stats(daemon)["last_24_hours"]["passed"], 60), "and comes again")
        got = stats(daemon)["last_24_hours"]["delay"]
        tap.equal((got["count"], got["median_seconds"], got["p95_seconds"], got["p99_seconds"]), (1, delay, delay, delay),
                  "the median of one delay is that delay, and so are all quantiles")
        status = subprocess.run([GREYLAGCTL, "-c", "/dev/null", "-o", f"store.uri={daemon.store}", "status"],
                                stdout=subprocess.PIPE, text=True).stdout
        for title in ("delay, median", "delay, 95 % within"):
            line = next((line for line in status.splitlines() if title in line), "")
            tap.equal(line.replace(title, "").split(), [str(delay), "s"] * 3, f"status says so of {title}")
    finally:
        daemon.close()


def main():
    # Not on a disk if that can be: each of some thousand attempts is a commit.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with Tap() as tap, tempfile.TemporaryDirectory(prefix="greylag-report.", dir=memory) as stores:
        with open(tap.path("empty.conf"), "w"):
            pass
        reports = []
        for seed, delay, window, settings in (
                (1, 60, DAY, ["reputation.use=off"]),
                (2, 60, DAY, []),
                (3, 300, DAY, ["reputation.use=off"]),
                (4, 300, 2 * DAY, []),
                (5, 60, 3600, ["greylist.match_by_name=off"]),
                (6, 0, DAY, []),
                (7, 600, DAY, []),
                (8, 30, DAY, ["reputation.use=off"])):
            arguments = [GREYLAGCTL, "-c", tap.path("empty.conf"), "-o", "policy.user=", "-o", f"store.uri=lmdb:{stores}/{seed}",
                         "-o", f"greylist.delay={delay}s", "-o", f"greylist.retry_window={window}s",
                         # A slow machine lets nothing in undecided. A client that becomes known while it waits is let in before anybody looks at its triplet.
                         "-o", "store.timeout_ms=60000", "-o", "greylist.auto_whitelist_after=0", *[x for s in settings for x in ("-o", s)]]
            status, count, now = play(arguments, seed, delay, window)
            story = f"seed {seed}, delay {delay} s, window {window} s{''.join(', ' + s for s in settings)}"
            tap.equal(status, 0, f"{story}: replayed")
            out = subprocess.run([*arguments, "report", "--since", "20d", "--json"], stdout=subprocess.PIPE, text=True)
            report = json.loads(out.stdout)
            reports.append(report)
            # The traffic is worth the comparison.
            c = count.rows[""]
            tap.ok(c["returned"] > 50 and c["firsts"] - c["returned"] > 100 and c["delayed ham"] > 10 and c["delayed spam"] > 5,
                   f"{story}: there is something of everything", c)
            tap.ok(c["new ham"] > 5 or window < RETRY_GAP or not settings, f"{story}: and mail that may be new", c)
            compare(tap, report, count, story)
            text = subprocess.run([*arguments, "report", "--since", "20d"], stdout=subprocess.PIPE, text=True).stdout
            tap.ok(text and max(map(len, text.splitlines())) <= 80, f"{story}: the text fits a terminal", text)
            compare_text(tap, text, report, count, story)
        check_page(tap, f"lmdb:{stores}/1", reports[0])
        check_one_mail(tap)


if __name__ == "__main__":
    main()
