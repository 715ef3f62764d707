"""The harness itself: one seed is one timetable, what it has started it ends, and a broken promise is said and counted."""

import asyncio
import contextlib
import http.client
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from types import SimpleNamespace

import pytest
import tokens
from apps import build_app
from limen_chaos import faults, history
from limen_chaos.client import Answer
from limen_chaos.command import load_workload
from limen_chaos.plan import Fault, plan
from limen_chaos.process import Process, tree_of, wait_for
from limen_chaos.replica import Replica
from limen_chaos.run import one_run
from limen_chaos.topology import Shape, Topology
from server import ROOT, build_dir
from shop import Shop

KINDS = {"a": (0.5, 0.0, 0.0), "b": (2.0, 1.0, 3.0), "never": (0.0, 0.0, 0.0)}
COMMAND = [sys.executable, ROOT / "tests" / "chaos" / "limen-chaos", build_dir() / "shop", "--workload", ROOT / "tests" / "chaos" / "shop.py"]


def is_there(pid):
    return os.path.exists(f"/proc/{pid}")


def run_command(*more):
    return subprocess.run([*COMMAND, *map(str, more)], capture_output=True, text=True, timeout=120)


def test_a_seed_is_a_timetable():
    assert plan(7, 60, KINDS) == plan(7, 60, KINDS)
    assert plan(7, 60, KINDS) != plan(8, 60, KINDS)


def test_a_kind_that_comes_leaves_the_others_alone():
    with_b = [fault for fault in plan(7, 60, KINDS) if fault.kind == "a"]
    assert with_b == plan(7, 60, {"a": KINDS["a"]}) and 80 < len(with_b) < 160


def test_durations_and_rates_are_kept():
    found = plan(7, 600, KINDS)
    assert {fault.kind for fault in found} == {"a", "b"} and found == sorted(found)
    assert all(1.0 <= fault.lasts_s <= 3.0 for fault in found if fault.kind == "b")


def test_a_process_ends_with_its_children_and_with_the_harness(tmp_path):
    script = "import sys; sys.path.insert(0, sys.argv[1]); from limen_chaos.process import Process; import time\n"
    script += "p = Process('sleeper', ['sh', '-c', 'sleep 61 & sleep 62; true'], sys.argv[2]); p.launch(); print(p.pid, flush=True); time.sleep(60)"
    harness = subprocess.Popen([sys.executable, "-c", script, ROOT / "tests" / "chaos", tmp_path], stdout=subprocess.PIPE, text=True)
    pid = int(harness.stdout.readline())
    assert wait_for(lambda: len(tree_of(pid)) == 3, 10)
    pids = tree_of(pid)
    harness.kill()
    harness.wait()
    assert wait_for(lambda: not any(map(is_there, pids)), 10), "what a killed harness had started lives on"

    sleeper = Process("sleeper", ["sh", "-c", "sleep 61 & sleep 62; true"], tmp_path)
    sleeper.launch()
    assert wait_for(lambda: len(tree_of(sleeper.pid)) == 3, 10)
    pids = tree_of(sleeper.pid)
    sleeper.kill()
    assert wait_for(lambda: not any(map(is_there, pids)), 10)


def run_in_peace(workload, folder):
    """What is broken where nothing goes wrong but what the workload does."""
    folder.chmod(0o755)
    topology = Topology(Shape(build_dir() / "shop", flags=Shop.flags), folder / "run")
    workload.clients, workload.accounts = 1, 1
    workload.rates = {name: 0 for name in faults.KINDS}
    broken = one_run(workload, topology, 1, 0.1).broken
    assert not any(replica.is_running for replica in topology.replicas)
    return broken


class Failing(Shop):
    async def customer(self, run, number):
        raise RuntimeError("this client is broken")

    def check(self, run):
        return ["an invariant of this test's own"]


def test_what_is_broken_is_said_and_everything_is_ended(tmp_path):
    broken = run_in_peace(Failing(), tmp_path)
    assert "an invariant of this test's own" in broken
    assert any("this client is broken" in fault for fault in broken)


class Stuck(Shop):
    recovery_s = 0.5

    def unsettled(self, run):
        return 2


class SignedOut(Shop):
    def unsettled(self, run):
        """Before it is asked who is signed in."""
        client = run.client(0, run.principals[self.customers[0]])
        connection = http.client.HTTPConnection(client.host, client.port, timeout=20)
        connection.request("DELETE", "/api/sessions/current", headers=dict(client.fields))
        assert connection.getresponse().status == 204
        connection.close()
        return 0


@pytest.mark.parametrize(("workload", "words"), [(Stuck, "2 still under way 0 s after"), (SignedOut, "is no longer signed in")])
def test_what_the_app_does_wrong_is_said(tmp_path, workload, words):
    broken = run_in_peace(workload(), tmp_path)
    assert any(words in fault for fault in broken), broken


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("trap 'exit 3' TERM; while :; do sleep 0.05; done", "replica0 ended with 3 after SIGTERM"),
        ("echo '==1==ERROR: AddressSanitizer: heap-use-after-free' >&2; sleep 60", "replica0: a sanitizer spoke"),
    ],
)
def test_a_server_that_ends_badly_is_said(tmp_path, script, words):
    replica = Replica(0, "/bin/sh", tmp_path, [])
    replica.command = ["sh", "-c", script]
    replica.launch()
    assert wait_for(lambda: len(tree_of(replica.pid)) == 2, 10)
    found = [*replica.stop(), *replica.faults()]
    assert any(words in fault for fault in found), found


@pytest.mark.parametrize(("number", "is_fault"), [(signal.SIGABRT, True), (signal.SIGKILL, False)])
def test_a_crash_that_was_mended_by_a_restart_is_said(tmp_path, number, is_fault):
    """Of a role, in the words of a real server; then of the first process."""
    tmp_path.chmod(0o755)
    replica = Replica(0, build_dir() / "shop", tmp_path, ["--database", f"sqlite:{tmp_path}/var/app.db", "--workers", "1"])
    replica.start()
    os.kill(replica.roles("worker")[0], number)
    assert wait_for(lambda: replica.find_in_log("(a role died)"), 10)
    assert any("a role crashed" in fault for fault in replica.faults()) is is_fault
    assert wait_for(replica.is_ready, 10)
    os.kill(replica.pid, number)
    assert wait_for(lambda: not replica.is_running, 10)
    assert any(f"replica0 died of signal {int(number)}" in fault for fault in replica.faults()) is is_fault


def test_a_server_that_must_be_killed_at_a_restart_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("limen_chaos.replica.DRAIN_S", 0.5)
    topology = Topology(Shape(build_dir() / "shop"), tmp_path)
    replica = Replica(0, "/bin/sh", tmp_path, [])
    replica.command, replica.wait_ready = ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"], lambda: None
    topology.replicas.append(replica)
    replica.start()
    try:
        assert wait_for(lambda: "up" in replica.tail(), 10)
        asyncio.run(faults.restart_replica(topology, Fault(0.0, "restart replica", 0, 0.0)))
        assert any("replica0 did not end" in fault for fault in replica.faults())
    finally:
        replica.kill()


def test_a_refund_that_was_promised_and_forgotten_is_not_made_good_by_asking_again(tmp_path):
    path = tmp_path / "app.db"
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE orders (id TEXT, state TEXT)")
        db.execute("CREATE TABLE payments (order_id TEXT, refund_id TEXT)")
        db.executemany("INSERT INTO orders VALUES (?, ?)", [("ord_1", "refunded"), ("ord_2", "paid")])
        db.executemany("INSERT INTO payments VALUES (?, NULL)", [("ord_1",), ("ord_2",)])
    run = SimpleNamespace(topology=SimpleNamespace(provider=object(), postgres=None, sqlite_path=path), history=history.History())
    for order, left in (("ord_1", 0), ("ord_2", 1)):
        promise = Answer(202, {}, json.dumps({"id": order}).encode())
        run.history.add("acc_admin", f"refund-{order}", "POST", f"/api/admin/orders/{order}/refund", 0.0, promise)
        assert Shop().unsettled(run) == left


def test_everything_is_ended_when_preparing_fails(tmp_path):
    tmp_path.chmod(0o755)
    topology = Topology(Shape(build_dir() / "shop", flags=Shop.flags), tmp_path / "run")
    pids = []

    class Unprepared(Shop):
        async def prepare(self, run):
            pids.extend(tree_of(run.topology.replicas[0].pid))
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        one_run(Unprepared(), topology, 1, 0.1)
    assert len(pids) >= 4 and wait_for(lambda: not any(map(is_there, pids)), 10)


def test_the_command_prints_one_table(tmp_path):
    said = run_command("--seed", 5, "--minutes", 2, "--seconds", 1.5, "--clients", 10, "--rate", "kill worker=0.3")
    assert said.returncode == 0, said.stdout + said.stderr
    lines = said.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["seed", "5", "6", "all", "faults:"]
    head, both = lines[0].replace("no answer", "none").replace("come again", "later").replace("recovery s", "s").split(), lines[3].split()
    assert int(both[head.index("acknowledged")]) > 10 and int(both[head.index("kills")]) >= 4 and int(both[head.index("broken")]) == 0


def test_the_command_shows_the_timetable_of_a_seed():
    first, again = (run_command("--seed", 5, "--plan", "--provider").stdout for _ in range(2))
    assert first == again and "kill worker" in first and "stop data for" in first and "cut replica for" in first


def test_the_workload_of_the_documentation_runs_on_another_app(tmp_path):
    """Verbatim but for how one signs in: this app's notes are written with tokens."""
    tmp_path.chmod(0o755)
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "chaos.md").read_text(), re.DOTALL)[1]
    (tmp_path / "notes.py").write_text(code)
    (tmp_path / "keys.json").write_text(tokens.key_set())
    notes = load_workload(tmp_path / "notes.py")

    class WithTokens(notes):
        async def prepare(self, run):
            run.principals["a"] = [("Authorization", f"Bearer {tokens.token('write')}")]

    workload = WithTokens()
    workload.rates = {name: 0 for name in faults.KINDS} | {"kill worker": 0.3, "kill data": 1.0}
    callers = build_app("callers", ROOT / "tests" / "http" / "callers", tmp_path)
    flags = [*notes.flags, "--jwks", f"token={tmp_path}/keys.json", "--jwks", f"partner={tmp_path}/keys.json"]
    figures = one_run(workload, Topology(Shape(callers, flags=tuple(flags)), tmp_path / "run"), 1, 3)
    assert figures.broken == [] and figures.acknowledged >= 10 and figures.hits["kills"] >= 3


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--only", "kill the cat"], "there is no fault 'kill the cat'"),
        (["--rate", "kill data"], "--rate is FAULT=SECONDS"),
        (["--workload", "/nowhere.py"], "/nowhere.py is not a Python file"),
    ],
)
def test_what_is_not_understood_is_refused(more, words):
    said = run_command(*more)
    assert said.returncode != 0 and words in said.stderr
