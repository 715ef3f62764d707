"""The public JSONTestSuite: what must be read is, what must not is refused, and each case left open is decided as docs/json.md says."""

import collections
import re
import subprocess

import pytest
from scores import record
from server import ROOT, build_dir

SUITE = ROOT.parent / "shared" / "suites" / "json-parsing" / "test_parsing"
pytestmark = pytest.mark.skipif(not SUITE.is_dir(), reason="JSONTestSuite (../shared/suites/json-parsing) is not on this machine")

# Read to their end and found well-formed, as the suite wants; then refused, for I-JSON allows no duplicates: docs/json.md says why.
DUPLICATES = {"y_object_duplicated_key", "y_object_duplicated_key_and_value"}
TWICE = "a member name occurs twice in an object"


def decisions():
    """{case: "read" or "refused"}, from the table of docs/json.md."""
    decided = {}
    for cases, decision in re.findall(r"^\| (`[^|]+) \| (read|refused)\b", (ROOT / "docs" / "json.md").read_text(), re.MULTILINE):
        decided.update({f"i_{case}": decision for case in re.findall(r"`([^`]+)`", cases)})
    return decided


def test_each_text_is_read_or_refused_as_it_must():
    binary = build_dir() / "tests" / "unit" / "contract" / "json_suite"
    if not binary.exists():
        pytest.skip(f"{binary} is not there: only builds with the unit tests have it")
    files = sorted(SUITE.glob("[yni]_*.json"))
    done = subprocess.run([binary, *files], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said = dict(zip((file.stem for file in files), (line.split(b"\t")[0].decode() for line in done.stdout.splitlines())))
    wanted = {case: {"y": "read", "n": "refused"}.get(case[0]) or decisions().get(case) for case in said}
    wrong = {case: outcome for case, outcome in said.items() if (outcome in ("read", TWICE)) != (wanted[case] == "read")}
    counts, right = collections.Counter(case[0] for case in said), collections.Counter(case[0] for case in said if case not in wrong)
    record("JSONTestSuite, must be well-formed (2 of them are then refused as duplicates)", right["y"], counts["y"])
    record("JSONTestSuite, must be refused", right["n"], counts["n"])
    record("JSONTestSuite, decided as documented", right["i"], counts["i"])
    assert len(said) == len(files) >= 318
    assert not wrong
    assert {case for case, outcome in said.items() if outcome == TWICE} == DUPLICATES
    assert set(decisions()) == {case for case in said if case[0] == "i"}, "each open case stands in the table, and no other"
