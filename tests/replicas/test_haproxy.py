"""deploy/haproxy.cfg in front of three replicas: what it retries, whom it believes, and that replicas can be replaced under load.

All replicas share one database: SQLite's file, which processes of one host may share, or PostgreSQL.
"""

import asyncio
import http.client
import os
import re
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from balancer import CONFIGURATION, HAPROXY, Balancer, environment
from https import Authority
from load import Load, sign_up
from server import Server, wait_for

pytestmark = pytest.mark.skipif(HAPROXY is None, reason="no haproxy")

REPLICAS = 3
CLIENTS = 60


def test_the_configuration_is_valid():
    for env in (environment(8000, [(8080, 8081), (8090, 8091), (8100, 8101)]), {}):
        done = subprocess.run([HAPROXY, "-c", "-f", CONFIGURATION], env={**os.environ, **env}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "WARNING" not in done.stderr


# ---- replicas that are none ------------------------------------------------------------------------------------------
class Fake:
    """Answers as a replica does, or takes a request and says nothing."""

    def __init__(self, answers):
        self.taken = []
        self.clients, self.operator = self._serve(answers), self._serve(answers=True)

    def _serve(self, answers):
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if self.path != "/readyz":
                    fake.taken.append((self.command, self.path, self.headers))
                if not answers:
                    self.close_connection = True
                    return
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    @property
    def ports(self):
        return self.clients.server_port, self.operator.server_port

    def stop(self):
        for server in (self.clients, self.operator):
            server.shutdown()
            server.server_close()


@pytest.fixture
def fakes():
    made = []

    def make(*answers):
        made.extend(Fake(answer) for answer in answers)
        return made

    yield make
    for fake in made:
        fake.stop()


def ask(balancer, method, fields=None, body=None):
    connection = http.client.HTTPConnection(balancer.host, balancer.port, timeout=20)
    connection.request(method, "/thing", body=body, headers=fields or {})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


@pytest.mark.parametrize(
    ("method", "fields", "is_repeated"),
    [("GET", {}, True), ("DELETE", {}, True), ("PUT", {}, True), ("POST", {"Idempotency-Key": "a"}, True), ("POST", {}, False),
     ("PATCH", {}, False)],
)  # fmt: skip
def test_only_what_can_be_sent_twice_is_sent_twice(fakes, tmp_path, method, fields, is_repeated):
    silent = fakes(False, False, False)
    with Balancer([fake.ports for fake in silent], tmp_path) as balancer:
        status = ask(balancer, method, fields, body=b"{}" if method not in ("GET", "DELETE") else None)
    assert status in (502, 503)
    times = sum(len(fake.taken) for fake in silent)
    assert times > 1 if is_repeated else times == 1


@pytest.mark.parametrize(("fields", "is_repeated"), [("Idempotency-Key: a\r\n", True), ("", False)])
def test_a_body_that_comes_after_its_head_is_sent_twice_with_it(fakes, tmp_path, fields, is_repeated):
    """What has left before its body was there is in nobody's buffer any more and could not be sent again."""
    silent = fakes(False, False, False)
    with Balancer([fake.ports for fake in silent], tmp_path) as balancer, socket.create_connection((balancer.host, balancer.port)) as client:
        client.settimeout(20)
        client.sendall(f"POST /thing HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: 2\r\n\r\n".encode())
        time.sleep(0.3)
        client.sendall(b"{}")
        assert client.recv(4096).split()[1] in (b"502", b"503")
    times = sum(len(fake.taken) for fake in silent)
    assert times > 1 if is_repeated else times == 1


def test_a_body_that_is_larger_than_the_balancers_buffer_is_passed_on(fakes, tmp_path):
    replicas = fakes(True, True, True)
    with Balancer([fake.ports for fake in replicas], tmp_path) as balancer:
        assert ask(balancer, "POST", {"Idempotency-Key": "a"}, body=b" " * 300_000) == 200


def test_a_replica_that_cannot_be_reached_is_passed_over_for_every_request(fakes, tmp_path):
    first, second, third = fakes(True, True, True)
    for fake in (first, second):  # they are still thought to be up
        fake.clients.shutdown()
        fake.clients.server_close()
    with Balancer([fake.ports for fake in (first, second, third)], tmp_path) as balancer:
        assert [ask(balancer, "POST", body=b"{}") for _ in range(6)] == [200] * 6
    assert len(third.taken) == 6


def test_addresses_that_clients_name_are_not_passed_on(fakes, tmp_path):
    replicas = fakes(True, True, True)
    with Balancer([fake.ports for fake in replicas], tmp_path) as balancer:
        ask(balancer, "GET", {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"})
    ((_, _, fields),) = [request for fake in replicas for request in fake.taken]
    assert fields["X-Forwarded-For"] == "127.0.0.1"
    assert "Forwarded" not in fields  # in whatever case


@pytest.mark.parametrize(("answers", "status"), [(True, 200), (False, 502)])
def test_tls_ends_at_the_balancer(fakes, tmp_path, answers, status):
    """Bound as the file says; whoever comes by https is told to do so for good, also by an answer that is the balancer's own."""
    authority = Authority(tmp_path)
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "one.pem").write_text("".join(path.read_text() for path in authority.issue()))
    (said,) = re.findall(r"for TLS: \*:443( .*)$", CONFIGURATION.read_text(), re.MULTILINE)
    trusted = ssl.create_default_context(cafile=authority.certificate)
    replicas = [fake.ports for fake in fakes(answers, answers, answers)]
    with Balancer(replicas, tmp_path, bind=said.replace("/etc/haproxy/certs/", f"{tmp_path}/certs/")) as balancer:
        connection = http.client.HTTPSConnection(balancer.host, balancer.port, timeout=20, context=trusted)
        connection.request("POST", "/thing")
        answer = connection.getresponse()
        connection.close()
    assert (answer.status, answer.getheader("Strict-Transport-Security")) == (status, "max-age=63072000; includeSubDomains")


def test_plain_http_promises_no_tls(fakes, tmp_path):
    with Balancer([fake.ports for fake in fakes(True, True, True)], tmp_path) as balancer:
        connection = http.client.HTTPConnection(balancer.host, balancer.port, timeout=20)
        connection.request("GET", "/thing")
        assert connection.getresponse().getheader("Strict-Transport-Security") is None
        connection.close()


# ---- replicas --------------------------------------------------------------------------------------------------------
@pytest.fixture
def replicas(database, tmp_path):
    """Three servers on one database; they believe the balancer, and give it time to see them go."""
    flags = ["--trusted-proxy", "127.0.0.1", "--drain-notice", "3", "--limit-scale", "100000"]
    servers = [Server(tmp_path / f"replica-{number}", flags=flags, workers=1, database=database) for number in range(REPLICAS)]
    try:
        for server in servers:
            server.start()
        yield servers
        for server in servers:
            server.stop()
    finally:
        for server in servers:
            server.kill()


def ports_of(servers):
    return [(server.port, server.operator_port) for server in servers]


def is_used(server):
    return "limen_connections 0\n" not in server.metrics()


async def replace(server, stop):
    """Ends one replica and starts another in its place; returns when the balancer has found it."""
    await asyncio.to_thread(stop)
    await asyncio.to_thread(server.start)
    assert await asyncio.to_thread(wait_for, lambda: is_used(server), 20), server.tail()


def test_three_rolling_restarts_under_load_lose_no_request(replicas, tmp_path):
    async def run(balancer):
        load = Load(balancer.host, balancer.port, await sign_up(balancer.host, balancer.port, 20, "rolling"))
        load.start(CLIENTS)
        for _ in range(3):
            for server in replicas:
                await replace(server, server.stop)
        await load.stop()
        return load

    with Balancer(ports_of(replicas), tmp_path) as balancer:
        load = asyncio.run(run(balancer))
    assert not load.faults, f"{load.say()}\n{balancer.log[-2000:]}"
    assert load.seen["GET", "/api/me", 200] > CLIENTS


def test_callers_are_told_apart_by_the_address_that_the_balancer_saw(replicas, tmp_path):
    """A caller who names another address in each request counts as one all the same."""
    (server, *_) = replicas
    server.flags = ["--trusted-proxy", "127.0.0.1"]
    server.restart()
    with Balancer([(server.port, server.operator_port)] * REPLICAS, tmp_path) as balancer:
        statuses = []
        for number in range(30):
            connection = http.client.HTTPConnection(balancer.host, balancer.port, timeout=20)
            connection.request("POST", "/api/sessions", body=b"{}", headers={
                "Content-Type": "application/json", "X-Forwarded-For": f"203.0.113.{number}"})  # fmt: skip
            statuses.append(connection.getresponse().status)
            connection.close()
    assert statuses[0] == 422
    assert statuses[-1] == 429
