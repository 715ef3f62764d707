"""SIGHUP: another server takes over, with what is on disk now, and nobody notices.

A reload is looked at from both sides: what clients see (every request answered, nobody signed out, limits as they were), and what
processes do (the first one's id stays, the others are new; a server that cannot start changes nothing).
"""

import asyncio
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time

import pytest
from altered import CONTRACT, app_with, replaced
from caller import Caller, customer, new_key
from load import CALLS, Load, sign_up
from server import Server, build_dir, is_alive, tree_of, wait_for

CLIENTS = 200
ACCOUNTS = 20
RELOADS = 3


def reload(server):
    """Returns when the roles of the server before have ended."""
    before = set(server.children())
    server.reload()
    assert wait_for(lambda: not before & set(server.children()), seconds=20), server.tail()


# ---- under load ------------------------------------------------------------------------------------------------------
def test_three_reloads_under_load_lose_no_request_and_sign_nobody_out(make_shop, database):
    server = make_shop(database=database, flags=["--limit-scale", "100000"])

    async def run():
        load = Load(server.host, server.port, await sign_up(server.host, server.port, ACCOUNTS, "reload"))
        load.start(CLIENTS)
        for _ in range(RELOADS):
            await asyncio.sleep(1)
            answered = load.answered
            await asyncio.to_thread(reload, server)
            assert await asyncio.to_thread(wait_for, lambda before=answered: load.answered > before + CLIENTS, 20)
        await load.stop()
        return load

    load = asyncio.run(run())
    assert not load.faults, f"{load.say()}\n{server.tail()}"
    assert load.answered > CLIENTS * (RELOADS + 1)
    assert load.seen["GET", "/api/me", 200] > CLIENTS
    assert server.is_running


def test_both_servers_write_to_one_sqlite_file_and_neither_keeps_the_other_waiting(make_shop):
    """Nothing is handed over but by SQLite's lock: with as many writers as there can be, nobody is answered that it was busy."""
    server = make_shop(flags=["--limit-scale", "100000"])
    with contextlib.closing(sqlite3.connect(server.database_path, timeout=10)) as db, db:
        db.execute("UPDATE items SET stock = 1000000")

    async def run():
        load = Load(server.host, server.port, await sign_up(server.host, server.port, ACCOUNTS, "writer"), calls=CALLS[2:])
        load.start(CLIENTS // 2)
        for _ in range(RELOADS):
            await asyncio.sleep(1)
            load.seconds.clear()
            await asyncio.to_thread(reload, server)
            waited = sorted(load.seconds)
            assert len(waited) > CLIENTS and waited[len(waited) * 99 // 100] < 4, waited[-10:]
        await load.stop()
        return load

    load = asyncio.run(run())
    assert not load.faults, f"{load.say()}\n{server.tail()}"
    assert set(load.seen) == {("POST", "/api/checkout", 201)}


def test_a_call_under_way_is_finished_by_the_server_that_began_it(make_shop):
    server = make_shop(workers=1)
    caller = customer(server)
    body = b'{"lines":[{"itemId":"sku_bowl","quantity":1}]}'
    head = (f"POST /api/checkout HTTP/1.1\r\nHost: x\r\nCookie: __Host-session={caller.cookie}\r\nIdempotency-Key: {new_key()}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode()  # fmt: skip
    with socket.create_connection((server.host, server.port)) as connection:
        connection.sendall(head + body[:10])
        (before,) = server.roles("worker")
        assert wait_for(lambda: "limen_connections 0" not in server.metrics())
        server.reload()
        assert before in server.roles("worker")
        connection.sendall(body[10:])
        answer = connection.makefile("rb").read()  # to the end: the server closes after it
    assert answer.startswith(b"HTTP/1.1 201 "), answer
    assert wait_for(lambda: before not in server.roles("worker"))


# ---- what is taken along ---------------------------------------------------------------------------------------------
def sign_in_wrongly(server):
    return Caller(server).post("/api/sessions", {"email": "nobody@example.com", "password": "not the right one"}).status


def use_up(server):
    for _ in range(50):
        if sign_in_wrongly(server) == 429:
            return
    pytest.fail("there is no limit")


def test_limits_are_carried_over(make_shop):
    server = make_shop()
    use_up(server)
    reload(server)
    assert sign_in_wrongly(server) == 429


def test_other_limits_count_anew_and_other_settings_hold(tmp_path):
    (tmp_path / "limen.yaml").write_text("limit-scale: 1\n")
    with Server(tmp_path) as server:
        use_up(server)
        policy = Caller(server).get("/api/items").fields["ratelimit-policy"]
        (tmp_path / "limen.yaml").write_text("limit-scale: 2\n")
        reload(server)
        assert sign_in_wrongly(server) == 401
        assert Caller(server).get("/api/items").fields["ratelimit-policy"] != policy


def test_a_new_binary_takes_over(tmp_path):
    """What lies at the path now, not what the process was started from; the path may name it by a link."""
    title, other = "title: Lintel, a shop", "title: Lintel, sold"
    contract = replaced(CONTRACT.read_text(), "info:", title, other)
    (tmp_path / "next").mkdir()
    shutil.copy(build_dir() / "shop", tmp_path / "shop-1")
    os.symlink("shop-1", tmp_path / "current")
    with Server(tmp_path, binary=tmp_path / "current") as server:
        assert Caller(server).get("/openapi.json").json()["info"]["title"] == "Lintel, a shop"
        os.symlink(app_with(contract.encode(), tmp_path / "next"), tmp_path / "link")
        os.rename(tmp_path / "link", tmp_path / "current")
        reload(server)
        assert Caller(server).get("/openapi.json").json()["info"]["title"] == "Lintel, sold"


def children_of(pid):
    """Of the first process: its roles, and servers that were started after it."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as listing:
        return [int(child) for child in listing.read().split()]


# ---- what cannot start -----------------------------------------------------------------------------------------------
def assert_unchanged(server, roles):
    assert set(server.children()) == roles
    assert server.is_ready()
    assert Caller(server).get("/api/items").status == 200


def test_a_broken_contract_keeps_the_old_server(tmp_path):
    contract = replaced(CONTRACT.read_text(), "operationId: createAccount", "security: []")
    binary = tmp_path / "shop"
    shutil.copy(build_dir() / "shop", binary)
    (tmp_path / "broken").mkdir()
    with Server(tmp_path, binary=binary) as server:
        roles = set(server.children())
        os.rename(app_with(contract.encode(), tmp_path / "broken"), binary)
        server.reload()
        assert "the next server did not start" in server.log
        assert "operation 'createAccount' does not say who may call it" in server.log
        assert_unchanged(server, roles)
        shutil.copy(build_dir() / "shop", tmp_path / "mended")
        os.rename(tmp_path / "mended", binary)
        server.reload()
        assert "the next server serves" in server.log


@pytest.mark.parametrize(
    ("settings", "reason"),
    [("limit-scale: many\n", "limit-scale"), ("no-such-setting: 1\n", "no-such-setting"), ("migrate: off\n", None)],
)
def test_settings_that_are_refused_keep_the_old_server(tmp_path, settings, reason):
    with Server(tmp_path) as server:
        roles = set(server.children())
        (tmp_path / "limen.yaml").write_text(settings)
        server.reload()
        if reason is None:  # nothing is pending: it may start
            assert "the next server serves" in server.log
            return
        assert reason in server.log
        assert "the next server did not start" in server.log
        assert_unchanged(server, roles)


def test_a_next_server_that_dies_before_it_serves_changes_nothing(make_shop):
    server = make_shop()
    roles = set(server.children())
    server.reload(wait=False)
    assert wait_for(lambda: set(children_of(server.pid)) - roles)
    os.kill((set(children_of(server.pid)) - roles).pop(), signal.SIGKILL)
    assert wait_for(lambda: "the next server did not start" in server.log)
    assert_unchanged(server, roles)


@pytest.mark.parametrize(("program", "ends"), [
    ("exec sleep 300", "told to end"),
    ("trap '' TERM; exec sleep 300", "does not end and is killed"),
])  # fmt: skip
def test_a_next_server_that_never_serves_is_ended_and_the_old_one_goes_on(tmp_path, program, ends):
    binary = tmp_path / "shop"
    shutil.copy(build_dir() / "shop", binary)
    with Server(tmp_path, binary=binary, flags=["--reload-timeout", "2", "--drain", "1"]) as server:
        roles = set(server.children())
        (tmp_path / "stuck").write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / "stuck").chmod(0o755)
        os.rename(tmp_path / "stuck", binary)
        server.reload(wait=False)
        assert wait_for(lambda: set(children_of(server.pid)) - roles)
        assert wait_for(lambda: "the next server did not start" in server.log, seconds=30), server.tail()
        assert "does not serve in time" in server.log and ends in server.log
        assert_unchanged(server, roles)
        shutil.copy(build_dir() / "shop", tmp_path / "mended")
        os.rename(tmp_path / "mended", binary)
        reload(server)
        assert "the next server serves" in server.log


# ---- processes -------------------------------------------------------------------------------------------------------
def test_the_first_process_stays_and_ends_as_the_last_server_does(make_shop):
    server = make_shop()
    server.reload()
    server.reload()
    assert server.is_ready()
    assert server.stop() == 0
    assert not server.is_ready()


def test_hangups_in_a_row_are_all_carried_out(make_shop):
    server = make_shop()
    first = set(server.children())
    for _ in range(3):
        server.reload(wait=False)
    assert wait_for(lambda: not first & set(server.children()), seconds=30)
    assert wait_for(server.is_ready)
    assert Caller(server).get("/api/items").status == 200


def test_a_stop_during_a_reload_ends_both_servers(make_shop):
    server = make_shop()
    server.reload(wait=False)
    server.process.send_signal(signal.SIGTERM)
    assert server.wait() in (0, 1)
    assert wait_for(lambda: not server.children())


def test_when_the_last_server_dies_the_first_process_ends_with_a_failure(make_shop):
    server = make_shop()
    reload(server)
    assert wait_for(lambda: len(children_of(server.pid)) == 1)
    os.kill(children_of(server.pid)[0], signal.SIGKILL)
    assert server.wait() == 1


def test_a_reload_that_is_asked_for_during_the_start_waits_until_the_server_serves(tmp_path):
    """Its start stands still in the middle: nobody reads what it says."""
    server = Server(tmp_path / "shop", flags=["--limit-scale", "2"])
    server.folder.mkdir()
    said, saying = os.pipe()
    os.set_blocking(saying, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(saying, b"\n" * 4096):
            pass
    os.set_blocking(saying, True)
    server.process = subprocess.Popen(server.command(), stdin=subprocess.DEVNULL, stderr=saying, cwd=server.folder, start_new_session=True)
    os.close(saying)
    called = pathlib.Path(f"/proc/{server.pid}/syscall")
    assert wait_for(lambda: re.match(r"\d+ 0x2 ", called.read_text())), "it waits in a write to stderr"
    server.process.send_signal(signal.SIGHUP)
    with open(server.log_path, "wb") as log:
        reader = subprocess.Popen(["cat"], stdin=said, stdout=log)
    os.close(said)
    server.wait_ready()
    assert wait_for(lambda: "the next server serves" in server.log, seconds=30), server.tail()
    server.stop()
    reader.wait()


def test_when_the_first_process_dies_nothing_is_left(make_shop):
    """Whoever watches it starts another server in its place, and could signal no other."""
    server = make_shop()
    reload(server)
    assert wait_for(lambda: len(children_of(server.pid)) == 1)
    pids = tree_of(server.pid)
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait()
    assert wait_for(lambda: not any(map(is_alive, pids)), seconds=30), server.tail()
    server.start()
    assert Caller(server).get("/api/items").status == 200


def test_who_asks_the_operator_slowly_does_not_keep_the_others_from_draining(make_shop):
    server = make_shop(workers=1)
    (before,) = server.roles("worker")
    with socket.create_connection((server.host, server.operator_port)) as slow:
        slow.sendall(b"GET /metrics HTTP/1.1\r\n")
        server.reload()
        assert wait_for(lambda: before not in server.roles("worker"), seconds=30)
    assert "the time to drain is over" not in server.log, "they were not told to drain"


def test_probes_of_the_operator_see_no_reload(make_shop):
    """A balancer that asks /readyz again and again gets 200 each time."""
    server = make_shop()
    refused, is_over = [], threading.Event()

    def probe():
        while not is_over.is_set():
            if not server.is_ready():
                refused.append(time.monotonic())

    thread = threading.Thread(target=probe)
    thread.start()
    try:
        server.reload()
        server.reload()
    finally:
        is_over.set()
        thread.join()
    assert not refused
