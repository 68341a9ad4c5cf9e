"""A strict reader of OpenMetrics 1.0 text (and of the older Prometheus text, which promtool checks)."""
import math, re

TYPES = {"counter", "gauge", "histogram", "info"}
SUFFIXES = {"counter": {"_total"}, "gauge": {""}, "histogram": {"_bucket", "_count", "_sum"}, "info": {"_info"}}
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"^({NAME})(?:\{{(.*)\}})? (\S+)$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
NUMBER = re.compile(r"^(\+Inf|-Inf|NaN|[-+]?\d+(\.\d+)?([eE][-+]?\d+)?)$")


class Bad(Exception):
    pass


def need(good, *what):
    if not good:
        raise Bad(" ".join(map(str, what)))


def labels_of(text):
    found, at = {}, 0
    while text and at < len(text):
        match = LABEL.match(text, at)
        need(match, "bad labels", text)
        need(match[1] not in found, "label twice", text)
        found[match[1]] = match[2]
        at = match.end()
    return found


def check_histogram(name, samples):
    buckets = [(labels["le"], value) for suffix, labels, value in samples if suffix == "_bucket"]
    bounds = [math.inf if le == "+Inf" else float(le) for le, _ in buckets]
    counts = [value for _, value in buckets]
    need(buckets and bounds[-1] == math.inf, name, "has no +Inf bucket")
    need(all("." in le or "e" in le or le == "+Inf" for le, _ in buckets), name, "le is not a canonical float")
    need(bounds == sorted(set(bounds)), name, "bounds do not rise")
    need(counts == sorted(counts), name, "buckets are not cumulative")
    single = {suffix: value for suffix, _, value in samples if suffix != "_bucket"}
    need(single["_count"] == counts[-1], name, "count is not the last bucket")
    need("_sum" in single and single["_sum"] >= 0, name, "has no sum")


class Reader:
    def __init__(self):
        self.families, self.name, self.meta, self.samples = {}, None, {}, []

    def close(self):
        if self.name is None:
            return
        need("TYPE" in self.meta and "HELP" in self.meta, self.name, "lacks TYPE or HELP")
        keys = [(suffix, tuple(sorted(labels.items()))) for suffix, labels, _ in self.samples]
        need(len(keys) == len(set(keys)), self.name, "has a sample twice")
        if self.meta["TYPE"] == "histogram" and self.samples:
            check_histogram(self.name, self.samples)
        self.families[self.name] = (self.meta, self.samples)

    def metadata(self, line):
        match = re.match(rf"^# (TYPE|UNIT|HELP) ({NAME}) (.+)$", line)
        need(match, "bad line", line)
        kind, name, text = match.groups()
        if name != self.name:
            self.close()
            need(name not in self.families, name, "is not in one piece")
            self.name, self.meta, self.samples = name, {}, []
        need(not self.samples and kind not in self.meta, "metadata twice or after samples", line)
        need(kind != "TYPE" or text in TYPES, "bad type", line)
        need(kind != "UNIT" or name.endswith("_" + text), "the name lacks its unit", line)
        self.meta[kind] = text

    def sample(self, line):
        match = SAMPLE.match(line)
        need(match, "bad sample", line)
        name, labels, number = match.groups()
        need(self.name and name.startswith(self.name), "a sample outside its family", line)
        suffix = name[len(self.name):]
        kind = self.meta.get("TYPE")
        need(kind and suffix in SUFFIXES[kind], "bad suffix", line)
        need(NUMBER.match(number), "bad number", line)
        value = float(number)
        need(kind not in ("counter", "histogram") or value >= 0, "negative", line)
        need(kind != "info" or value == 1, "info is not 1", line)
        self.samples.append((suffix, labels_of(labels), value))


def parse(text):
    """{family: (metadata, [(suffix, labels, value)])}; raises Bad."""
    need(text.endswith("# EOF\n"), "no # EOF at the end")
    need("\r" not in text, "carriage return")
    reader = Reader()
    for line in text[:-len("# EOF\n")].split("\n")[:-1]:
        need(line and line != "# EOF", "empty line or early EOF")
        reader.metadata(line) if line.startswith("#") else reader.sample(line)
    reader.close()
    return reader.families
