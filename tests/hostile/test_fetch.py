"""A host that is fetched from is a stranger: each thing that it may not do, and how the fetch ends then.

`fetch_driver` has both ends of a fetch in one process; the hosts are the tests' own, on loopback.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time

import own_internet
import pytest
from https import Authority, HttpsServer, reply
from own_internet import PUBLIC
from server import build_dir

DRIVER = build_dir() / "tests" / "unit" / "outbound" / "fetch_driver"
pytestmark = pytest.mark.skipif(not DRIVER.exists(), reason="this build has no tests in it")

MOST = 64 * 1024
PUBLIC_AND_AWAY = "12.7.7.8"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("fetch"))


@pytest.fixture(scope="module")
def good(authority):
    return authority.issue()


def fetch(authority, *urls, env=None):
    """{number: (outcome, status, bytes)}, and the log's lines."""
    done = subprocess.run([DRIVER, authority.certificate, *urls], capture_output=True, text=True, timeout=60,
                          env=dict(os.environ, **(env or {})))  # fmt: skip
    assert done.returncode == 0 and "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    ended = {}
    for line in done.stdout.splitlines():
        number, outcome, status, size = line.split()
        assert int(number) not in ended
        ended[int(number)] = (outcome, int(status), int(size))
    assert len(ended) == len(urls)
    return ended, [json.loads(line) for line in done.stderr.splitlines()]


def fetch_one(authority, url, **options):
    """What came of it; the log must say the same."""
    ended, log = fetch(authority, url, **options)
    assert [line["outcome"] for line in log] == [ended[0][0]], log
    return ended[0]


# ---- what works --------------------------------------------------------------------------------------------------------
def test_a_document_is_fetched(authority, good):
    with HttpsServer(*good, lambda handler: reply(handler, body=b'{"keys":[]}')) as host:
        assert fetch_one(authority, "+" + host.url()) == ("ok", 200, 11)
        assert fetch_one(authority, "+" + host.url(host="127.0.0.1", path="/keys?a=secret")) == ("ok", 200, 11)
        assert host.requests == ["/keys", "/keys?a=secret"]


def test_a_body_of_exactly_the_ceiling_is_fetched(authority, good):
    with HttpsServer(*good, lambda handler: reply(handler, body=b"x" * MOST)) as host:
        assert fetch_one(authority, "+" + host.url()) == ("ok", 200, MOST)


def test_sixteen_at_once(authority, good):
    with HttpsServer(*good, lambda handler: reply(handler, body=b"x" * int(handler.path[1:]))) as host:
        ended, _ = fetch(authority, *("+" + host.url(path=f"/{n * 4096}") for n in range(16)))
        assert ended == {n: ("ok", 200, n * 4096) for n in range(16)}


def test_the_log_has_no_query(authority, good):
    with HttpsServer(*good, reply) as host:
        _, log = fetch(authority, "+" + host.url(path="/keys?token=secret"))
        assert log[0]["url"] == host.url() and "secret" not in json.dumps(log)


# ---- whom it believes --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("names", "days", "outcome"),
    [
        ("DNS:elsewhere.example", 2, "host_name"),
        ("DNS:*.localhost", 2, "host_name"),
        ("DNS:localhost.elsewhere.example", 2, "host_name"),
        ("DNS:localhost", -1, "certificate"),
    ],
)
def test_a_wrong_certificate_is_refused(authority, names, days, outcome):
    with HttpsServer(*authority.issue(names, days), reply) as host:
        assert fetch_one(authority, "+" + host.url())[0] == outcome
        assert host.requests == []


def test_a_name_in_the_certificate_is_no_address(authority):
    with HttpsServer(*authority.issue("DNS:localhost"), reply) as host:
        assert fetch_one(authority, "+" + host.url(host="127.0.0.1"))[0] == "host_name"


def test_a_certificate_of_another_authority_is_refused(authority, tmp_path):
    foreign = Authority(tmp_path, "foreign")
    with HttpsServer(*foreign.issue(), reply) as host:
        assert fetch_one(authority, "+" + host.url())[0] == "certificate"
        assert fetch_one(foreign, "+" + host.url())[0] == "ok"
        # Neither does the environment name another authority.
        assert fetch_one(authority, "+" + host.url(), env={"SSL_CERT_FILE": str(foreign.certificate)})[0] == "certificate"


def test_plain_http_is_no_tls(authority):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        threading.Thread(target=serve, daemon=True).start()
        assert fetch_one(authority, f"+https://localhost:{listener.getsockname()[1]}/")[0] == "tls"


@pytest.mark.parametrize("url", ["http://localhost/", "ftp://localhost/", "file:///etc/passwd", "https://a:b@localhost/", "https://",
                                 "https://localhost/#part", "localhost", "//localhost/", "https://localhost:99999/", ""])  # fmt: skip
def test_a_target_that_is_no_https_url_is_refused_at_start(authority, url):
    done = subprocess.run([DRIVER, authority.certificate, "+" + url], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "a target is no https URL" in done.stderr


# ---- where it goes -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "127.1", "0", "10.0.0.1", "169.254.169.254"])
def test_an_address_that_is_not_public_is_refused(authority, host):
    assert fetch_one(authority, f"https://{host}:9/")[0] == "address"


def test_a_host_of_ours_is_reached_only_where_it_is_allowed(authority, good):
    with HttpsServer(*good, reply) as host:
        ended, _ = fetch(authority, host.url(), "+" + host.url())
        assert (ended[0][0], ended[1][0]) == ("address", "ok")
        assert len(host.requests) == 1


def test_a_redirect_is_not_followed(authority, good):
    with HttpsServer(*good, reply) as elsewhere:
        for status in (301, 302, 303, 307, 308):
            answer = lambda handler: reply(handler, status, fields=[("Location", elsewhere.url())])  # noqa: E731, B023
            with HttpsServer(*good, answer) as host:
                assert fetch_one(authority, "+" + host.url()) == ("redirect", status, 0)
        assert elsewhere.requests == []


def test_no_proxy_is_taken_from_the_environment(authority, good):
    with socket.create_server(("127.0.0.1", 0)) as proxy, HttpsServer(*good, reply) as host:
        proxy.settimeout(0.1)
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        env = {name: address for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")}
        assert fetch_one(authority, "+" + host.url(), env=env)[0] == "ok"
        with pytest.raises(TimeoutError):
            proxy.accept()


def test_nobody_is_there(authority):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        assert fetch_one(authority, f"+https://localhost:{taken.getsockname()[1]}/")[0] == "unreachable"


def test_a_name_that_leads_nowhere(authority):
    assert fetch_one(authority, "https://nowhere.invalid/")[0] in ("unresolved", "timeout")


# ---- what it takes -----------------------------------------------------------------------------------------------------
def stream(handler):
    """A body whose end is not announced."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    for _ in range(64):
        handler.wfile.write(b"x" * 4096)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (lambda handler: reply(handler, body=b"x" * (MOST + 1)), "too_large"),
        (stream, "too_large"),
        (lambda handler: reply(handler, fields=[("X-Filler", "x" * 1000)] * 20), "too_large"),
        (lambda handler: reply(handler, 404), "status"),
        (lambda handler: reply(handler, 500), "status"),
        (lambda handler: reply(handler, 201), "status"),
        (lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), "broken"),
        (lambda handler: handler.wfile.write(b"no HTTP at all\r\n\r\n"), "broken"),
        (lambda handler: None, "broken"),
    ],
    ids=["announced", "unannounced", "head", "404", "500", "201", "short", "garbage", "silent"],
)
def test_an_answer_that_is_not_wanted(authority, good, answer, outcome):
    with HttpsServer(*good, answer) as host:
        ended = fetch_one(authority, "+" + host.url())
        assert (ended[0], ended[2]) == (outcome, 0)


def test_compressed_bytes_are_not_inflated(authority, good):
    body = b"\x1f\x8b" + b"\0" * 100
    with HttpsServer(*good, lambda handler: reply(handler, body=body, fields=[("Content-Encoding", "gzip")])) as host:
        assert fetch_one(authority, "+" + host.url()) == ("ok", 200, len(body))


def trickle(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(300):
        handler.wfile.write(b"x")
        time.sleep(0.1)


def test_slow_hosts_end_in_time_and_hold_up_nobody(authority, good):
    """One sends its body byte by byte, one accepts and says nothing, one never accepts; a good one is served meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as silent, HttpsServer(*good, trickle) as slow, HttpsServer(*good, reply) as host:
        start = time.monotonic()
        ended, log = fetch(authority, "+" + slow.url(), f"+https://localhost:{silent.getsockname()[1]}/", "+" + host.url())
        assert time.monotonic() - start < 30
        assert {number: outcome[0] for number, outcome in ended.items()} == {0: "timeout", 1: "timeout", 2: "ok"}
        assert [line["outcome"] for line in log] == ["ok", "timeout", "timeout"]


# ---- name servers ------------------------------------------------------------------------------------------------------
#: In namespaces of its own: loopback is up, a name server takes questions and answers none, and the rest of argv runs.
SILENT_NAME_SERVER = """
import fcntl, socket, struct, subprocess, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    fcntl.ioctl(server, 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS: up and running
    server.bind(("127.0.0.1", 53))
    subprocess.run(["mount", "--bind", sys.argv[1], "/etc/resolv.conf"], check=True)
    sys.exit(subprocess.run(sys.argv[2:]).returncode)
"""


def test_a_name_server_that_is_silent_holds_up_nobody(authority, tmp_path):
    """The resolver's thread asks for 20 s; the fetch is over after 5, and the process is free for others."""
    settings = tmp_path / "resolv.conf"
    settings.write_text("nameserver 127.0.0.1\noptions timeout:20 attempts:1\n")
    inside = ["unshare", "--map-root-user", "--mount", "--net", "/usr/bin/python3", "-c", SILENT_NAME_SERVER, settings]
    if subprocess.run([*inside, "true"], capture_output=True, timeout=30).returncode != 0:
        pytest.skip("no namespaces may be made here")
    start = time.monotonic()
    done = subprocess.run([*inside, DRIVER, authority.certificate, "https://silent.example/"], capture_output=True, text=True,
                          timeout=60)  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "0 timeout 0 0\n"), done.stderr
    assert time.monotonic() - start < 15


def test_a_name_that_comes_to_lead_inside_is_not_connected_to(authority, tmp_path):
    """A charge and a fetch go to a public host whose name its owner then has lead to addresses of ours, where somebody with the same
    certificate waits. What counts is the address that is connected to, each time: alone, in disguise, and behind one that is not there."""
    settings = tmp_path / "resolv.conf"
    settings.write_text("nameserver 127.0.0.1\n")
    inside = ["127.0.0.1", "::1", "::ffff:127.0.0.1", f"{PUBLIC_AND_AWAY},127.0.0.1"]
    spaces = ["unshare", "--map-root-user", "--mount", "--net"]
    if subprocess.run([*spaces, "mount", "--bind", settings, "/etc/resolv.conf"], capture_output=True, timeout=30).returncode != 0:
        pytest.skip("no namespaces may be made here")
    rounds = [PUBLIC, *inside, f"127.0.0.1,{PUBLIC}", PUBLIC]
    done = subprocess.run([*spaces, sys.executable, "-B", own_internet.__file__, settings, *authority.issue("DNS:pay.example"), *rounds, "--",
                           DRIVER, authority.certificate, "https://pay.example/keys", "=https://pay.example"],
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr
    for addresses, (said, log, came) in zip(rounds, json.loads(done.stdout), strict=True):
        ended = {line.split()[1] for line in said.splitlines()}
        assert len(said.splitlines()) == 2, log
        if addresses in inside:
            assert (ended, came) == ({"address"}, []), (addresses, said, log)
        elif addresses == PUBLIC:
            assert (ended, came) == ({"ok"}, [PUBLIC, PUBLIC]), (addresses, said, log)
        else:
            assert set(came) <= {PUBLIC}, (addresses, said, log)
