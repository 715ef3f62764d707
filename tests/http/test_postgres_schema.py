"""The commands on PostgreSQL: migrate, check, keys; and a server whose login owns nothing."""

import os
import subprocess

import pytest
from postgres import IS_INSTALLED, Postgres
from server import Server, build_dir

pytestmark = pytest.mark.skipif(not IS_INSTALLED, reason="postgresql-15 is not installed")


@pytest.fixture(scope="module")
def postgres():
    with Postgres() as server:
        yield server


@pytest.fixture
def url(postgres):
    return postgres.database()


def shop(*arguments):
    env = {"ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0", "PATH": os.environ["PATH"]}
    return subprocess.run([build_dir() / "shop", *arguments], capture_output=True, text=True, timeout=60, env=env)


def migrate(url, *flags):
    return shop("migrate", "--database", url, *flags)


def test_migrate_shows_what_is_pending_and_applies_it_once(postgres, url):
    assert all(line.startswith("pending ") for line in migrate(url).stdout.splitlines())
    applied = migrate(url, "--apply")
    assert (applied.returncode, applied.stderr) == (0, "")
    assert all(line.startswith("applied now ") for line in applied.stdout.splitlines())
    again = migrate(url, "--apply")
    assert again.returncode == 0 and "now" not in again.stdout
    assert postgres.ask("SELECT count(*) FROM items", url) == "24"


def test_five_that_migrate_at_once_apply_each_migration_once(postgres, url):
    env = {"ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0", "PATH": os.environ["PATH"]}
    command = [build_dir() / "shop", "migrate", "--database", url, "--apply"]
    five = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env) for _ in range(5)]
    said = [one.communicate(timeout=120)[0] for one in five]
    assert [one.returncode for one in five] == [0] * 5, said
    assert postgres.ask("SELECT count(*) FROM items", url) == "24"
    assert postgres.ask("SELECT count(*) = count(DISTINCT name) FROM limen.limen_migrations", url) == "t"


def test_a_database_whose_role_would_see_all_of_another_one_is_refused(postgres):
    """The role of callers of "shop_all" is the one for statements with a scope of "shop": roles belong to the whole server."""
    postgres.ask("CREATE DATABASE shop_all")
    refused = migrate(postgres.url("shop_all"), "--apply")
    assert refused.returncode == 1
    assert "_all" in refused.stderr and "rename it" in refused.stderr
    assert postgres.ask("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'limen_shop%'") == "0"


def test_check_compares_the_database_and_names_the_line(postgres, url):
    before = shop("check", "--database", url)
    assert before.returncode == 1 and "migrations are pending" in before.stderr
    migrate(url, "--apply")
    fine = shop("check", "--database", url)
    assert (fine.returncode, fine.stderr) == (0, "")
    postgres.ask("ALTER TABLE items ALTER COLUMN stock TYPE numeric", url)
    drifted = shop("check", "--database", url)
    assert drifted.returncode == 1
    assert "queries.sql:" in drifted.stderr and "column 'stock' is of another type in PostgreSQL: numeric" in drifted.stderr
    assert postgres.password not in before.stderr + drifted.stderr


def test_a_database_that_cannot_be_reached_is_told_without_its_password(postgres):
    for command in (["check"], ["migrate"], ["keys", "list"]):
        run = shop(*command, "--database", postgres.url("nowhere"))
        assert run.returncode == 1, command
        assert "nowhere" in run.stderr and postgres.password not in run.stderr


def test_server_runs_as_a_login_that_owns_nothing(postgres, url, tmp_path):
    assert migrate(url, "--apply").returncode == 0
    name = url.rpartition("/")[2]
    postgres.ask(f"CREATE ROLE server LOGIN PASSWORD 'of-the-server'; GRANT limen_{name}, limen_{name}_all TO server")
    server = Server(tmp_path, database=postgres.url(name, "server", "of-the-server"), flags=["--migrate", "wait"], workers=1)
    server.start()
    try:
        roles = postgres.ask("SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = current_database()"
                             " AND application_name LIKE 'limen%'", url)  # fmt: skip
        assert roles == "server"
        assert server.admin_password, "the first account was made by a login that owns nothing"
    finally:
        server.stop()
    assert "of-the-server" not in server.log
