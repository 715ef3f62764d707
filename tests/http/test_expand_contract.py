"""An old server lives through what newer versions do to its database: one that adds, and a later one that takes away. Its data role is
killed after each, because it is a start that compares."""

import contextlib
import os
import shutil
import signal
import subprocess

import pytest
from caller import Caller, customer
from postgres import IS_INSTALLED, Postgres
from server import ROOT, Server, build_dir, wait_for

FLAGS = ["--limit-scale", "100000"]
AHEAD = "the database is ahead"

EXPAND = """
ALTER TABLE items ADD COLUMN note TEXT;
-- owner: customer_id
CREATE TABLE wishes (
    id          TEXT NOT NULL PRIMARY KEY,
    customer_id TEXT NOT NULL REFERENCES accounts (id),
    item_id     TEXT NOT NULL REFERENCES items (id),
    name        TEXT NOT NULL -- decided-by: items.name via item_id
) STRICT;
CREATE INDEX items_by_name ON items (name);
"""
CONTRACT = """
DROP INDEX items_by_name;
DROP INDEX order_lines_of_item;
DROP TABLE wishes;
ALTER TABLE items DROP COLUMN note;
"""
TOO_EARLY = "ALTER TABLE items RENAME COLUMN stock TO left_over;\n"


@pytest.fixture(scope="module")
def postgres():
    if not IS_INSTALLED:
        pytest.skip("postgresql-15 is not installed")
    with Postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request):
    """What Server takes: None is SQLite in its own folder."""
    return None if request.param == "sqlite" else request.getfixturevalue("postgres").database()


class Newer:
    """Later versions of the app, as far as the database knows them: more migrations."""

    def __init__(self, folder, server):
        self.folder, self.server = folder / "migrations", server
        shutil.copytree(ROOT / "apps" / "shop" / "migrations", self.folder)

    def migrate(self, name, sql):
        (self.folder / name).write_text(sql)
        run = command("limen", "migrate", "--migrations", self.folder, "--database", self.server.database, "--apply",
                      folder=self.server.folder)  # fmt: skip
        assert run.returncode == 0 and f"applied now {name}" in run.stdout, run.stderr


def command(program, *arguments, folder):
    env = {"ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0", "PATH": os.environ["PATH"]}
    return subprocess.run([build_dir() / program, *arguments], capture_output=True, text=True, timeout=120, env=env, cwd=folder)


def started(folder, database, *flags):
    """The old version, on a database that has its migrations already."""
    folder.chmod(0o755)
    server = Server(folder / "shop", database=database, workers=1, flags=[*FLAGS, *flags])
    server.database_path.parent.mkdir(parents=True)
    assert command("shop", "migrate", "--database", server.database, "--apply", folder=server.folder).returncode == 0
    return server.start()


def kill_data(server):
    before = server.roles("data")
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert wait_for(lambda: not set(before) & set(server.roles("data")), 20)


def orders(caller):
    with contextlib.suppress(OSError):
        answer = caller.get("/api/orders")
        return len(answer.json()["orders"]) if answer.status == 200 else None
    return None


@pytest.mark.parametrize("how", ["auto", "wait"])
def test_an_old_server_lives_through_what_newer_ones_migrate(tmp_path, database, how):
    with started(tmp_path, database, "--migrate", how) as server:
        newer, buyer = Newer(tmp_path, server), customer(server)
        assert buyer.checkout().status == 201
        for count, (name, sql) in enumerate([("0005_expand.sql", EXPAND), ("0006_contract.sql", CONTRACT)], start=1):
            newer.migrate(name, sql)
            assert buyer.checkout().status == 201, "while it runs"
            kill_data(server)
            assert wait_for(lambda: orders(buyer) == 2 * count, 30), server.tail()
            assert buyer.checkout().status == 201, "after its data role came back"
            assert wait_for(lambda: server.log.count(AHEAD) == count, 10), "it says so"
        server.restart()
        buyer = Caller(server, buyer.cookie)
        assert orders(buyer) == 5


def test_an_old_check_and_an_old_migrate_tell_that_the_database_is_ahead(tmp_path, database):
    with started(tmp_path, database) as server:
        Newer(tmp_path, server).migrate("0005_expand.sql", EXPAND)
        refused = command("shop", "migrate", "--database", server.database, "--apply", folder=server.folder)
        assert refused.returncode == 1 and AHEAD in refused.stderr, refused
        checked = command("shop", "check", "--database", server.database, folder=server.folder)
        if database is not None:  # of SQLite `check` asks nothing
            assert checked.returncode == 0 and "warning" in checked.stderr and AHEAD in checked.stderr, checked


def test_a_newer_version_that_contracts_too_early_is_named_by_the_old_one(tmp_path, database):
    with started(tmp_path, database) as server:
        Newer(tmp_path, server).migrate("0005_too_early.sql", TOO_EARLY)
        kill_data(server)
        assert wait_for(lambda: "queries.sql:" in server.log and "stock" in server.log.partition(AHEAD)[2], 20), server.tail()
        server.kill()


# ---- PostgreSQL: what is compared of the guards -------------------------------------------------------------------------------------
@pytest.mark.parametrize("change", [
    "UPDATE limen.limen_guards SET wanted = '1000000 of a newer Limen', found = 'of a newer Limen'",
    "CREATE TABLE scratch (a int); ALTER TABLE scratch ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON scratch USING (a = 1)",
], ids=["a newer Limen", "somebody's own table"])  # fmt: skip
def test_what_protects_no_less_stops_no_start(tmp_path, postgres, change):
    with started(tmp_path, postgres.database(), "--migrate", "wait") as server:
        buyer = customer(server)
        postgres.ask(change, server.database)
        kill_data(server)
        assert wait_for(lambda: orders(buyer) == 0, 30), server.tail()
        assert buyer.checkout().status == 201
