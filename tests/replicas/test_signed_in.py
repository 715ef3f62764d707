"""Sessions outlive replicas: 1,000 users stay signed in while every replica is killed and replaced, and then reloaded.

Signing up costs what a password's hash costs, which is the same for each and says nothing here. So a few users sign up, and the others are
copies of what the server wrote of the first: rows of the database, a hash in Redis. That a copy is a user like any other is seen before
anything is killed. REPLICAS_SIGN_UPS=1000 makes all of them the long way.
"""

import asyncio
import base64
import contextlib
import hashlib
import os
import sqlite3

import postgres
import pytest
from balancer import HAPROXY, Balancer
from caller import Caller
from client import Client
from load import Load
from redis_server import Redis
from server import Server, build_dir, wait_for

REPLICAS = 3
USERS = 1000
SIGN_UPS = int(os.environ.get("REPLICAS_SIGN_UPS", "16"))
AT_ONCE = 16
ROWS = 100  # of one INSERT


# ---- where the state is ----------------------------------------------------------------------------------------------
class Sqlite:
    """A file that the replicas share."""

    redis = None
    schema, literal = "", "X'{}'"

    def __init__(self, folder):
        self.path = folder / "var" / "shop.db"
        self.url = f"sqlite:{self.path}"

    def run(self, sql):
        with contextlib.closing(sqlite3.connect(self.path, timeout=20)) as database, database:
            return [tuple(map(str, row)) for row in database.execute(sql)]


class Postgresql:
    schema, literal = "limen.", r"'\x{}'"

    def __init__(self, server, redis):
        self.server, self.url, self.redis = server, server.database("shop"), redis

    def run(self, sql):
        return [tuple(line.split("|")) for line in self.server.ask(sql, self.url).splitlines()]


@pytest.fixture(params=["sqlite", "postgresql", "postgresql-redis"])
def state(request, tmp_path):
    if request.param == "sqlite":
        yield Sqlite(tmp_path)
        return
    if not postgres.IS_INSTALLED or b"PQenterPipelineMode" not in (build_dir() / "shop").read_bytes():
        pytest.skip("no PostgreSQL, or a build without it")
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(Redis(tmp_path / "redis")) if request.param == "postgresql-redis" else None
        yield Postgresql(stack.enter_context(postgres.Postgres()), redis)


def start_replicas(state, folder, stack, flags):
    """Servers on the same state; they end with the stack."""
    flags = [*flags, *(["--redis", state.redis.url] if state.redis else [])]
    servers = []
    for number in range(REPLICAS):
        server = Server(folder / f"replica-{number}", flags=flags, workers=1, database=state.url)
        stack.callback(server.kill)
        servers.append(server.start())
    return servers


def stop(servers):
    """All at once, each in good order."""
    for server in servers:
        server.process.terminate()
    for server in servers:
        server.stop()


# ---- users -----------------------------------------------------------------------------------------------------------
def hash_of(cookie):
    """As the server keeps it."""
    return hashlib.sha256(base64.urlsafe_b64decode(cookie + "=")).hexdigest()


async def each(things, work):
    """`work` for each of them, a few at a time; what it returns, in any order."""
    results, left = [], iter(things)

    async def some():
        for thing in left:
            results.append(await work(thing))

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    return results


def insert(state, table, rows):
    for at in range(0, len(rows), ROWS):
        state.run(f"INSERT INTO {table} VALUES " + ", ".join(f"({row})" for row in rows[at : at + ROWS]))


def copy_users(state, first, first_cookie, count):
    """{cookie: account} of users who are what the first one is, but for id, address and session."""
    cookies = [base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=") for _ in range(count)]
    copies = {cookie: f"{first[:-4]}{number:04d}" for number, cookie in enumerate(cookies)}
    ((password, roles, created),) = state.run(
        f"SELECT password_hash, roles, created_at FROM {state.schema}limen_credentials WHERE account_id = '{first}'")
    insert(state, "accounts (id, name, created_at)", [f"'{account}', 'A Customer', {created}" for account in copies.values()])
    insert(state, f"{state.schema}limen_credentials (account_id, email, password_hash, roles, created_at)",
           [f"'{account}', '{account.lower()}@example.com', '{password}', '{roles}', {created}" for account in copies.values()])
    if state.redis is None:
        insert(state, f"{state.schema}limen_sessions (token_hash, account_id, created_at, seen_at)",
               [f"{state.literal.format(hash_of(cookie))}, '{account}', {created}, {created}" for cookie, account in copies.items()])
        return copies
    (key,) = [key for key in state.redis.ask("KEYS", "*:session:*") if key.endswith(hash_of(first_cookie))]
    fields, life = state.redis.ask("HGETALL", key), state.redis.ask("PTTL", key)
    for cookie, account in copies.items():
        place = key.replace(hash_of(first_cookie), hash_of(cookie))
        of_copy = [account if word == first else word.replace("user-0", account.lower()) for word in fields]
        state.redis.ask("HSET", place, *of_copy)
        state.redis.ask("PEXPIRE", place, life)
    return copies


async def make_users(state, balancer):
    """{cookie: account} of all."""

    async def sign_up(number):
        client = Client(balancer.host, balancer.port)
        account = await client.sign_up(f"user-{number}@example.com")
        client.close()
        return client.cookie, account

    (first,) = [await sign_up(0)]
    users = dict([first, *await each(range(1, SIGN_UPS), sign_up)])
    cookie, account = first
    return users | copy_users(state, account, cookie, USERS - len(users))


async def signed_in(balancer, users):
    """How many are who they were."""

    async def is_in(user):
        cookie, account = user
        client = Client(balancer.host, balancer.port, cookie)
        answer = await client.call("GET", "/api/me")
        client.close()
        return answer.status == 200 and answer.json()["id"] == account

    return sum(await each(users.items(), is_in))


# ---- replicas --------------------------------------------------------------------------------------------------------
def is_used(server):
    return "limen_connections 0\n" not in server.metrics()


async def kill_and_replace(server, balancer, cookies):
    """Returns when the balancer sends requests to the new one. Some of what the old one was asked is lost."""
    load = Load(balancer.host, balancer.port, cookies)
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)
    load.start(2)
    assert await asyncio.to_thread(wait_for, lambda: is_used(server), 20), server.tail()
    await load.stop()


async def reload_under_load(server, balancer, cookies):
    """Nothing is lost."""
    load = Load(balancer.host, balancer.port, cookies)
    load.start(4)
    await asyncio.to_thread(server.reload)
    await load.stop()
    assert not load.faults, load.say()
    assert load.seen["GET", "/api/me", 200] > 0


@pytest.mark.skipif(HAPROXY is None, reason="no haproxy")
def test_a_thousand_users_stay_signed_in_while_every_replica_is_killed_and_replaced(state, tmp_path):
    flags = ["--trusted-proxy", "127.0.0.1", "--drain-notice", "3", "--limit-scale", "100000"]

    async def run(servers, balancer):
        users = await make_users(state, balancer)
        cookies = list(users)
        assert await signed_in(balancer, users) == USERS
        for server in servers:
            await kill_and_replace(server, balancer, cookies)
        assert await signed_in(balancer, users) == USERS
        for server in servers:
            await reload_under_load(server, balancer, cookies)
        assert await signed_in(balancer, users) == USERS

    with contextlib.ExitStack() as stack:
        servers = start_replicas(state, tmp_path, stack, flags)
        balancer = stack.enter_context(Balancer([(server.port, server.operator_port) for server in servers], tmp_path))
        asyncio.run(run(servers, balancer))
        sessions = state.run(f"SELECT count(*) FROM {state.schema}limen_sessions")
        assert sessions == [("0",)] if state.redis else sessions != [("0",)]
        stop(servers)


@pytest.mark.parametrize("state", ["postgresql-redis"], indirect=True)
def test_a_quota_in_redis_is_of_all_replicas_and_outlives_them(state, tmp_path):
    def sign_in_wrongly(server):
        return Caller(server).post("/api/sessions", {"email": "nobody@example.com", "password": "not the right one"}).status

    with contextlib.ExitStack() as stack:
        one, two, three = start_replicas(state, tmp_path, stack, flags=[])
        assert wait_for(lambda: sign_in_wrongly(one) == 429)
        assert sign_in_wrongly(two) == 429
        two.reload()
        three.kill()
        three.start()
        assert [sign_in_wrongly(server) for server in (one, two, three)] == [429] * 3
        stop([one, two, three])
