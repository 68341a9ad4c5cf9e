#!/usr/bin/env python3
"""The rules of the house that a machine can check: who may include whom, sizes, what must not occur."""
import os, re, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "system"))
from policy import SOURCE, Tap

# Each folder may include itself and what stands before it.
LAYERS = ["lib", "db", "classifier", "policyd"]

# A library's header, and the modules that it belongs to.
OWNERS = {
    "lmdb.h": "db/store_lmdb",
    "hiredis/hiredis_ssl.h": "db/store_redis_tls",
    "openssl/": "db/store_redis_tls",
    "hiredis": "db/store_redis",
    "pcre2.h": "lib/pattern",
    "gmime/": "classifier/content",
    "libxml/": "classifier/html",
    "libpsl.h": "lib/clientname",
    "microhttpd.h": "policyd/http",
    "libmilter/": "policyd/milter",
    "sodium.h": "lib/keyedhash|classifier/(canonical|message)",
    "ev.h": "policyd/(greylagd|http|keeper|server)",
    "jansson.h": "policyd/(ctl|http|stats)|classifier/cli_",
}

FORBIDDEN = ["strcpy", "strcat", "sprintf", "vsprintf", "gets", "atoi", "strtok", "system", "alloca"]
LINES_OF_FILE = 800
LINES_OF_FUNCTION = 80
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


def wrong_layers(files):
    for path, text in files:
        allowed = LAYERS[:LAYERS.index(path.split("/")[0]) + 1]
        for line, name in includes(text, "own"):
            if name != "config.h" and name.split("/")[0] not in allowed:
                yield f"{path}:{line}: includes {name}"


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


def long_functions(files):
    paths = [os.path.join(SOURCE, path) for path, _ in files if path.endswith(".c")]
    out = subprocess.run(["ctags", "--languages=C", "--kinds-C=f", "--fields=+ne", "-o", "-", *paths],
                         capture_output=True, text=True, check=True).stdout
    for tag in out.splitlines():
        fields = tag.split("\t")
        extent = dict(f.split(":", 1) for f in fields[3:] if ":" in f)
        if "end" in extent and int(extent["end"]) - int(extent["line"]) + 1 > LINES_OF_FUNCTION:
            yield f"{os.path.relpath(fields[1], SOURCE)}: {fields[0]}(), " \
                  f"{int(extent['end']) - int(extent['line']) + 1} lines"


def guards(files):
    for path, text in files:
        guard = "GREYLAG_" + re.sub(r"[/.]", "_", path).upper()
        if path.endswith(".h") and f"#ifndef {guard}\n#define {guard}\n" not in text:
            yield f"{path}: no guard {guard}"


with Tap() as tap:
    ours = list(sources(*LAYERS))
    everything = ours + list(sources("tests"))
    tap.ok(len(ours) > 40, "the sources are found", len(ours))
    for name, faults in {
        "policyd -> classifier -> db -> lib, never upwards": wrong_layers(ours),
        "each library's header is included by the module that it belongs to": wrong_owners(ours),
        "no forbidden function is called": forbidden_calls(everything),
        "nothing is marked as unfinished": marks(everything),
        f"no file has over {LINES_OF_FILE} lines": long_files(everything),
        f"no line has over {COLUMNS} columns": long_lines(everything),
        f"no function has over {LINES_OF_FUNCTION} lines": long_functions(everything),
        "each header has its guard": guards(ours),
    }.items():
        found = list(faults)
        tap.ok(not found, name, *found)
    # That the check can fail is a promise, too.
    bad = [("db/x.c", '#include "policyd/policy.h"\n#include <pcre2.h>\nint f(void) { return atoi("1"); }\n')]
    tap.equal([len(list(check(bad))) for check in (wrong_layers, wrong_owners, forbidden_calls)], [1, 1, 1],
              "a file that breaks the rules is found out")
