"""Keys that are fetched: the outbound role in its place, between a host of the test's own and tokens that the server must judge."""

import os
import re
import threading
import time

import pytest
from apps import build_app
from caller import Caller
from https import Authority, HttpsServer, reply
from server import ROOT, Server, build_dir, wait_for
from tokens import SigningKey, key_set, public_set

#: tests/http/callers has a bearer scheme `partner`; GET /partner wants the role `read` of it.
APP = ROOT / "tests" / "http" / "callers"
#: An unknown key has the set fetched no oftener than this (LIMIT_JWKS_AGAIN_US).
AGAIN_SECONDS = 30


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    return build_app("callers", APP, tmp_path_factory.mktemp("callers"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return [SigningKey(folder, f"k{n}") for n in range(3)]


class Issuer(HttpsServer):
    """A host that gives out the keys in `keys`; each answer waits for `gate`."""

    def __init__(self, certificate, key, *keys):
        self.keys = list(keys)
        self.gate = threading.Event()
        self.gate.set()
        super().__init__(certificate, key, self._answer)

    def _answer(self, handler):
        self.gate.wait(30)
        reply(handler, body=public_set(*self.keys))


def start(binary, folder, authority, issuer, host="localhost", flags=("--fetch-private", "localhost")):
    folder.mkdir(exist_ok=True)
    (folder / "keys.json").write_text(key_set())
    flags = ["--jwks", f"partner={issuer.url(host)}", "--ca-file", authority.certificate, "--limit-scale", "1000", *flags]
    return Server(folder, workers=1, binary=binary, flags=flags).start()


def ask(server, key, **claims):
    said = {"iss": "https://partner.example", "aud": "callers", "sub": "robot", "exp": int(time.time()) + 300,
            "permissions": "read", **claims}  # fmt: skip
    return Caller(server).get("/partner", fields={"Authorization": f"Bearer {key.token(said, typ='at+jwt')}"})


def outcomes(server):
    return re.findall(r'"role":"outbound".*"outcome":"(\w+)"', server.log)


# ---- what works --------------------------------------------------------------------------------------------------------
def test_a_token_of_a_fetched_key_is_accepted_and_the_role_is_closed_in(binary, tmp_path, authority, keys):
    with Issuer(*authority.issue(), keys[0]) as issuer, start(binary, tmp_path, authority, issuer) as server:
        answer = ask(server, keys[0])
        assert (answer.status, answer.json()) == (200, {"id": "p/robot", "roles": ["read"]}), answer
        assert ask(server, keys[1]).status == 401
        (pid,) = server.roles("outbound")
        if os.geteuid() == 0: # it is not dumpable: nobody else can look inside
            with open(f"/proc/{pid}/environ", "rb") as file:
                names = {entry.split(b"=")[0].decode() for entry in file.read().split(b"\0") if entry}
            assert "LIMEN_DATABASE" not in names and "LIMEN_CA_FILE" in names
            for name in os.listdir(f"/proc/{pid}/fd"):
                assert server.database_path.name not in os.readlink(f"/proc/{pid}/fd/{name}")
        with open(f"/proc/{pid}/status") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file)
        if build_dir().name == "build":
            assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert len(issuer.requests) == 1


def test_a_contract_without_urls_starts_no_outbound_role(make_shop):
    assert make_shop(workers=1).roles("outbound") == []


def test_keys_that_are_rotated_are_fetched_once(binary, tmp_path, authority, keys):
    """A new key is accepted at its first token, once the last fetch is long enough ago; strangers' keys have nothing fetched again."""
    with Issuer(*authority.issue(), keys[0]) as issuer, start(binary, tmp_path, authority, issuer) as server:
        assert ask(server, keys[0]).status == 200
        fetched_at = time.monotonic()
        issuer.keys = [keys[0], keys[1]]
        assert ask(server, keys[1]).status == 401, "too soon"
        assert len(issuer.requests) == 1
        time.sleep(max(0, fetched_at + AGAIN_SECONDS + 0.5 - time.monotonic()))
        assert ask(server, keys[1]).status == 200
        assert ask(server, keys[0]).status == 200
        for _ in range(5):
            assert ask(server, keys[2]).status == 401
        assert len(issuer.requests) == 2


# ---- what does not -----------------------------------------------------------------------------------------------------
def test_a_fetch_survives_the_death_of_the_outbound_role(binary, tmp_path, authority, keys):
    with Issuer(*authority.issue(), keys[0]) as issuer:
        issuer.gate.clear()
        with start(binary, tmp_path, authority, issuer) as server:
            assert wait_for(lambda: issuer.requests), "the fetch is under way"
            (before,) = server.roles("outbound")
            os.kill(before, 9)
            issuer.gate.set()
            assert wait_for(lambda: server.roles("outbound") not in ([], [before]))
            assert wait_for(lambda: ask(server, keys[0]).status == 200, seconds=30)
            assert '"why":"gone"' in server.log
            assert re.search(r'a role died.*"role":"outbound"', server.log)
            assert 'limen_restarts_total{role="outbound"} 1\n' in server.metrics()


def test_an_address_of_ours_is_refused_unless_it_is_allowed(binary, tmp_path, authority, keys):
    with Issuer(*authority.issue(), keys[0]) as issuer:
        with start(binary, tmp_path, authority, issuer, flags=()) as server:
            assert wait_for(lambda: outcomes(server))
            assert ask(server, keys[0]).status == 503
            assert set(outcomes(server)) == {"address"} and issuer.requests == []


def test_keys_of_a_host_that_is_not_believed_are_not_taken(binary, tmp_path, authority, keys):
    foreign = Authority(tmp_path, "foreign")
    with Issuer(*foreign.issue(), keys[0]) as issuer:
        with start(binary, tmp_path / "server", authority, issuer) as server:
            assert wait_for(lambda: outcomes(server))
            assert ask(server, keys[0]).status == 503
            assert set(outcomes(server)) == {"certificate"} and issuer.requests == []


@pytest.mark.parametrize("content", [None, "", "no certificate\n"])
def test_without_authorities_it_does_not_start(binary, tmp_path, authority, content):
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_text(content)
    (tmp_path / "keys.json").write_text(key_set())
    flags = ["--jwks", "partner=https://localhost:9/keys", "--ca-file", file]
    server = Server(tmp_path, workers=1, binary=binary, flags=flags).start(wait=False)
    assert server.wait(30) == 1
    assert str(file) in server.log
