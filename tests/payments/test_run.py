"""One command serves a shop whose orders are paid; what it has started ends with it."""

import os
import pathlib
import shutil
import signal
import subprocess
import urllib.error
import urllib.request

import pytest
from caller import Caller, customer, new_key
from server import ROOT, Server, build_dir, free_port, wait_for


class Run(Server):
    """`tools/run`, as `make run` calls it."""

    def __init__(self, folder, **options):
        super().__init__(folder, flags=["--limit-scale", "1000"], **options)
        self.payments_port = free_port()
        self.extra_env = {"BUILD": str(build_dir()), "PAYMENTS_LISTEN": f"127.0.0.1:{self.payments_port}",
                          "PAYMENTS_STATE": str(self.folder / "payments"), **self.extra_env}  # fmt: skip

    def command(self):
        return [str(ROOT / "tools" / "run"), *super().command()[2:]]

    def has_sandbox(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.payments_port}/sandbox/charges", timeout=5) as reply:
                return reply.status == 200
        except (urllib.error.URLError, OSError):
            return False


def is_paid(caller, order):
    return caller.get(f"/api/orders/{order}").json()["state"] == "paid"


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_an_order_is_paid_and_both_end_together(tmp_path, end):
    run = Run(tmp_path).start()
    buyer = customer(run)
    order = buyer.checkout(key=new_key()).json()["id"]
    assert wait_for(lambda: is_paid(buyer, order), 20)
    os.kill(run.pid, end) if end == signal.SIGKILL else os.killpg(run.pid, end)
    run.wait(30)
    assert wait_for(lambda: not run.has_sandbox())
    again = Run(tmp_path)
    again.port, again.payments_port = run.port, free_port()
    again.extra_env["PAYMENTS_LISTEN"] = f"127.0.0.1:{again.payments_port}"
    again.start()  # what was paid is known, and the secrets are the same
    assert is_paid(Caller(again, buyer.cookie), order)
    order = Caller(again, buyer.cookie).checkout(key=new_key()).json()["id"]
    assert wait_for(lambda: is_paid(Caller(again, buyer.cookie), order), 20)
    again.stop()


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


def test_the_first_start_in_a_clone_needs_no_setting(tmp_path):
    """The database's folder becomes the data process's own, so nothing else may be put there."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "run", tmp_path / "tools" / "run")
    shutil.copytree(ROOT / "apps" / "payments-sandbox", tmp_path / "apps" / "payments-sandbox")
    port, payments_port = free_port(), free_port()
    command = [tmp_path / "tools" / "run", "--listen", f"127.0.0.1:{port}", "--operator", "off"]
    env = {**os.environ, "BUILD": str(build_dir()), "PAYMENTS_LISTEN": f"127.0.0.1:{payments_port}"}
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, start_new_session=True) as run:
        try:
            assert wait_for(lambda: answers(f"http://127.0.0.1:{port}/api/items?limit=1") or run.poll() is not None, 30)
            assert run.poll() is None
            assert answers(f"http://127.0.0.1:{payments_port}/sandbox/charges")
        finally:
            os.killpg(run.pid, signal.SIGTERM)
            run.wait(30)


def test_secrets_are_made_once_and_are_nobody_elses(tmp_path):
    with Run(tmp_path) as run:
        for name in ("api-key", "webhook-secret"):
            path = run.folder / "payments" / name
            assert path.stat().st_mode & 0o077 == 0 and len(path.read_text()) > 40
        first = pathlib.Path(run.folder / "payments" / "api-key").read_text()
    with Run(tmp_path) as run:
        assert (run.folder / "payments" / "api-key").read_text() == first


def test_a_provider_of_ones_own_takes_the_sandboxs_place(tmp_path):
    (tmp_path / "key").write_text("sk_test_of_ones_own")
    own = {"LIMEN_EFFECT_TARGET": "payments=http://127.0.0.1:9", "LIMEN_FETCH_PRIVATE": "127.0.0.1", "LIMEN_SECRET": f"payments=@{tmp_path}/key"}
    with Run(tmp_path, env=own) as run:
        assert not run.has_sandbox()
