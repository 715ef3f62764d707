"""Wycheproof's JWS vectors: what must verify verifies, and nothing else does.

Six of the 476 are not decided as their label says, and these tests say of each why not. Two have the very bytes of a third that is
labelled valid, so no verifier can have all three. Four break a rule that the suite itself holds elsewhere, and that we hold always: a
key has one algorithm, and base64url has 64 characters."""

import base64
import hmac
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


DISPUTED = {"signature/346", "signature/347", "signature/350", "signature/351", "signature/372", "signature/373"}
MISSPELT_ALG = {"signature/347", "signature/351"}  # `ES521` on P-521: it can only be ES512, and is taken as that
TWO_ALGORITHMS = {"signature/346", "signature/350"}  # a key of PS256, a token of PS384
IDLE_CHARACTERS = {"signature/372", "signature/373"}  # a `?` that has to be thrown away before the signature fits
TWINS_OF_A_VALID_ONE = {"signature/367", "signature/370"}
REFUSED = {**dict.fromkeys(TWO_ALGORITHMS, "unknown key"), **dict.fromkeys(IDLE_CHARACTERS, "malformed")}


def test_every_vector_is_decided_as_it_must(cases, verdicts):
    wrong = {name for name, case in cases.items() if (verdicts[name] == "valid") != (case["result"] == "valid")}
    record("JWS, Wycheproof (6 contradict others: docs/trust-boundary.md)", len(cases) - len(wrong), len(cases))
    assert wrong == REFUSED.keys() | TWINS_OF_A_VALID_ONE
    assert len(cases) == 476


def test_what_is_disputed_is_taken_where_it_harms_nothing(cases, verdicts):
    assert {name for name, case in cases.items() if case.get("disputed")} == DISPUTED
    assert {name: verdicts[name] for name in DISPUTED} == REFUSED | dict.fromkeys(MISSPELT_ALG, "valid")
    # The same word on a curve that it does not name, and a word that no curve has.
    (other_curve,) = (name for name, case in cases.items() if case["group"] == "wrong_algorithm" and case["alg"] == ["ES521"])
    assert (cases[other_curve]["result"], verdicts[other_curve]) == ("invalid", "a key's curve is not its algorithm's")
    assert (cases["key/20"]["result"], verdicts["key/20"]) == ("invalid", "a key's `alg` is not supported, or not for its type")


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


def test_a_key_of_one_algorithm_verifies_no_other_whatever_a_label_says(cases, verdicts, decide_changed):
    """Each of these has a good signature of PS384 under a key that says otherwise; of like ones the suite refuses one and wants two."""
    assert (cases["signature/340"]["result"], verdicts["signature/340"]) == ("invalid", "unknown key")
    for name in {"signature/340"} | TWO_ALGORITHMS:
        assert verdicts[name] == "unknown key" and decide_changed(name, alg="PS384") == "valid"


def test_a_character_outside_the_alphabet_is_refused_whatever_a_label_says(cases, verdicts):
    """Those that are labelled valid verify only as other texts than the ones that came; the suite refuses a `?` everywhere else."""
    valid = cases["signature/357"]["jws"]
    with_it = {name for name, case in cases.items() if "?" in case["jws"]}
    assert len(with_it) == 7 and {name for name in with_it if cases[name]["result"] == "valid"} == IDLE_CHARACTERS
    assert {verdicts[name] for name in with_it} == {"malformed"}
    assert {cases[name]["jws"].replace("?", "") for name in IDLE_CHARACTERS | {"signature/361", "signature/362"}} == {valid}
    for name in IDLE_CHARACTERS:  # nobody has signed the bytes that came; those of 371 somebody has, and they are refused
        assert not is_signed(cases[name])
    assert is_signed(cases["signature/371"]) and cases["signature/371"]["result"] == "invalid"


def is_signed(case):
    """Whether the MAC of HS256 is over the bytes as they came."""
    text, _, signature = case["jws"].rpartition(".")
    mac = hmac.digest(base64.urlsafe_b64decode(case["key"]["k"] + "="), text.encode(), "sha256")
    return base64.urlsafe_b64encode(mac).decode().rstrip("=") == signature


def test_keys_that_are_weak_are_no_keys(verdicts):
    assert verdicts["key/8"] == "an RSA key is shorter than 2048 bits"
    assert verdicts["key/9"] == "an RSA key's modulus or exponent is not sound"
    assert verdicts["key/7"] == verdicts["crypto/46"] == "an RSA key was made by a generator known to be weak (CVE-2017-15361)"
    assert verdicts["key/10"] == verdicts["key/11"] == verdicts["key/12"] == "an HMAC key is shorter than its hash"
    assert verdicts["key/4"] == "two keys share a `kid`"
    assert verdicts["key/1"] == "secret and public keys are mixed in one set"
    assert verdicts["key/22"] == "a key's point is not on its curve"
