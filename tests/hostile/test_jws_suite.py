"""Wycheproof's JWS vectors: what must verify verifies, and nothing else does.

Eight of the 476 cannot be had as their label says, and this test says which: six are disputed by the suite itself, and two have
the very bytes of a third that is labelled valid."""

import json
import subprocess

import pytest
from scores import record
from server import ROOT, build_dir

SUITE = ROOT.parent / "shared" / "suites" / "jws" / "jws.jsonl"
pytestmark = pytest.mark.skipif(not SUITE.is_file(), reason="Wycheproof's JWS vectors (../shared/suites/jws) are not on this machine")


@pytest.fixture(scope="module")
def cases():
    return {case["id"]: case for case in map(json.loads, SUITE.read_text().splitlines())}


@pytest.fixture(scope="module")
def verdicts():
    binary = build_dir() / "tests" / "unit" / "data" / "jws_suite"
    if not binary.exists():
        pytest.skip(f"{binary} is not there: only builds with the unit tests have it")
    done = subprocess.run([binary, SUITE], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return {name: verdict for verdict, name in (line.split("\t") for line in done.stdout.splitlines())}


# A key whose `alg` says PS256 must not verify PS384, `ES521` is no algorithm, and base64url has no '?'.
DISPUTED = {
    "signature/346": "unknown key",
    "signature/350": "unknown key",
    "signature/347": "a key's `alg` is not supported, or not for its type",
    "signature/351": "a key's `alg` is not supported, or not for its type",
    "signature/372": "malformed",
    "signature/373": "malformed",
}
TWINS_OF_A_VALID_ONE = {"signature/367", "signature/370"}


def test_every_vector_is_decided_as_it_must(cases, verdicts):
    wrong = {name for name, case in cases.items() if (verdicts[name] == "valid") != (case["result"] == "valid")}
    record("JWS, Wycheproof", len(cases) - len(wrong), len(cases))
    assert wrong == DISPUTED.keys() | TWINS_OF_A_VALID_ONE
    assert len(cases) == 476


def test_what_is_disputed_is_refused(cases, verdicts):
    assert {name for name, case in cases.items() if case.get("disputed")} == DISPUTED.keys()
    assert {name: verdicts[name] for name in DISPUTED} == DISPUTED


def test_two_labels_contradict_a_third(cases):
    valid = cases["signature/357"]
    assert valid["result"] == "valid"
    for name in TWINS_OF_A_VALID_ONE:
        assert (cases[name]["jws"], cases[name]["key"]) == (valid["jws"], valid["key"])
        assert cases[name]["result"] == "invalid"


def test_keys_that_are_weak_are_no_keys(verdicts):
    assert verdicts["key/8"] == "an RSA key is shorter than 2048 bits"
    assert verdicts["key/9"] == "an RSA key's modulus or exponent is not sound"
    assert verdicts["key/7"] == verdicts["crypto/46"] == "an RSA key was made by a generator known to be weak (CVE-2017-15361)"
    assert verdicts["key/10"] == verdicts["key/11"] == verdicts["key/12"] == "an HMAC key is shorter than its hash"
    assert verdicts["key/4"] == "two keys share a `kid`"
    assert verdicts["key/1"] == "secret and public keys are mixed in one set"
    assert verdicts["key/22"] == "a key's point is not on its curve"
