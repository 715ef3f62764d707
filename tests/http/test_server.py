"""The process tree: starting, what is told, dying, draining, and every wrong way to start."""

import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
from caller import Caller, customer, new_key
from limen_chaos.process import send
from server import Server, build_dir, tree_of, wait_for


def metric(server, name):
    return float(re.search(rf"^{re.escape(name)} ([0-9.e+]+)$", server.metrics(), re.MULTILINE)[1])


# ---- the operator's address ------------------------------------------------------------------------------------------
def test_metrics_count_replies_and_refusals(make_shop):
    server = make_shop(workers=2, flags=["--limit-scale", "100"])
    caller = customer(server)
    for _ in range(7):
        caller.get("/api/items/sku_bowl")
    for _ in range(3):
        caller.get("/api/nothing")
    caller.post("/api/checkout", {"lines": []}, key=new_key())
    caller.post("/api/checkout", raw="{", key=new_key())
    Caller(server).get("/api/me")
    assert metric(server, 'limen_replies_total{operation="getItem",status="2xx"}') == 7
    assert metric(server, 'limen_refusals_total{reason="no_path"}') == 3
    assert metric(server, 'limen_refusals_total{reason="body_schema"}') == 1
    assert metric(server, 'limen_refusals_total{reason="body_malformed"}') == 1
    assert metric(server, 'limen_refusals_total{reason="credential"}') == 1
    assert metric(server, "limen_workers") == 2
    assert metric(server, "limen_connections") >= 1
    for line in server.metrics().splitlines():
        assert re.match(r"# (HELP|TYPE) \w+ .+$|\w+(\{[^}]*\})? [0-9.e+]+$", line), line


def test_health_and_readiness(make_shop):
    server = make_shop(workers=1)
    operator = Caller(server)
    operator.connection.port = server.operator_port
    assert operator.get("/healthz").status == 200
    assert operator.get("/readyz").status == 200
    assert operator.get("/nothing").status == 404
    assert operator.post("/metrics", {}).status in (405, 413)
    data = server.roles("data")[0]
    os.kill(data, signal.SIGSTOP)
    os.kill(data, signal.SIGKILL)
    assert wait_for(server.is_ready)


# ---- dying -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("role", ["worker", "data", "operator"])
def test_a_role_that_dies_comes_back_with_a_loud_line(make_shop, role):
    server = make_shop(workers=1)
    (before,) = server.roles(role)
    os.kill(before, signal.SIGKILL)
    assert wait_for(lambda: server.roles(role) not in ([], [before]) and server.is_ready())
    assert Caller(server).get("/api/items").status == 200
    assert re.search(rf'a role died.*"role":"{role}"|a role died.*role={role}', server.log)


def test_a_worker_that_is_silent_is_killed_and_the_operation_named(make_shop):
    server = make_shop(workers=1)
    (before,) = server.roles("worker")
    os.kill(before, signal.SIGSTOP)
    assert wait_for(lambda: "silent and is killed" in server.log, seconds=8)
    assert '"operation":"none"' in server.log or "operation=none" in server.log
    assert wait_for(lambda: server.roles("worker") not in ([], [before]) and server.is_ready())
    assert Caller(server).get("/api/items").status == 200


def test_a_server_that_slept_as_a_whole_kills_no_worker_for_it(make_shop):
    """Longer than a worker may be silent, as a container that is frozen: who wakes first is chance, so it sleeps several times."""
    server = make_shop()
    before = server.roles("worker")
    for _ in range(3):
        pids = tree_of(server.pid)
        send(pids, signal.SIGSTOP)
        time.sleep(3.5)
        send(pids, signal.SIGCONT)
        assert wait_for(server.is_ready)
        time.sleep(0.3)
    assert "silent and is killed" not in server.log and server.roles("worker") == before
    os.kill(before[0], signal.SIGSTOP)
    assert wait_for(lambda: "silent and is killed" in server.log, seconds=8), "and one that is silent by itself is still found"


def test_calls_get_503_while_there_is_no_data_role_and_then_go_on(make_shop):
    server = make_shop(workers=1, flags=["--limit-scale", "1000"])
    caller = customer(server)
    (data,) = server.roles("data")
    os.kill(data, signal.SIGSTOP)  # it answers nobody, and then it is gone
    seen = []
    thread = threading.Thread(target=lambda: seen.append(caller.get("/api/me")))
    thread.start()
    time.sleep(0.2)
    os.kill(data, signal.SIGKILL)
    thread.join(10)
    assert seen[0].status == 503 and seen[0].json()["status"] == 503
    assert wait_for(lambda: caller.get("/api/me").status == 200)


@pytest.mark.skipif(os.geteuid() != 0, reason="the roles are not dumpable: only root can look inside")
def test_roles_start_with_a_clean_environment(make_shop):
    server = make_shop(workers=1, env={"SECRET_OF_THE_SHELL": "x", "LIMEN_DRAIN": "9"})
    for role, may_have in {"worker": set(), "operator": set(), "data": {"LIMEN_DATABASE"}}.items():
        (pid,) = server.roles(role)
        with open(f"/proc/{pid}/environ", "rb") as file:
            names = {entry.split(b"=")[0].decode() for entry in file.read().split(b"\0") if entry}
        assert "SECRET_OF_THE_SHELL" not in names
        assert ("LIMEN_DATABASE" in names) == ("LIMEN_DATABASE" in may_have)


# ---- draining --------------------------------------------------------------------------------------------------------
def test_sigterm_finishes_what_is_under_way(make_shop):
    server = make_shop(workers=2, flags=["--limit-scale", "1000"])
    caller = customer(server)
    body = b'{"lines":[{"itemId":"sku_bowl","quantity":1}]}'
    slow = socket.create_connection((server.host, server.port))
    head = (f"POST /api/checkout HTTP/1.1\r\nHost: a\r\nCookie: __Host-session={caller.cookie}\r\nIdempotency-Key: slow\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n")  # fmt: skip
    slow.sendall(head.encode() + body[:10])
    idle = socket.create_connection((server.host, server.port))
    time.sleep(0.2)
    os.kill(server.pid, signal.SIGTERM)
    assert idle.recv(1) == b"", "idle connections are closed"
    time.sleep(0.2)
    slow.sendall(body[10:])
    answer = b""
    while chunk := slow.recv(65536):
        answer += chunk
    assert answer.startswith(b"HTTP/1.1 201 ") and b"Connection: close" in answer
    assert server.wait() == 0


def test_a_drain_ends_in_time_whatever_clients_do(make_shop):
    server = make_shop(workers=1, flags=["--drain", "1"])
    caller = Caller(server)
    stuck = socket.create_connection((server.host, server.port))
    stuck.sendall(b"POST /api/accounts HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    assert caller.get("/api/items").status == 200
    start = time.monotonic()
    os.kill(server.pid, signal.SIGTERM)
    assert server.wait(15) == 0
    assert time.monotonic() - start < 10


# ---- starting --------------------------------------------------------------------------------------------------------
def run(folder, *flags, env=None, command="run"):
    return subprocess.run([build_dir() / "shop", command, *flags], cwd=folder, capture_output=True, text=True, timeout=30,
                          env=dict(os.environ, **(env or {})))  # fmt: skip


def test_help_tells_every_setting(tmp_path):
    said = run(tmp_path, "--help")
    assert said.returncode == 0
    for flag in ("listen", "operator", "workers", "database", "migrate", "trusted-proxy", "limit-scale", "drain", "log-format"):
        assert f"--{flag} " in said.stdout
        assert f"LIMEN_{flag.upper().replace('-', '_')}" in said.stdout
    assert "127.0.0.1:8080" in said.stdout and "sqlite:var/shop.db" in said.stdout


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--wrokers", "2"], "--wrokers"),
        (["--workers", "many"], "workers"),
        (["--workers", "-1"], "workers"),
        (["--workers"], "workers"),
        (["--drain", "0x"], "drain"),
        (["--migrate", "maybe"], "auto|wait|off"),
        (["--trusted-proxy", "300.0.0.0/8"], "300.0.0.0/8"),
        (["extra"], "extra"),
    ],
)
def test_a_wrong_flag_is_named(tmp_path, flags, words):
    said = run(tmp_path, *flags)
    assert said.returncode in (1, 2) and words in said.stderr, (said.returncode, said.stderr)
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize("address", ["127.0.0.1:99999", "nowhere.invalid:80", "127.0.0.1"])
def test_an_address_that_is_none_is_named(tmp_path, address):
    said = run(tmp_path, "--listen", address)
    assert said.returncode in (1, 2) and address in said.stderr


def test_a_port_that_is_taken_is_named(tmp_path, make_shop):
    server = make_shop(workers=1)
    said = run(tmp_path, "--listen", f"127.0.0.1:{server.port}", "--operator", "off")
    assert said.returncode == 1 and str(server.port) in said.stderr and "in use" in said.stderr


def test_settings_come_from_flags_then_environment_then_file(tmp_path):
    (tmp_path / "limen.yaml").write_text("limit-scale: 3\nlog-format: json\n")
    quota = {}
    for name, options in {
        "file": {},
        "environment": {"env": {"LIMEN_LIMIT_SCALE": "5"}},
        "flag": {"env": {"LIMEN_LIMIT_SCALE": "5"}, "flags": ["--limit-scale", "7"]},
    }.items():
        with Server(tmp_path, workers=1, **options) as server:
            quota[name] = int(re.search(r"q=(\d+)", Caller(server).get("/api/items").fields["ratelimit-policy"])[1])
    assert quota == {"file": 1800, "environment": 3000, "flag": 4200}


def test_a_file_with_a_wrong_setting_is_refused_at_its_line(tmp_path):
    (tmp_path / "limen.yaml").write_text("workers: 2\nwrokers: 3\n")
    said = run(tmp_path)
    assert said.returncode in (1, 2)
    assert "limen.yaml:2:1" in said.stderr and "wrokers" in said.stderr


@pytest.mark.parametrize(("make", "why"), [
    (lambda path: path.mkdir(), "Is a directory"),
    (lambda path: path.write_text("# much\n" * 50_000), "File too large"),
    (lambda path: path.symlink_to(path), "symbolic links"),
])  # fmt: skip
def test_a_file_of_settings_that_cannot_be_read_is_not_passed_over(tmp_path, make, why):
    make(tmp_path / "limen.yaml")
    said = run(tmp_path)
    assert said.returncode == 2
    assert "limen.yaml cannot be read" in said.stderr and why in said.stderr


def test_plain_http_beyond_this_machine_is_warned_of(make_shop):
    server = make_shop(workers=1, flags=["--listen", "0.0.0.0:0"])
    assert "plain http is open to other machines" in server.log


def test_the_admins_password_is_printed_once(tmp_path):
    with Server(tmp_path, workers=1) as server:
        first = server.admin_password
        assert first
    with Server(tmp_path, workers=1) as server:
        assert server.log.count("admin password") == 1
        assert first not in server.database_path.read_bytes().decode("latin-1")


def test_migrations(tmp_path):
    database = f"sqlite:{tmp_path}/var/shop.db"
    refused = run(tmp_path, "--database", database, "--migrate", "off", "--listen", "127.0.0.1:0", "--operator", "off")
    assert refused.returncode == 1 and "migrat" in refused.stderr
    pending = run(tmp_path, "--database", database, command="migrate")
    assert "0001_shop.sql" in pending.stdout and "pending" in pending.stdout
    assert run(tmp_path, "--database", database, "--apply", command="migrate").returncode == 0
    applied = run(tmp_path, "--database", database, command="migrate")
    assert "applied" in applied.stdout and "pending" not in applied.stdout
    with Server(tmp_path, workers=1, flags=["--migrate", "off"]) as server:
        assert Caller(server).get("/api/items").status == 200
