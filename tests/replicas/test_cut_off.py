"""A replica that has lost its database says so, and the balancer sends it nothing: it refuses so quickly that it would look like the least
busy one."""

import urllib.error
import urllib.request

import pytest
from balancer import HAPROXY, Balancer
from caller import Caller, customer, new_key
from line import Line
from postgres import IS_INSTALLED, Postgres
from server import Server, wait_for

pytestmark = pytest.mark.skipif(not IS_INSTALLED, reason="postgresql-15 is not installed")

FLAGS = ["--trusted-proxy", "127.0.0.1", "--limit-scale", "100000"]


@pytest.fixture
def postgres():
    with Postgres() as server:
        yield server


@pytest.fixture
def line(postgres):
    with Line(postgres.port) as line:
        yield line


def through(line, postgres, database):
    return database.replace(f":{postgres.port}/", f":{line.port}/")


def readiness(server):
    try:
        with urllib.request.urlopen(f"{server.operator_url}/readyz", timeout=5) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def is_refused(server):
    return wait_for(lambda: readiness(server)[0] == 503, seconds=20)


def is_ready_again(server):
    return wait_for(lambda: readiness(server)[0] == 200, seconds=30)


def test_a_replica_without_its_database_is_not_ready_until_it_is_there_again(make_shop, postgres, line):
    server = make_shop(database=through(line, postgres, postgres.database("shop")), flags=FLAGS)
    caller, data = customer(server), server.roles("data")
    assert "limen_database_up 1\n" in server.metrics()
    line.cut()
    assert is_refused(server)
    assert readiness(server) == (503, "not ready\ndatabase: away\n")
    assert "limen_database_up 0\n" in server.metrics()
    assert caller.get("/api/me").status == 503
    line.mend()
    assert is_ready_again(server)
    assert caller.get("/api/me").status == 200
    assert server.roles("data") == data, "it is the same process, which has lost nothing but its connections"


def test_connections_that_come_back_at_once_make_no_replica_unready(make_shop, postgres, line):
    server = make_shop(database=through(line, postgres, postgres.database("shop")), flags=FLAGS)
    for _ in range(20):
        line.reset()
        assert readiness(server)[0] == 200


@pytest.mark.skipif(HAPROXY is None, reason="no haproxy")
def test_of_three_replicas_the_one_that_is_cut_off_is_sent_nothing(tmp_path, postgres, line):
    database = postgres.database("shop")
    places = [through(line, postgres, database), database, database]
    servers = [Server(tmp_path / f"replica-{n}", flags=FLAGS, workers=1, database=place) for n, place in enumerate(places)]
    try:
        for server in servers:
            server.start()
        postgres.ask("UPDATE items SET stock = 1000000", database)
        with Balancer([(server.port, server.operator_port) for server in servers], tmp_path) as balancer:
            shopper = customer(balancer)
            line.cut()
            assert wait_for(lambda: "replica1 is DOWN" in balancer.log, seconds=20), balancer.log
            callers = [Caller(balancer, shopper.cookie) for _ in range(6)]
            for _ in range(50):
                assert [caller.get("/api/me").status for caller in callers] == [200] * 6
                assert callers[0].checkout("sku_pencils", key=new_key()).status == 201
            line.mend()
            assert wait_for(lambda: "replica1 is UP" in balancer.log, seconds=30), balancer.log
        for server in servers:
            server.stop()
    finally:
        for server in servers:
            server.kill()
