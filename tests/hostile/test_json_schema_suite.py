"""The public JSON Schema suite, 2020-12: all of its required cases, all of `format`, and of the other optional ones what docs/json-schema.md says."""

import collections
import subprocess

import pytest
from scores import record
from server import ROOT, build_dir

SUITE = ROOT.parent / "shared" / "suites" / "json-schema"
pytestmark = pytest.mark.skipif(not SUITE.is_dir(), reason="the JSON Schema suite (../shared/suites/json-schema) is not on this machine")


def run(name, *options):
    """[(file, verdict, group, test, why)]"""
    binary = build_dir() / "tests" / "unit" / "contract" / "schema_suite"
    if not binary.exists():
        pytest.skip(f"{binary} is not there: only builds with the unit tests have it")
    done = subprocess.run([binary, SUITE / name, SUITE / "remotes.json", *options], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    cases = []
    for line in done.stdout.splitlines():
        verdict, file, group, test, why = line.split("\t")
        cases.append((file.split("/", 1)[1].removesuffix(".json"), verdict, group, test, why))
    return cases


def score(suite, cases):
    """Records it; returns what is wrong."""
    wrong = [case for case in cases if case[1] != "ok"]
    record(suite, len(cases) - len(wrong), len(cases))
    return wrong


def test_required():
    cases = run("required.jsonl")
    assert score("JSON Schema 2020-12, required", cases) == []
    assert len(cases) >= 1299


def test_formats():
    cases = [case for case in run("optional.jsonl", "formats") if case[0].startswith("format/")]
    assert score("JSON Schema 2020-12, format", cases) == []
    assert len(cases) >= 764


def documented():
    """{file: (passed, of)} from the table of docs/json-schema.md."""
    table = (line.split("|") for line in (ROOT / "docs" / "json-schema.md").read_text().splitlines() if " of " in line and line.startswith("| `"))
    return {cells[1].strip().strip("`"): tuple(map(int, cells[2].split(" of "))) for cells in table}


def test_other_optional_ones_are_as_documented():
    cases = [case for case in run("optional.jsonl") if not case[0].startswith("format/")]
    wrong = collections.Counter(case[0] for case in score("JSON Schema 2020-12, other optional", cases))
    counts = collections.Counter(case[0] for case in cases)
    assert {file: (count - wrong[file], count) for file, count in counts.items()} == documented()
