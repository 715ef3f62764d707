"""The parts that a topology is made of: wires that are cut, a PostgreSQL that crashes and fails over, a Redis that is killed."""

import asyncio
import socket

import pytest
from limen_chaos.haproxy import Haproxy
from limen_chaos.postgres import PLACES, Cluster
from limen_chaos.process import Broken, find_program, wait_for
from limen_chaos.provider import Provider
from limen_chaos.redis import Redis
from limen_chaos.wire import State, Wire
from server import ROOT



def needs(program, package):
    try:
        find_program(program, *PLACES)
    except Broken:
        pytest.skip(f"{package} is not installed")


# ---- wires --------------------------------------------------------------------------------------------------------------


async def echo(heard):
    """A server that gives back what it hears, and keeps it."""

    async def serve(reader, writer):
        while data := await reader.read(100):
            heard.append(data)
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def say(connection, text, seconds=0.3):
    """What comes back; None when nothing does in time."""
    reader, writer = connection
    writer.write(text)
    try:
        return await asyncio.wait_for(reader.read(100), seconds)
    except asyncio.TimeoutError:
        return None
    except ConnectionError:
        return b"reset"


def with_wire(script):
    async def play():
        heard = []
        server, port = await echo(heard)
        wire = await Wire("a wire", port).start()
        await script(wire, heard, lambda: asyncio.open_connection("127.0.0.1", wire.port))
        wire.close()
        server.close()

    asyncio.run(asyncio.wait_for(play(), 20))


def test_a_whole_wire_carries_bytes_and_ends():
    async def script(wire, _heard, connect):
        connection = await connect()
        assert await say(connection, b"one", 5) == b"one"
        connection[1].write_eof()
        assert await asyncio.wait_for(connection[0].read(), 5) == b""

    with_wire(script)


def test_a_refused_wire_resets_old_connections_and_new_ones():
    async def script(wire, heard, connect):
        old = await connect()
        assert await say(old, b"one", 5) == b"one"
        wire.become(State.REFUSED)
        assert await say(old, b"two", 5) in (b"reset", b"")
        assert await say(await connect(), b"three", 5) in (b"reset", b"")
        wire.become(State.WHOLE)
        assert await say(await connect(), b"four", 5) == b"four" and heard == [b"one", b"four"]

    with_wire(script)


def test_a_silent_wire_holds_bytes_and_delivers_them():
    async def script(wire, heard, connect):
        connection = await connect()
        assert await say(connection, b"one", 5) == b"one"
        wire.become(State.SILENT)
        assert await say(connection, b"two") is None and heard == [b"one"]
        wire.become(State.WHOLE)
        assert await asyncio.wait_for(connection[0].read(100), 5) == b"two"

    with_wire(script)


def test_on_a_deaf_wire_what_is_asked_is_done_and_no_answer_comes():
    async def script(wire, heard, connect):
        connection = await connect()
        wire.become(State.DEAF)
        assert await say(connection, b"one") is None and heard == [b"one"]
        wire.reset()
        wire.become(State.WHOLE)
        assert await say(connection, b"two", 5) in (b"reset", b"") and heard == [b"one"]

    with_wire(script)


@pytest.mark.parametrize("state", [State.SILENT, State.DEAF])
def test_who_has_ended_stays_so_when_the_wire_is_whole_again(state):
    async def script(wire, heard, connect):
        reader, writer = await connect()
        wire.become(state)
        writer.write(b"one")
        writer.write_eof()
        await asyncio.sleep(0.2)
        wire.become(State.WHOLE)
        assert await asyncio.wait_for(reader.read(), 5) == b"one" and heard == [b"one"]
        wire.become(State.WHOLE)
        assert await asyncio.to_thread(wait_for, lambda: not wire.sides), "an ended connection is kept"

    with_wire(script)


def test_a_wire_leads_elsewhere():
    async def script(wire, heard, connect):
        assert await say(await connect(), b"one", 5) == b"one"
        others = []
        server, port = await echo(others)
        wire.lead_to(port)
        assert await say(await connect(), b"two", 5) == b"two" and heard == [b"one"] and others == [b"two"]
        server.close()

    with_wire(script)


# ---- PostgreSQL ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    needs("initdb", "PostgreSQL")
    it = Cluster(tmp_path_factory.mktemp("cluster"), has_standby=True)
    try:
        it.start()
        it.primary.ask("CREATE TABLE facts (name text)", "app")
        yield it
    finally:
        it.kill()


def facts(cluster):
    assert wait_for(lambda: cluster.primary.ask("SELECT 1") == "1", 30)
    return cluster.primary.ask("SELECT string_agg(name, ' ' ORDER BY name) FROM facts", "app")


def test_what_was_committed_outlives_crash_and_failover(cluster):
    assert cluster.primary.ask("INSERT INTO facts VALUES ('a')", "app") is not None
    cluster.crash_restart()
    assert facts(cluster) == "a"
    assert wait_for(cluster.can_fail_over, 30)
    for name in ("b", "c"):  # there and back again
        before = cluster.primary.name
        assert cluster.primary.ask(f"INSERT INTO facts VALUES ('{name}')", "app") is not None
        cluster.fail_over()
        assert cluster.primary.name != before and not cluster.can_fail_over()
        cluster.make_standby()
        assert wait_for(cluster.can_fail_over, 30)
    assert facts(cluster) == "a b c"


def test_a_killed_backend_ends_all_others_and_the_cluster_recovers(cluster):
    assert cluster.kill_backend(3) is None, "nobody but the harness is connected"
    session = cluster.primary.session("app")
    session.say("SELECT 'before'")
    assert cluster.kill_backend(3) is not None
    assert session.wait() != 0 and facts(cluster) is not None


# ---- the provider -------------------------------------------------------------------------------------------------------


def test_a_killed_provider_remembers_and_is_told_to_behave(tmp_path):
    provider = Provider(ROOT / "apps" / "payments-sandbox" / "payments-sandbox", tmp_path, flags=lambda port, it: [])
    try:
        provider.start()
        assert provider.behave(decline=0.5, webhook_times=2) and provider.charges() == []
        provider.kill()
        assert not provider.behave()
        provider.start()
        assert provider.behave() and provider.charges() == []
    finally:
        provider.kill()


# ---- HAProxy ------------------------------------------------------------------------------------------------------------

CONFIGURATION = """defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend clients
    bind "${LIMEN_BIND}"
    default_backend replicas
backend replicas
    server one 10.0.0.1:80 port 81
    server two 10.0.0.2:80 port 81
"""


def test_of_a_balancers_configuration_only_the_servers_are_replaced(tmp_path):
    needs("haproxy", "HAProxy")
    original = tmp_path / "original.cfg"
    original.write_text(CONFIGURATION)
    haproxy = Haproxy(original, tmp_path / "run")
    haproxy.folder.mkdir()
    haproxy.lead_to([(f"replica{number}", 8000 + number, 9000 + number) for number in range(5)])
    text = haproxy.configuration.read_text()
    assert text.startswith(CONFIGURATION[: CONFIGURATION.index("    server one")]) and text.count("\n    server ") == 5
    assert "    server replica4 127.0.0.1:8004 port 9004\n" in text and "10.0.0." not in text
    try:
        haproxy.start()
    finally:
        haproxy.kill()


def test_a_balancers_configuration_that_cannot_be_used_is_refused(tmp_path):
    needs("haproxy", "HAProxy")
    original = tmp_path / "original.cfg"
    original.write_text(CONFIGURATION.replace("LIMEN_BIND", "BIND"))
    with pytest.raises(Broken, match="LIMEN_BIND"):
        Haproxy(original, tmp_path).lead_to([("replica1", 8001, 9001)])


# ---- Redis --------------------------------------------------------------------------------------------------------------


def test_a_killed_redis_remembers(tmp_path):
    needs("redis-server", "Redis")

    def ask(text):
        with socket.create_connection(("127.0.0.1", redis.port), timeout=5) as connection:
            connection.sendall(text)
            return connection.recv(100)

    redis = Redis(tmp_path)
    try:
        redis.start()
        assert ask(b"SET session grace\r\n") == b"+OK\r\n"
        redis.kill()
        redis.start()
        assert ask(b"GET session\r\n") == b"$5\r\ngrace\r\n"
    finally:
        redis.kill()
