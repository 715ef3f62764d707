"""The public JSON Schema suite, 2020-12: what the program does not support it refuses, and what it does support it does right."""

import collections
import subprocess

import pytest
from server import ROOT, build_dir

SUITE = ROOT.parent / "shared" / "suites" / "json-schema"
pytestmark = pytest.mark.skipif(not SUITE.is_dir(), reason="the JSON Schema suite (../shared/suites/json-schema) is not on this machine")

# References by name and between documents. A contract that uses them is refused; read as the standard has it they are annotations.
NOT_YET = {"anchor", "defs", "dynamicRef", "ref", "refRemote", "vocabulary", "unevaluatedItems", "unevaluatedProperties"}
ANNOTATIONS_HERE = {"dynamicRef", "vocabulary"}


def run(name, *options):
    binary = build_dir() / "tests" / "unit" / "contract" / "schema_suite"
    if not binary.exists():
        pytest.skip(f"{binary} is not there: only builds with the unit tests have it")
    done = subprocess.run([binary, SUITE / name, *options], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    verdicts = collections.defaultdict(collections.Counter)
    wrong = []
    for line in done.stdout.splitlines():
        verdict, file, group, test, _ = line.split("\t")
        keyword = file.split("/", 1)[1].removesuffix(".json")
        verdicts[keyword][verdict.split()[0]] += 1
        if verdict.startswith("WRONG"):
            wrong.append((keyword, group, test))
    for keyword, counts in sorted(verdicts.items()):
        print(f"{keyword:40} {dict(counts)}")
    return verdicts, wrong


def test_what_is_supported_is_right():
    verdicts, wrong = run("required.jsonl")
    assert [case for case in wrong if case[0] not in ANNOTATIONS_HERE] == []
    refused = {keyword for keyword, counts in verdicts.items() if counts["refused"]}
    assert refused <= NOT_YET, "nothing else is refused"
    assert sum(counts["ok"] for counts in verdicts.values()) >= 1178


def test_formats_that_are_supported_are_right():
    verdicts, wrong = run("optional.jsonl", "formats")
    names_of_other_scripts = {"format/hostname", "format/idn-hostname", "format/idn-email"}
    patterns = {"format/ecmascript-regex", "format/regex"}  # only `pattern` itself is held against ECMA-262 at start
    older = {"dependencies-compatibility"}
    assert {case[0] for case in wrong} <= names_of_other_scripts | patterns | older
    assert sum(counts["ok"] for counts in verdicts.values()) >= 813
