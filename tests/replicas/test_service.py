"""A server as systemd runs it: sockets that it is given, what it reports, and how it ends."""

import http.client
import os
import signal
import socket
import subprocess
import threading
import time

import pytest
from caller import Caller
from server import Server, wait_for

#: What systemd does between fork and exec: the process id is known to the child alone.
ACTIVATE = 'LISTEN_PID=$$ exec "$@"'


class Activated(Server):
    """A server that gets listening sockets from number 3 on."""

    def __init__(self, folder, sockets, names, **more):
        super().__init__(folder, **more)
        self.sockets = sockets
        self.extra_env.update(LISTEN_FDS=str(len(sockets)), LISTEN_FDNAMES=":".join(names))
        self.process_options = {"preexec_fn": self._place, "close_fds": False}

    def _place(self):
        moved = [os.dup(given.fileno()) for given in self.sockets]
        spare = [os.dup2(fd, 200 + at) for at, fd in enumerate(moved)]
        for at, fd in enumerate(spare):
            os.dup2(fd, 3 + at)
        os.closerange(3 + len(spare), 300)

    def command(self):
        return ["/bin/sh", "-c", ACTIVATE, "sh", *super().command()]


def listening():
    given = socket.socket()
    given.bind(("127.0.0.1", 0))
    given.listen(64)
    return given


def status_at(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# ---- sockets ---------------------------------------------------------------------------------------------------------
def test_sockets_that_are_given_take_the_place_of_settings(tmp_path):
    clients, more, operator = listening(), listening(), listening()
    server = Activated(tmp_path, [clients, operator, more], ["clients", "operator", "more"])
    settings = server.port
    server.operator_port = operator.getsockname()[1]
    with server:
        assert status_at(clients.getsockname()[1], "/api/items") == 200
        assert status_at(more.getsockname()[1], "/api/items") == 200
        assert not is_listening(settings)
        before = set(server.children())
        server.reload()  # the next server knows which were given
        assert wait_for(lambda: not before & set(server.children()), seconds=20)
        assert status_at(clients.getsockname()[1], "/api/items") == 200
        assert status_at(more.getsockname()[1], "/api/items") == 200
        assert not is_listening(settings)


def test_clients_wait_while_an_activated_server_is_started_anew(tmp_path):
    clients = listening()
    with Activated(tmp_path, [clients], ["clients"]) as server:
        server.stop()
        answers = []
        client = threading.Thread(target=lambda: answers.append(status_at(clients.getsockname()[1], "/api/items")))
        client.start()
        server.start()
        client.join()
    assert answers == [200]


def test_sockets_for_another_process_are_not_taken(tmp_path):
    clients = listening()
    server = Activated(tmp_path, [clients], ["clients"])
    server.command = lambda: ["/bin/sh", "-c", 'LISTEN_PID=1 exec "$@"', "sh", *Server.command(server)]
    with server:
        assert status_at(server.port, "/api/items") == 200


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, None])
def test_what_is_no_listening_socket_refuses_the_start(tmp_path, kind):
    given = socket.socket(type=kind or socket.SOCK_STREAM)
    given.bind(("127.0.0.1", 0))  # bound, but nobody listens
    server = Activated(tmp_path, [given], ["clients"])
    server.start(wait=False)
    assert server.wait() == 1
    assert "no listening stream socket" in server.log


# ---- what is reported ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("is_abstract", [False, True])
def test_systemd_is_told(tmp_path, is_abstract):
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    name = f"limen-test-{os.getpid()}-{time.monotonic_ns()}"
    path = f"@{name}" if is_abstract else f"/tmp/{name}"
    heard.bind(path.replace("@", "\0"))
    heard.settimeout(20)
    try:
        with Server(tmp_path, env={"NOTIFY_SOCKET": path}) as server:
            assert heard.recv(100) == b"READY=1\nSTATUS=Serves"
            server.reload()
            assert heard.recv(100).startswith(b"STATUS=")
            assert heard.recv(100) == b"READY=1\nSTATUS=Serves", "the last word is of the server that serves"
            server.stop()
            assert heard.recv(100) == b"STOPPING=1"
    finally:
        heard.close()
        if not is_abstract:
            os.unlink(path)


# ---- ending ----------------------------------------------------------------------------------------------------------
def test_readiness_ends_before_the_server_does(make_shop):
    server = make_shop(flags=["--drain-notice", "60"])
    assert wait_for(lambda: '"message":"open"' in server.log)  # all of its workers: before that it was never ready
    server.process.send_signal(signal.SIGTERM)
    assert wait_for(lambda: status_at(server.operator_port, "/readyz") == 503)
    assert status_at(server.operator_port, "/healthz") == 200
    assert Caller(server).get("/api/items").status == 200
    assert "connection" not in Caller(server).get("/api/items").fields
    server.process.send_signal(signal.SIGTERM)  # in a hurry
    assert server.wait() == 0


def test_the_notice_ends_by_itself(make_shop):
    server = make_shop(flags=["--drain-notice", "1"])
    assert wait_for(lambda: '"message":"open"' in server.log)  # all of its workers: before that it was never ready
    start = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.wait() == 0
    assert time.monotonic() - start >= 1


def test_a_drain_finishes_what_is_under_way_and_takes_nothing_more(make_shop):
    server = make_shop(workers=1)
    with socket.create_connection((server.host, server.port)) as busy, \
         socket.create_connection((server.host, server.port)) as kept:  # fmt: skip
        kept.sendall(b"GET /api/items HTTP/1.1\r\nHost: x\r\n\r\n")
        assert kept.recv(65536).startswith(b"HTTP/1.1 200")
        busy.sendall(b"GET /api/items HTTP/1.1\r\nHost: x\r\n")  # a part of a head
        (worker,) = server.roles("worker")
        server.process.send_signal(signal.SIGTERM)
        assert wait_for(lambda: not is_listening(server.port))
        assert status_at(server.operator_port, "/readyz") == 503
        assert worker in server.roles("worker")
        busy.sendall(b"\r\n")
        answer = busy.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"\r\nConnection: close\r\n" in answer
        assert kept.recv(1) == b"", "an idle connection is closed"
    assert server.wait() == 0
