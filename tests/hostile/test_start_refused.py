"""A contract with a hole does not start: exit 1, the line and the mend, and nothing listens.

Each hole is made in a copy of the app's binary: a declaration becomes spaces, and the copy is started as any server is.
"""

import re
import socket
import subprocess

import pytest
from altered import CONTRACT, app_with, replaced
from server import build_dir, free_port

# name: (behind which text, the declaration that goes, what the refusal says, what the mend says)
HOLES = {
    "who may call it": ("operationId: createAccount", "security: []",
                        "operation 'createAccount' does not say who may call it", "security: [{ session: [ROLE] }]"),
    "which role may call it": ("operationId: checkout", "security: [{ session: [customer] }]",
                               "operation 'checkout' does not say who may call it", "security: [{ session: [ROLE] }]"),
    "how often": ("openapi:", "x-rate-limit: 240/minute per caller",
                  "declares no rate limit", "x-rate-limit: 60/minute per caller"),
    "what comes out": ("operationId: getMe", "content: { application/json: { schema: { $ref: '#/components/schemas/Principal' } } }",
                       "the reply 200 of 'getMe' has no schema", "add `content`"),
    "the bound of a text": (" NewAccount:", ", maxLength: 80", "the string 'name' has no bound", "add `maxLength`"),
    "the least of a number": (" CheckoutLine:", ", minimum: 1", "the number 'quantity' has no bounds", "add `minimum`"),
    "the most of a number": (" CheckoutLine:", ", maximum: 99", "the number 'quantity' has no bounds", "`maximum`"),
    "the bound of a list": (" CheckoutRequest:", "maxItems: 50", "the array 'lines' has no bound", "add `maxItems`"),
    "that nothing else goes in": (" CheckoutLine:", "additionalProperties: false",
                                  "admits members that it does not declare", "add `additionalProperties: false`"),
    "that nothing else comes out": (" Principal:", "additionalProperties: false",
                                    "admits members that it does not declare", "add `additionalProperties: false`"),
}  # fmt: skip


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(binary, folder):
    ports = free_port(), free_port()
    run = subprocess.run(
        [binary, "run", "--listen", f"127.0.0.1:{ports[0]}", "--operator", f"127.0.0.1:{ports[1]}",
         "--database", f"sqlite:{folder}/var/shop.db"],
        cwd=folder, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert not any(listens(port) for port in ports)
    return run


def assert_refused(run, says, mend):
    assert run.returncode == 1, run.stdout + run.stderr
    said = [line for line in run.stderr.splitlines() if says in line]
    assert said, run.stderr
    assert re.match(r"(\S*/)?api\.yaml:\d+:\d+: error: ", said[0]), said[0]
    assert mend in run.stderr


@pytest.mark.parametrize("name", HOLES)
def test_a_contract_with_a_hole_does_not_start(tmp_path, name):
    place, declaration, says, mend = HOLES[name]
    changed = replaced(CONTRACT.read_text(), place, declaration)
    run = start(app_with(changed.encode(), tmp_path), tmp_path)
    assert_refused(run, says, mend)
    assert not (tmp_path / "var").exists(), "not even the database was touched"


@pytest.mark.parametrize("name", HOLES)
def test_check_names_the_line_and_the_mend(tmp_path, name):
    place, declaration, says, mend = HOLES[name]
    (tmp_path / "api.yaml").write_text(replaced(CONTRACT.read_text(), place, declaration))
    run = subprocess.run([build_dir() / "limen", "check", "api.yaml"], cwd=tmp_path, capture_output=True, text=True)
    assert_refused(run, says, mend)


def test_the_whole_contract_starts(tmp_path):
    """The way of the tests above does not break a binary by itself."""
    app = app_with(CONTRACT.read_bytes(), tmp_path)
    run = subprocess.run([app, "check"], cwd=tmp_path, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")


def test_every_hole_is_told_at_once(tmp_path):
    text = CONTRACT.read_text()
    for place, declaration, _, _ in HOLES.values():
        text = replaced(text, place, declaration) if declaration in text[text.index(place) :] else text
    (tmp_path / "api.yaml").write_text(text)
    run = subprocess.run([build_dir() / "limen", "check", "api.yaml"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 1
    assert len(re.findall(r"^\S+:\d+:\d+: error: ", run.stderr, re.MULTILINE)) >= 5, run.stderr
