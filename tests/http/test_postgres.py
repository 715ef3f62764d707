"""The shop on PostgreSQL: the same answers as on SQLite, and the same books after whatever was killed."""

import concurrent.futures
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import ledger
import pytest
from caller import PASSWORD, Caller, admin, customer, new_email, new_key
from https import Authority
from line import Line, State
from postgres import IS_INSTALLED, Postgres
from redis_server import Redis
from server import Server, free_port, wait_for

pytestmark = pytest.mark.skipif(not IS_INSTALLED, reason="postgresql-15 is not installed")

FLAGS = ["--limit-scale", "100000"]


@pytest.fixture(scope="module")
def postgres():
    with Postgres() as server:
        yield server


@pytest.fixture
def database(postgres):
    return postgres.database()


@pytest.fixture
def shop(make_shop, database):
    return make_shop(database=database, flags=FLAGS)


def books(server):
    return ledger.books_of(ledger.postgres_rows(server.database), "convert_from(reply, 'UTF8')")


def order_ids(caller):
    return [order["id"] for order in caller.get("/api/orders?limit=50").json()["orders"]]


# ---- the same answers ---------------------------------------------------------------------------------------------------


def test_a_retry_gets_the_same_bytes_and_is_one_order(shop):
    caller, key = customer(shop), new_key()
    first, second = caller.checkout(key=key), caller.checkout(key=key)
    assert first.status == second.status == 201
    assert first.body == second.body
    assert order_ids(caller) == [first.json()["id"]]
    assert caller.checkout("sku_bowl", 2, key=key).status == 422  # the same key, another payload


def test_a_commit_without_a_key_whose_answer_is_lost_is_told_as_unknown(make_shop, postgres, database):
    account = {"email": new_email(), "password": PASSWORD, "name": "Nobody's Key"}
    committed = "SELECT count(*) FROM accounts WHERE name = 'Nobody''s Key'"
    held = "FROM pg_locks WHERE relation = 'accounts'::regclass"
    with Line(postgres.port) as line, concurrent.futures.ThreadPoolExecutor(2) as pool:
        shop = make_shop(database=database.replace(f":{postgres.port}/", f":{line.port}/"), flags=FLAGS, workers=1)
        caller = Caller(shop)
        pool.submit(postgres.ask, "LOCK TABLE accounts IN SHARE MODE; SELECT pg_sleep(60)", database, quiet=True)
        assert wait_for(lambda: postgres.ask(f"SELECT count(*) {held} AND granted", database) == "1")
        signing_up = pool.submit(caller.post, "/api/accounts", account)
        assert wait_for(lambda: postgres.ask(f"SELECT count(*) {held} AND NOT granted", database) == "1")
        line.cut(State.DEAF)  # all of it was asked, and no answer comes back
        postgres.ask(f"SELECT pg_terminate_backend(pid) {held} AND granted", database)
        assert wait_for(lambda: postgres.ask(committed, database) == "1")
        line.cut()
        answer = signing_up.result()
        assert answer.status == 503 and answer.json()["type"].endswith("outcome-unknown"), answer
        line.mend()
        assert wait_for(lambda: caller.post("/api/accounts", account).status == 409, seconds=30)



def test_an_order_that_was_lost_with_the_database_is_told_as_unknown(make_shop, tmp_path):
    """Sessions are in Redis, so that the caller is known again while the database is not there; the order is sent again, and refused."""
    held = "FROM pg_locks WHERE relation = 'order_lines'::regclass"
    with (
        Postgres() as postgres,
        Line(postgres.port) as line,
        Redis(tmp_path / "redis") as redis,
        concurrent.futures.ThreadPoolExecutor(2) as pool,
    ):
        database = postgres.database()
        through_line = database.replace(f":{postgres.port}/", f":{line.port}/")
        shop = make_shop(database=through_line, flags=[*FLAGS, "--redis", redis.url], workers=1)
        assert wait_for(lambda: "limen_redis_up 1" in shop.metrics())
        caller, key = customer(shop), new_key()
        pool.submit(postgres.ask, "LOCK TABLE order_lines IN SHARE ROW EXCLUSIVE MODE; SELECT pg_sleep(60)", database, quiet=True)
        assert wait_for(lambda: postgres.ask(f"SELECT count(*) {held} AND granted", database) == "1")
        buying = pool.submit(caller.checkout, key=key)
        assert wait_for(lambda: postgres.ask(f"SELECT count(*) {held} AND NOT granted", database) == "1")
        line.cut(State.DEAF)  # all of it was asked, and no answer comes back
        postgres.ask(f"SELECT pg_terminate_backend(pid) {held} AND granted", database)
        assert wait_for(lambda: postgres.ask("SELECT count(*) FROM limen.limen_keys", database) == "1")
        postgres.stop(signal.SIGQUIT)
        line.cut()
        answer = buying.result()
        assert answer.status == 503 and answer.json()["type"].endswith("outcome-unknown"), answer
        postgres.start()
        line.mend()
        assert wait_for(lambda: caller.checkout(key=key).status == 201, seconds=30)
        assert postgres.ask("SELECT count(*) FROM orders", database) == "1"


def test_at_the_same_time_one_key_is_one_order(shop):
    caller = customer(shop)
    for _ in range(5):
        key = new_key()
        callers = [Caller(shop, caller.cookie) for _ in range(8)]
        with concurrent.futures.ThreadPoolExecutor(len(callers)) as pool:
            answers = list(pool.map(lambda one, key=key: one.checkout("sku_candles", key=key), callers))
        assert {answer.status for answer in answers} == {201}
        assert len({answer.body for answer in answers}) == 1
    assert len(order_ids(caller)) == 5


def test_what_is_sold_out_is_refused_and_nothing_is_left_of_the_order(shop):
    caller = customer(shop)
    assert caller.checkout("sku_vase", 3).status == 201
    refusal = caller.checkout("sku_vase", 1)
    assert refusal.status == 409 and "stock" in refusal.json()["detail"]
    assert len(order_ids(caller)) == 1
    assert books(shop).stock["sku_vase"] == 0


def test_nobody_sees_the_orders_of_others_but_the_shopkeeper(shop):
    ada, bob = customer(shop), customer(shop)
    order = ada.checkout().json()["id"]
    assert order_ids(bob) == []
    assert bob.get(f"/api/orders/{order}").status == 404
    assert ada.get(f"/api/orders/{order}").status == 200
    assert order in [one["id"] for one in admin(shop).get("/api/admin/orders").json()["orders"]]


def test_sessions_and_the_first_account_outlive_the_server(shop):
    caller, password = customer(shop), shop.admin_password
    shop.restart()
    assert shop.log.count("admin password:") == 1
    shop.admin_password = password
    assert Caller(shop, caller.cookie).get("/api/me").status == 200
    assert admin(shop).get("/api/admin/orders").status == 200


def test_an_email_has_one_account(shop):
    account = {"email": "ada@shop.example", "password": PASSWORD, "name": "Ada"}
    assert Caller(shop).post("/api/accounts", account).status == 201
    assert Caller(shop).post("/api/accounts", {**account, "email": "ADA@shop.example"}).status == 409


# ---- what is secret ---------------------------------------------------------------------------------------------------------


def test_the_password_of_the_database_is_in_no_log_and_no_roles_command_line(make_shop, database, postgres):
    server = make_shop(database=database, flags=FLAGS)
    assert customer(server).checkout().status == 201
    os.kill(server.roles("data")[0], signal.SIGKILL)
    assert wait_for(lambda: customer_can_look(server))
    assert postgres.password not in server.log
    for pid in server.children():
        assert postgres.password.encode() not in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()


def customer_can_look(server):
    try:
        return customer(server).get("/api/orders").status == 200
    except (AssertionError, OSError):
        return False


def test_a_wrong_password_is_told_at_once_and_not_shown(tmp_path, database, postgres):
    server = Server(tmp_path / "shop", database=database.replace(postgres.password, "hush-hush-secret"))
    server.start(wait=False)
    assert server.wait(60) != 0
    assert "password authentication failed" in server.log
    assert "hush-hush-secret" not in server.log


@pytest.fixture
def open_folder():
    """A folder that any user may read in: the data role's, and PostgreSQL's."""
    with tempfile.TemporaryDirectory(prefix="limen-tls-", dir="/tmp") as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


def test_a_connection_over_tls_is_to_the_host_that_it_names_and_no_other(make_shop, open_folder):
    authority, stranger = Authority(open_folder), Authority(open_folder, "stranger")
    certificate, key = authority.issue("DNS:localhost")
    with Postgres() as server_of_its_own:
        here = server_of_its_own.folder
        for path in (certificate, key):
            shutil.copy(path, here / path.name)
            os.chmod(here / path.name, 0o600)
            shutil.chown(here / path.name, here.owner(), here.group())
        server_of_its_own.stop()
        server_of_its_own.settings |= {"ssl": "on", "ssl_cert_file": here / certificate.name, "ssl_key_file": here / key.name}
        server_of_its_own.start()
        url = server_of_its_own.database() + "?sslmode=verify-full&sslrootcert="
        named = url.replace("127.0.0.1", "localhost")
        server = make_shop(database=named + str(authority.certificate), flags=FLAGS)
        assert customer(server).checkout().status == 201
        encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'limen'"
        assert server_of_its_own.ask(encrypted) == "t"
        for wrong in (named + str(stranger.certificate), url + str(authority.certificate)):
            refused = subprocess.run([server.binary, "migrate", "--database", wrong], capture_output=True, text=True, timeout=60)
            assert refused.returncode != 0 and "certificate" in refused.stderr, refused


# ---- what is killed -----------------------------------------------------------------------------------------------------------


class Load:
    """Customers who order, each order under a key of its own, which is sent again until there is an answer that stands."""

    def __init__(self, server, customers=6):
        self.server = server
        self.buyers = [customer(server) for _ in range(customers)]
        self.stock = dict(ledger.postgres_rows(server.database)("SELECT id, stock FROM items"))
        self.answers, self.others, self.is_over = [], [], threading.Event()

    def _order(self, buyer, key):
        for _ in range(600):
            try:
                answer = buyer.checkout("sku_pencils", 1, key=key)
            except OSError:
                continue
            if answer.status == 201:
                return answer
            if answer.status not in (503, 504):
                self.others.append(answer)
                return None
            time.sleep(0.05)
        self.others.append(f"key {key} was never answered")
        return None

    def _shop(self, buyer):
        while not self.is_over.is_set():
            key = new_key()
            answer = self._order(buyer, key)
            if answer is not None:
                self.answers.append(ledger.Answer(buyer.account, key, answer.body))

    def during(self, disturb):
        with concurrent.futures.ThreadPoolExecutor(len(self.buyers)) as pool:
            shopping = [pool.submit(self._shop, buyer) for buyer in self.buyers]
            try:
                disturb()
            finally:
                self.is_over.set()
            for one in shopping:
                one.result()


def check_books(load):
    found = books(load.server)
    assert load.others == []
    assert len(load.answers) > 0
    assert ledger.faults(found, load.answers, load.stock) == []
    return found


@pytest.fixture
def load(make_shop, database, postgres):
    server = make_shop(database=database, workers=1, flags=FLAGS)
    postgres.ask("UPDATE items SET stock = 1000000", database)
    return Load(server)


def test_no_order_is_lost_or_doubled_when_the_data_role_is_killed(load):
    def disturb():
        for _ in range(4):
            time.sleep(0.4)
            for pid in load.server.roles("data"):
                os.kill(pid, signal.SIGKILL)
            assert wait_for(lambda: len(load.server.roles("data")) == 1)
        time.sleep(0.4)

    load.during(disturb)
    check_books(load)


def test_no_order_is_lost_or_doubled_when_connections_are_ended(load, postgres):
    mine = "datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"

    def disturb():
        for _ in range(8):
            time.sleep(0.2)
            postgres.ask(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}", load.server.database)
        time.sleep(0.4)

    load.during(disturb)
    check_books(load)


def test_no_order_is_lost_or_doubled_when_the_database_crashes(load, postgres):
    def disturb():
        for _ in range(3):
            time.sleep(0.5)
            backend = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            pid = postgres.ask(f"{backend} LIMIT 1", quiet=True)
            if pid != "":
                os.kill(int(pid), signal.SIGKILL)  # the others are ended by their parent, which then recovers
        time.sleep(0.5)

    load.during(disturb)
    check_books(load)


class Swallower:
    """A host that is gone, as far as who connects can tell: no answer, and no refusal either. Its listener has all that it can hold."""

    def __init__(self, port):
        self._listener = socket.create_server(("127.0.0.1", port), backlog=0)
        self._callers = []
        for _ in range(8):
            caller = socket.socket()
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.1", port))
            self._callers.append(caller)

    def close(self):
        for each in (self._listener, *self._callers):
            each.close()


@pytest.mark.parametrize("kind", ["swallows", "accepts"])
def test_behind_a_host_that_is_gone_the_next_one_is_found(make_shop, postgres, database, kind):
    """First in the URL stands a host that is gone, or stands still and lets the kernel accept for it."""
    port = free_port()
    server = make_shop(database=database.replace(f"127.0.0.1:{postgres.port}", f"127.0.0.1:{port},127.0.0.1:{postgres.port}"), flags=FLAGS)
    caller = customer(server)
    gone = Swallower(port) if kind == "swallows" else socket.create_server(("127.0.0.1", port), backlog=100)
    try:
        postgres.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'limen'")
        assert wait_for(lambda: "is lost" in server.log)
        assert wait_for(lambda: caller.get("/api/orders").status == 200, seconds=30), server.log
    finally:
        gone.close()


def test_a_database_that_is_away_is_503_and_then_everything_goes_on(tmp_path, make_shop):
    with Postgres() as server_of_its_own:
        server = make_shop(database=server_of_its_own.database(), flags=FLAGS)
        caller, key = customer(server), new_key()
        first = caller.checkout(key=key)
        server_of_its_own.stop(signal.SIGQUIT)
        assert caller.get("/api/orders").status == 503
        server_of_its_own.start()
        assert wait_for(lambda: caller.get("/api/orders").status == 200, seconds=20)
        assert caller.checkout(key=key).body == first.body
