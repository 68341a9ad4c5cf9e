"""What benchmarks of the classifier share: a labelled corpus, and cases that are asked for by name."""
import argparse
import os


def read_index(path):
    """(label, path) of each line "spam|ham PATH", as contrib/fetch-corpus makes them; paths that are not absolute
    begin where the index is."""
    base = os.path.dirname(os.path.abspath(path))
    with open(path, encoding="utf-8", errors="surrogateescape") as lines:
        pairs = [line.rstrip("\n").split(" ", 1) for line in lines if line.strip()]
    return [(label, os.path.join(base, name)) for label, name in pairs]


def cases_of(names):
    """The functions case_NAME among NAMES, by NAME, in their order."""
    return {name[len("case_"):]: case for name, case in names.items() if name.startswith("case_")}


def parser_of(about):
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--build", default=".", help="where classifier/greylag is")
    return parser


def parse(parser, cases):
    """The options, with INDEX and the CASEs that are asked for."""
    parser.add_argument("index", metavar="INDEX")
    parser.add_argument("cases", metavar="CASE", nargs="*", help=" ".join(cases))
    options = parser.parse_args()
    unknown = set(options.cases) - set(cases)
    if unknown:
        parser.error(f"no case {' '.join(sorted(unknown))}; there are {' '.join(cases)}")
    return options
