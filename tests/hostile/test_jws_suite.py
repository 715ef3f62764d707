"""Wycheproof's JWS vectors: what must verify verifies, and nothing else does.

Eight of the 476 cannot be had as their label says, and these tests say why not: whatever took one of them would get others of the
same suite wrong. Two have the very bytes of a third that is labelled valid; six are disputed by the suite itself."""

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


def decide(path):
    binary = build_dir() / "tests" / "unit" / "data" / "jws_suite"
    if not binary.exists():
        pytest.skip(f"{binary} is not there: only builds with the unit tests have it")
    done = subprocess.run([binary, path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return {name: verdict for verdict, name in (line.split("\t") for line in done.stdout.splitlines())}


@pytest.fixture(scope="module")
def verdicts():
    return decide(SUITE)


@pytest.fixture
def decide_changed(cases, tmp_path):
    """The verdict on a vector with another token, or with another `alg` in its key."""

    def changed(name, jws=None, alg=None):
        case = json.loads(json.dumps(cases[name]))
        case["jws"] = jws or case["jws"]
        if alg:
            case["key"].get("keys", [case["key"]])[0]["alg"] = alg
        (tmp_path / "one.jsonl").write_text(json.dumps(case) + "\n")
        return decide(tmp_path / "one.jsonl")[name]

    return changed


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


@pytest.mark.parametrize("part", [0, 1, 2], ids=["header", "payload", "signature"])
@pytest.mark.parametrize("padding", ["=", "=="])
def test_padding_which_their_names_speak_of_is_refused(cases, decide_changed, part, padding):
    parts = cases["signature/357"]["jws"].split(".")
    parts[part] += padding
    assert decide_changed("signature/357", ".".join(parts)) == "malformed"


def test_what_is_disputed_differs_from_what_the_suite_refuses_in_nothing_that_a_rule_could_see(cases, verdicts, decide_changed):
    """Each would verify but for what a refused one would verify but for, too."""
    # a key of PS512 and a token of PS384; a key of PS256 and a token of PS384
    assert (cases["signature/340"]["result"], verdicts["signature/340"]) == ("invalid", "unknown key")
    for name in ("signature/340", "signature/346", "signature/350"):
        assert decide_changed(name, alg="PS384") == "valid"
    # an `alg` that names no algorithm: ES224 beside a good signature of ES256, ES521 beside one of ES512
    assert (cases["key/20"]["result"], verdicts["key/20"]) == ("invalid", verdicts["signature/347"])
    assert decide_changed("key/20", alg="ES256") == "valid"
    # a `?` in the last part; one in the first or second, over which nobody has signed
    valid = cases["signature/357"]["jws"]
    assert (cases["signature/362"]["result"], cases["signature/362"]["jws"]) == ("invalid", valid + "?")
    for name in ("signature/362", "signature/372", "signature/373"):
        assert cases[name]["jws"].replace("?", "") == valid and verdicts[name] == "malformed"


def test_keys_that_are_weak_are_no_keys(verdicts):
    assert verdicts["key/8"] == "an RSA key is shorter than 2048 bits"
    assert verdicts["key/9"] == "an RSA key's modulus or exponent is not sound"
    assert verdicts["key/7"] == verdicts["crypto/46"] == "an RSA key was made by a generator known to be weak (CVE-2017-15361)"
    assert verdicts["key/10"] == verdicts["key/11"] == verdicts["key/12"] == "an HMAC key is shorter than its hash"
    assert verdicts["key/4"] == "two keys share a `kid`"
    assert verdicts["key/1"] == "secret and public keys are mixed in one set"
    assert verdicts["key/22"] == "a key's point is not on its curve"
