#!/usr/bin/env python3
"""The rules of the house that a machine can check: which room may use which, sizes, what must not occur."""
import collections, glob, os, re, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "system"))
from policy import BUILD, SOURCE, Tap

# The floors of the house, from the ground up.
LAYERS = ["lib", "db", "classifier", "policyd"]

# Each room, and those whose headers it may include and whose functions it may call. Every arrow is
# used, and none leads back to where it came from.
ROOMS = {room: set(others.split()) for room, others in {
    "lib": "",
    "db": "lib",
    "db/fallback": "lib db",
    "db/history": "lib db",
    "db/lmdb": "lib db",
    "db/redis": "lib db",
    "db/open": "db db/fallback db/lmdb db/redis",
    "classifier/mail": "lib",
    "classifier/features": "lib db/history classifier/mail",
    "classifier/model": "classifier/mail classifier/features",
    "classifier/bank": "lib db db/history db/open classifier/mail classifier/features classifier/model",
    "classifier/cli": "lib db db/history classifier/mail classifier/features classifier/model classifier/bank",
    "classifier": "lib db classifier/bank classifier/cli",
    "policyd/decide": "lib db db/history",
    "policyd/program": "lib policyd/decide",
    "policyd/stats": "lib db db/history classifier/bank policyd/decide",
    "policyd/daemon": "lib db db/open policyd/decide policyd/program policyd/stats",
    "policyd/view": "lib db policyd/decide policyd/stats policyd/daemon",
    "policyd/ctl": "lib db db/history db/open policyd/decide policyd/program policyd/stats policyd/daemon policyd/view",
    "policyd/http": "lib db classifier/mail policyd/decide policyd/program policyd/stats policyd/daemon policyd/view",
    "policyd/milter": "lib db db/history db/open classifier/mail classifier/features classifier/model classifier/bank policyd/decide policyd/program",
    "policyd": "lib db db/open classifier/mail policyd/decide policyd/program policyd/stats policyd/daemon policyd/ctl policyd/http policyd/milter",
}.items()}

# A library's header, and the modules that it belongs to.
OWNERS = {
    "lmdb.h": "db/lmdb/",
    "hiredis/hiredis_ssl.h": "db/redis/tls",
    "openssl/": "db/redis/tls",
    "hiredis": "db/redis/",
    "pcre2.h": "lib/pattern",
    "gmime/": "classifier/mail/content",
    "libxml/": "classifier/mail/html",
    "libpsl.h": "lib/clientname",
    "microhttpd.h": "policyd/http/http",
    "libmilter/": "policyd/milter/milter",
    "sodium.h": "lib/keyedhash|classifier/mail/(canonical|message)",
    "ev.h": "policyd/(greylagd|http/http|daemon/(keeper|server))",
    "jansson.h": "policyd/(ctl|view|stats)/|classifier/cli/",
}

FORBIDDEN = ["strcpy", "strcat", "sprintf", "vsprintf", "gets", "atoi", "strtok", "system", "alloca"]
LINES_OF_FILE = 800
LINES_OF_FUNCTION = 80
BRANCHES = 20  # of a function, with the way straight through
COLUMNS = 100


def sources(*folders):
    for folder in folders:
        for root, _, names in os.walk(os.path.join(SOURCE, folder)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    path = os.path.join(root, name)
                    with open(path, encoding="utf-8") as f:
                        yield os.path.relpath(path, SOURCE), f.read()


def without_comments_and_strings(text):
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def includes(text, kind):
    pattern = {"own": r'^#\s*include\s+"([^"]+)"', "library": r"^#\s*include\s+<([^>]+)>"}[kind]
    return [(text.count("\n", 0, m.start()) + 1, m.group(1)) for m in re.finditer(pattern, text, re.M)]


def room(path):
    return os.path.dirname(path)


def arrows(files):
    """(place, room, the room that it includes a header of)"""
    for path, text in files:
        for line, name in includes(text, "own"):
            if name != "config.h" and room(name) != room(path):
                yield f"{path}:{line}", room(path), room(name)


def wrong_arrows(files):
    for place, origin, target in arrows(files):
        if target not in ROOMS.get(origin, ()):
            yield f"{place}: {origin} may not use {target}"


def symbols(rooms):
    """What nm says of the objects of each room: (room, object, kind, symbol)"""
    for name in rooms:
        for source in sorted(glob.glob(os.path.join(SOURCE, name, "*.c"))):
            path = os.path.join(BUILD, os.path.relpath(source, SOURCE)[:-1] + "o")
            if not os.path.exists(path):
                continue  # a driver that is not built in
            out = subprocess.run(["nm", "-A", "-P", path], capture_output=True, text=True, check=True).stdout
            for line in out.splitlines():
                symbol, kind = line.split(": ", 1)[1].split()[:2]
                yield name, os.path.relpath(path, BUILD), kind, symbol


def calls(symbols):
    """(object, room, the room that it calls, the function): by whatever header it came to know it."""
    symbols = list(symbols)
    home = {symbol: name for name, _, kind, symbol in symbols if kind in "TDBRVC"}
    for name, path, kind, symbol in symbols:
        if kind == "U" and home.get(symbol, name) != name:
            yield path, name, home[symbol], symbol


def wrong_calls(symbols):
    for path, name, target, symbol in calls(symbols):
        if target not in ROOMS[name]:
            yield f"{path}: {symbol}() of {target}, which {name} may not use"


def circles():
    def reached(name, seen):
        for other in ROOMS[name] - seen:
            seen.add(other)
            reached(other, seen)
        return seen
    return [f"{name} uses itself in the end" for name in ROOMS if name in reached(name, set())]


def floors():
    for name, others in ROOMS.items():
        for other in others:
            if LAYERS.index(other.split("/")[0]) > LAYERS.index(name.split("/")[0]):
                yield f"{other} is above {name}"


def unused_arrows(files, symbols):
    used = collections.defaultdict(set)
    for _, origin, target in arrows(files):
        used[origin].add(target)
    for _, origin, target, _ in calls(symbols):
        used[origin].add(target)
    for name, others in ROOMS.items():
        for other in sorted(others - used[name]):
            yield f"{name} does not use {other}"


def strangers(files):
    """Files outside of all rooms, and rooms without a README."""
    for path, _ in files:
        if room(path) not in ROOMS:
            yield f"{path} lies in no room"
    for name in ROOMS:
        if name != "lib" and not os.path.exists(os.path.join(SOURCE, name, "README")):
            yield f"{name} has no README"


def wrong_owners(files):
    for path, text in files:
        for line, name in includes(text, "library"):
            for header, owner in OWNERS.items():
                if name == header or (header[-2:] != ".h" and name.startswith(header)):
                    if not re.match(owner, path):
                        yield f"{path}:{line}: <{name}> belongs to {owner}"


def forbidden_calls(files):
    calls = re.compile(r"(?<![\w.>])(" + "|".join(FORBIDDEN) + r")\s*\(")
    for path, text in files:
        for m in calls.finditer(without_comments_and_strings(text)):
            yield f"{path}:{text.count(chr(10), 0, m.start()) + 1}: {m.group(1)}()"


def marks(files):
    for path, text in files:
        for m in re.finditer(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b", text):
            yield f"{path}:{text.count(chr(10), 0, m.start()) + 1}: {m.group()}"


def long_files(files):
    for path, text in files:
        if text.count("\n") > LINES_OF_FILE:
            yield f"{path}: {text.count(chr(10))} lines"


def long_lines(files):
    for path, text in files:
        for number, line in enumerate(text.split("\n"), 1):
            if len(line.expandtabs(8)) > COLUMNS:
                yield f"{path}:{number}: {len(line.expandtabs(8))} columns"


def functions(files):
    """(path, name, first line, last line, the lines without comments and strings)"""
    texts = {os.path.join(SOURCE, path): text for path, text in files if path.endswith(".c")}
    out = subprocess.run(["ctags", "--languages=C", "--kinds-C=f", "--fields=+ne", "-o", "-", *texts],
                         capture_output=True, text=True, check=True).stdout
    bare = {path: without_comments_and_strings(text).split("\n") for path, text in texts.items()}
    for tag in out.splitlines():
        name, path, *fields = tag.split("\t")
        extent = dict(f.split(":", 1) for f in fields[1:] if ":" in f)
        if "end" in extent:
            first, last = int(extent["line"]), int(extent["end"])
            yield os.path.relpath(path, SOURCE), name, first, last, bare[path][first - 1:last]


def long_functions(functions):
    for path, name, first, last, _ in functions:
        if last - first + 1 > LINES_OF_FUNCTION:
            yield f"{path}: {name}(), {last - first + 1} lines"


def branches(lines):
    """McCabe's number: each place where the way parts, and one."""
    return 1 + len(re.findall(r"\b(?:if|for|while|case)\b|&&|\|\||\?", "\n".join(lines)))


def winding_functions(functions):
    for path, name, _, _, lines in functions:
        if branches(lines) >= BRANCHES:
            yield f"{path}: {name}() has {branches(lines)} branches"


def late_configs(files):
    """What config.h defines (_GNU_SOURCE) has to be defined before any header is read."""
    for path, text in files:
        first = re.search(r"^#\s*include.*$", text, re.M)
        if path.endswith(".c") and first and first.group() != '#include "config.h"':
            yield f"{path}: {first.group()} comes before config.h"


def guards(files):
    for path, text in files:
        guard = "GREYLAG_" + re.sub(r"[/.]", "_", path).upper()
        if path.endswith(".h") and f"#ifndef {guard}\n#define {guard}\n" not in text:
            yield f"{path}: no guard {guard}"


with Tap() as tap:
    ours = list(sources(*LAYERS))
    everything = ours + list(sources("tests"))
    parts = list(functions(everything))
    linked = list(symbols(ROOMS))
    tap.ok(len(ours) > 40, "the sources are found", len(ours))
    for name, faults in {
        "each file lies in a room, and each room has a README": strangers(ours),
        "policyd -> classifier -> db -> lib, never upwards": floors(),
        "no room uses itself by way of others": circles(),
        "a room includes only what it may use": wrong_arrows(ours),
        "and calls only that": wrong_calls(linked),
        "no room may use what it does not use": unused_arrows(ours, linked),
        "each library's header is included by the module that it belongs to": wrong_owners(ours),
        "no forbidden function is called": forbidden_calls(everything),
        "nothing is marked as unfinished": marks(everything),
        f"no file has over {LINES_OF_FILE} lines": long_files(everything),
        f"no line has over {COLUMNS} columns": long_lines(everything),
        f"no function has over {LINES_OF_FUNCTION} lines": long_functions(parts),
        f"and none has {BRANCHES} branches": winding_functions(parts),
        "config.h comes first": late_configs(everything),
        "each header has its guard": guards(ours),
    }.items():
        found = list(faults)
        tap.ok(not found, name, *found)
    # That the check can fail is a promise, too.
    bad = [("db/lmdb/x.c", '#include "policyd/decide/rules.h"\n#include <pcre2.h>\nint f(void) { return atoi("1"); }\n')]
    tap.equal([len(list(check(bad))) for check in (wrong_arrows, wrong_owners, forbidden_calls)], [1, 1, 1],
              "a file that breaks the rules is found out")
    tap.equal(list(wrong_calls([("db", "db/x.o", "U", "rules_new"), ("policyd/decide", "rules.o", "T", "rules_new")])),
              ["db/x.o: rules_new() of policyd/decide, which db may not use"], "and so is a call")
