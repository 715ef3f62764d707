"""Clients that take their time or more than their share: each is capped, and others are served meanwhile.

Honest clients come from another loopback address, as they would in the world.
"""

import contextlib
import re
import resource
import select
import socket
import struct
import time

import pytest
from apps import build_app
from caller import Caller
from honest import Honest
from server import ROOT, Server

GET = b"GET /light HTTP/1.1\r\nHost: a\r\n\r\n"
LOAD = b"GET /load HTTP/1.1\r\nHost: a\r\n\r\n"
LOAD_BYTES = 400 * 1003
HURRIED = ["--head-timeout", 2, "--body-timeout", 6, "--write-timeout", 2, "--connections-per-address", 2000]


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    return build_app("heavy", ROOT / "tests" / "http" / "heavy", tmp_path_factory.mktemp("heavy"))


@pytest.fixture
def make(binary, tmp_path):
    with contextlib.ExitStack() as stack:
        yield lambda *flags: stack.enter_context(Server(tmp_path, workers=1, binary=binary, flags=flags))


@pytest.fixture
def hurried(make):
    return make(*HURRIED)


@pytest.fixture
def descriptors():
    """Raises what this process, and the server that it starts, may open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(server, room=None):
    """`room`: bytes that the client's side takes without reading."""
    client = socket.socket()
    if room is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    client.settimeout(20)
    client.connect((server.host, server.port))
    return client


def close_all(clients):
    for client in clients:
        client.close()


def metric(server, name):
    return int(re.search(rf"^{re.escape(name)} (\d+)$", server.metrics(), re.MULTILINE)[1])


def wait_until(holds, seconds=20):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


def drip(clients, piece, pause, seconds):
    """Each client sends the piece again and again; returns those that the server has ended, with what it said."""
    ended, open_ones = {}, set(clients)
    deadline = time.monotonic() + seconds
    while open_ones and time.monotonic() < deadline:
        for client in list(open_ones):
            try:
                if select.select([client], [], [], 0)[0]:
                    ended[client] = client.recv(4096)
                    open_ones.discard(client)
                else:
                    client.send(piece)
            except OSError:
                ended[client] = b""
                open_ones.discard(client)
        time.sleep(pause)
    return ended


def read_all(client, pace=None):
    """Everything up to the end; `pace` bytes a second."""
    got = bytearray()
    begin = time.monotonic()
    with contextlib.suppress(ConnectionResetError):
        while piece := client.recv(16384):
            got += piece
            if pace is not None:
                time.sleep(max(0.0, len(got) / pace - (time.monotonic() - begin)))
    return bytes(got)


# ---- slow ------------------------------------------------------------------------------------------------------------
def test_slow_heads_are_refused(hurried):
    clients = [connect(hurried) for _ in range(200)]
    for client in clients:
        client.send(b"GET /light HTTP/1.1\r\nX: ")
    with Honest(hurried) as honest:
        ended = drip(clients, b"a", 1, seconds=15)
    assert len(ended) == len(clients)
    assert sum(said.startswith(b"HTTP/1.1 408 ") for said in ended.values()) >= 190
    honest.assert_served()
    close_all(clients)


def test_bodies_that_trickle_are_refused_long_before_their_timeout(make):
    server = make("--body-timeout", 12, "--connections-per-address", 2000)
    clients = [connect(server) for _ in range(20)]
    for client in clients:
        client.send(b"POST /weigh HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 500000\r\n\r\n")
    begin = time.monotonic()
    with Honest(server) as honest:
        ended = drip(clients, b"[" * 60, 0.2, seconds=11)
    assert len(ended) == len(clients) and time.monotonic() - begin < 10
    assert all(said.startswith(b"HTTP/1.1 408 ") for said in ended.values())
    honest.assert_served()
    assert metric(server, "limen_memory_bytes") < 1024 * 1024, "what they had reserved was given back"
    close_all(clients)


def test_a_body_that_keeps_the_pace_is_read(hurried):
    body = b'{"texts":[' + b'"%s",' % (b"x" * 990) * 20 + b'"y"]}'
    client = connect(hurried)
    client.send(b"POST /weigh HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
    for at in range(0, len(body), 2000):
        client.sendall(body[at : at + 2000])
        time.sleep(0.3)
    assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
    client.close()


@pytest.mark.parametrize("reads", ["nothing", "a byte now and then"])
def test_readers_that_do_not_read_are_cut_off(hurried, reads):
    clients = [connect(hurried, room=4096) for _ in range(10)]
    for client in clients:
        client.send(LOAD)
    wait_until(lambda: metric(hurried, "limen_buffer_bytes") > 1024 * 1024)
    with Honest(hurried) as honest:
        deadline = time.monotonic() + 20
        while metric(hurried, "limen_buffer_bytes") > 256 * 1024 and time.monotonic() < deadline:
            for client in clients if reads != "nothing" else []:
                with contextlib.suppress(OSError):
                    client.recv(1)
            time.sleep(0.2)
    assert metric(hurried, "limen_buffer_bytes") <= 256 * 1024
    assert all(len(read_all(client)) < LOAD_BYTES for client in clients)
    honest.assert_served()
    close_all(clients)


def test_a_reader_that_keeps_the_pace_gets_all_of_it(hurried):
    client = connect(hurried, room=65536)
    client.send(LOAD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    begin = time.monotonic()
    assert len(read_all(client, pace=100 * 1024)) > LOAD_BYTES
    assert time.monotonic() - begin > 2.5, "longer than the timeout"
    client.close()


def test_the_slowest_readers_make_room_when_there_is_none(make):
    server = make("--worker-memory", "64MiB", "--write-timeout", 600, "--connections-per-address", 2000)
    share = 16 * 1024 * 1024
    with Honest(server) as honest:
        clients = []
        for _ in range(150):
            clients.append(connect(server, room=4096))
            clients[-1].send(LOAD)
        time.sleep(1)
        held = metric(server, "limen_buffer_bytes")
    assert share / 2 < held < share + 2 * LOAD_BYTES
    honest.assert_served()
    assert metric(server, "limen_connections") < 100
    close_all(clients)


# ---- many ------------------------------------------------------------------------------------------------------------
def test_ten_thousand_idle_connections(make, descriptors):
    if descriptors < 10200:
        pytest.skip(f"this process may open {descriptors} files only (hard limit)")
    server = make("--connections-per-address", 12000, "--idle-timeout", 600)
    clients = [connect(server) for _ in range(10000)]
    wait_until(lambda: metric(server, "limen_connections") >= 10000)
    with Honest(server) as honest:
        time.sleep(1)
        for client in clients[::100]:
            client.send(GET)
        assert all(client.recv(4096).startswith(b"HTTP/1.1 200 ") for client in clients[::100])
    honest.assert_served()
    assert metric(server, "limen_buffer_bytes") < 1024 * 1024, "an idle connection holds no buffer"
    close_all(clients)


def test_who_is_idle_longest_makes_room_when_descriptors_are_out(binary, tmp_path):
    cramped = tmp_path / "cramped"
    cramped.write_text(f'#!/bin/sh\nulimit -n 400 && exec {binary} "$@"\n')
    cramped.chmod(0o755)
    flags = ["--connections-per-address", 2000]
    with Server(tmp_path, workers=1, binary=cramped, flags=flags) as server, Honest(server) as honest:
        clients = []
        for _ in range(800):
            clients.append(connect(server))
        time.sleep(0.5)
        clients[-1].send(GET)
        assert clients[-1].recv(4096).startswith(b"HTTP/1.1 200 ")
        assert clients[0].recv(1) == b"", "the first was closed"
    assert not [failure for failure in honest.failures if isinstance(failure, int)]
    assert honest.answered >= honest.LEAST and honest.slowest < 8
    close_all(clients)


def test_one_address_has_a_ceiling_and_others_do_not_feel_it(make):
    server = make()
    with Honest(server) as honest:
        clients = [connect(server) for _ in range(400)]
        time.sleep(0.5)
        closed = select.select(clients, [], [], 0)[0]
    assert len(closed) == 400 - 256
    honest.assert_served()
    close_all(clients)


def test_a_trusted_proxy_has_no_such_ceiling(make):
    server = make("--trusted-proxy", "127.0.0.1")
    clients = [connect(server) for _ in range(400)]
    time.sleep(0.5)
    assert select.select(clients, [], [], 0)[0] == []
    close_all(clients)


def test_a_client_that_opens_and_resets(hurried):
    with Honest(hurried) as honest:
        for number in range(1500):
            client = connect(hurried)
            client.send((GET, LOAD, b"GET /li", b"")[number % 4])
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
    honest.assert_served()
    wait_until(lambda: metric(hurried, "limen_connections") <= 3)
    wait_until(lambda: metric(hurried, "limen_buffer_bytes") < 256 * 1024)


# ---- pipelining ------------------------------------------------------------------------------------------------------
def test_thousandfold_pipelining_is_answered_in_turn(hurried):
    client = connect(hurried)
    with Honest(hurried) as honest:
        answers, sent = b"", 0
        client.setblocking(False)
        request = GET * 5000
        deadline = time.monotonic() + 60
        while answers.count(b"HTTP/1.1 200 ") < 5000 and time.monotonic() < deadline:
            readable, writable, _ = select.select([client], [client] if sent < len(request) else [], [], 1)
            if writable:
                sent += client.send(request[sent : sent + 65536])
            if readable:
                answers += client.recv(1 << 20)
    assert answers.count(b"HTTP/1.1 200 ") == 5000
    honest.assert_served()
    client.close()


def test_pipelining_without_reading_holds_little(hurried):
    clients = [connect(hurried, room=4096) for _ in range(10)]
    with Honest(hurried) as honest:
        for client in clients:
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.send(LOAD * 1000)
        time.sleep(1)
        assert metric(hurried, "limen_buffer_bytes") < 10 * (LOAD_BYTES + 256 * 1024 + 65536)
        wait_until(lambda: metric(hurried, "limen_connections") <= 3)
    honest.assert_served()
    assert Caller(hurried).get("/light").status == 200
    close_all(clients)
