"""Redis: sessions and quotas that servers share, and what is answered when it is gone. Two shops, each with a database of its own."""

import concurrent.futures
import pathlib
import threading
import time
import urllib.request

import pytest
from apps import build_app
from caller import PASSWORD, Caller, cookie_of, customer, new_email
from redis_server import Redis
from server import ROOT, Server, wait_for

SECRET = "not to be shown anywhere"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return build_app("shared", ROOT / "tests" / "http" / "shared", tmp_path_factory.mktemp("shared"))


@pytest.fixture
def redis(tmp_path):
    with Redis(tmp_path / "redis") as server:
        yield server


def says(server, text):
    with urllib.request.urlopen(f"{server.operator_url}/readyz", timeout=5) as reply:
        return text in reply.read().decode()


def is_up(*servers):
    return wait_for(lambda: all(says(server, "redis: up") for server in servers), seconds=20)


def is_away(*servers):
    return wait_for(lambda: all(says(server, "redis: away") for server in servers), seconds=20)


def is_away_once_asked(server, caller):
    """What it lacks shows with the first thing that it should write."""
    return wait_for(lambda: caller.get("/api/me").status == 503 and says(server, "redis: away"), seconds=20)


def metric(server, name):
    (line,) = [line for line in server.metrics().splitlines() if line.startswith(name)]
    return float(line.split()[-1])


def statuses(server, path, count):
    caller = Caller(server)
    return [caller.get(path).status for _ in range(count)]


# ---- together -----------------------------------------------------------------------------------------------------------


def test_two_servers_share_a_quota(make_shop, redis, shared):
    one, two = (make_shop(name, binary=shared, flags=["--redis", redis.url]) for name in ("one", "two"))
    assert is_up(one, two)
    here, there = Caller(one), Caller(two)
    answers = [(here if i % 2 else there).get("/local") for i in range(7)]
    assert [answer.status for answer in answers] == [204] * 5 + [429] * 2
    left = [int(answer.fields["ratelimit"].split("r=")[1].split(";")[0]) for answer in answers]
    assert left == [4, 3, 2, 1, 0, 0, 0]
    assert int(answers[-1].fields["retry-after"]) > 600
    assert Caller(one).get("/allow").status == 204, "another operation has a quota of its own"


def test_of_several_limits_each_counts_across_servers(make_shop, redis, shared):
    one, two = (make_shop(name, binary=shared, flags=["--redis", redis.url]) for name in ("one", "two"))
    assert is_up(one, two)
    assert statuses(one, "/both", 2) + statuses(two, "/both", 2) == [204, 204, 204, 429]
    keys = redis.ask("KEYS", "limen:shared:limit:both:*")
    assert len(keys) == 2 and not any("127.0.0.1" in key for key in keys)
    assert all(0 < redis.ask("PTTL", key) <= 3600 * 1000 for key in keys), "they expire by themselves"


def test_whom_redis_has_refused_costs_it_nothing_more(make_shop, redis, shared):
    server = make_shop(binary=shared, flags=["--redis", redis.url])
    assert is_up(server)
    assert statuses(server, "/local", 6)[-1] == 429
    def calls():
        return int(redis.ask("INFO", "commandstats").split("cmdstat_evalsha:calls=")[1].split(",")[0])
    before = calls()
    assert statuses(server, "/local", 50) == [429] * 50
    assert calls() == before


def test_two_servers_share_a_session(make_shop, redis):
    one, two = (make_shop(name, flags=["--redis", redis.url, "--limit-scale", "1000"]) for name in ("one", "two"))
    assert is_up(one, two)
    caller = customer(one)
    there = Caller(two, caller.cookie)
    # The other shop has another database, and so no profile; but it knows who calls.
    assert caller.get("/api/me").status == 200
    assert there.get("/api/orders").status == 200
    assert there.get("/api/admin/orders").status == 403
    (key,) = redis.ask("KEYS", "limen:shop:session:*")
    assert caller.cookie not in key
    assert 6.9 * 86400 < redis.ask("TTL", key) <= 7 * 86400
    assert there.call("DELETE", "/api/sessions/current").status == 204
    assert caller.get("/api/me").status == 401
    assert redis.ask("KEYS", "limen:shop:session:*") == []


def test_signing_in_makes_another_session(make_shop, redis):
    server = make_shop(flags=["--redis", redis.url, "--limit-scale", "1000"])
    assert is_up(server)
    first = customer(server)
    answer = Caller(server).post("/api/sessions", {"email": first.email, "password": PASSWORD})
    assert answer.status == 201 and cookie_of(answer) != first.cookie
    assert len(redis.ask("KEYS", "limen:shop:session:*")) == 2
    assert Caller(server, cookie_of(answer)).get("/api/me").json()["id"] == first.account
    assert Caller(server, "A" * 43).get("/api/me").status == 401


def test_a_sign_up_that_fails_leaves_no_session(make_shop, redis):
    server = make_shop(flags=["--redis", redis.url, "--limit-scale", "1000"])
    assert is_up(server)
    caller = customer(server)
    wanted = {"email": caller.email, "password": PASSWORD, "name": "Again"}
    assert Caller(server).post("/api/accounts", wanted).status == 409
    # Two at the same time: both find the email free, and one of the batches fails.
    wanted["email"] = new_email()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: Caller(server).post("/api/accounts", wanted).status, range(4)))
    assert sorted(answers) == [201, 409, 409, 409]
    assert wait_for(lambda: len(redis.ask("KEYS", "limen:shop:session:*")) == 2)


def test_a_session_slides_and_ends(make_shop, redis):
    server = make_shop(flags=["--redis", redis.url, "--limit-scale", "1000"])
    assert is_up(server)
    caller = customer(server)
    (key,) = redis.ask("KEYS", "limen:shop:session:*")
    redis.ask("EXPIRE", key, 1000)
    assert caller.get("/api/me").status == 200
    assert redis.ask("TTL", key) > 6.9 * 86400, "its idle life began anew"
    day = 86400 * 1000000
    redis.ask("HSET", key, "created", int(time.time() * 1e6) - 29 * day)
    assert caller.get("/api/me").status == 200
    redis.ask("EXPIRE", key, 1000)
    assert caller.get("/api/me").status == 200
    assert redis.ask("TTL", key) <= 86400, "but never past thirty days"
    redis.ask("HSET", key, "created", int(time.time() * 1e6) - 31 * day)
    assert caller.get("/api/me").status == 401
    assert redis.ask("EXISTS", key) == 0


def test_a_role_that_the_contract_does_not_know_gives_no_right(make_shop, redis):
    server = make_shop(flags=["--redis", redis.url, "--limit-scale", "1000"])
    assert is_up(server)
    caller = customer(server)
    (key,) = redis.ask("KEYS", "limen:shop:session:*")
    redis.ask("HSET", key, "roles", "emperor")
    assert caller.get("/api/orders").status == 403


# ---- gone ---------------------------------------------------------------------------------------------------------------


def test_without_redis_nobody_is_signed_in_and_nobody_is_told_to_sign_in(make_shop, redis):
    server = make_shop(flags=["--redis", redis.url, "--limit-scale", "1000"])
    assert is_up(server)
    caller = customer(server)
    redis.kill()
    assert is_away(server)
    answers = [
        caller.get("/api/me"),
        Caller(server, "A" * 43).get("/api/me"),
        caller.call("DELETE", "/api/sessions/current"),
        Caller(server).post("/api/sessions", {"email": caller.email, "password": PASSWORD}),
        Caller(server).post("/api/accounts", {"email": new_email(), "password": PASSWORD, "name": "B"}),
    ]
    assert [answer.status for answer in answers] == [503] * 5
    assert all(int(answer.fields["retry-after"]) >= 1 for answer in answers)
    assert Caller(server).get("/api/items").status == 200, "what needs no session is answered"
    assert Caller(server).get("/api/me").status == 401, "and nothing shown is nothing shown"
    redis.start()
    assert is_up(server)
    assert caller.get("/api/me").status == 401, "a Redis that keeps nothing knows nobody"
    assert Caller(server).post("/api/sessions", {"email": caller.email, "password": PASSWORD}).status == 201


def test_a_limit_does_what_the_contract_says(make_shop, redis, shared):
    server = make_shop(binary=shared, flags=["--redis", redis.url], workers=1)
    assert is_up(server)
    for path in ("/deny", "/allow", "/local"):
        assert statuses(server, path, 2) == [204] * 2
    redis.kill()
    assert is_away(server)
    refused = Caller(server).get("/deny")
    assert refused.status == 503 and int(refused.fields["retry-after"]) >= 1
    assert statuses(server, "/allow", 12) == [204] * 12
    assert statuses(server, "/local", 5) == [204] * 3 + [429] * 2, "this host goes on from what it knows"
    assert metric(server, 'limen_limit_fallbacks_total{behaviour="deny"}') == 1
    assert metric(server, 'limen_limit_fallbacks_total{behaviour="allow"}') == 12
    assert metric(server, 'limen_limit_fallbacks_total{behaviour="local"}') == 3
    assert metric(server, 'limen_refusals_total{reason="limit_away"}') == 1
    assert metric(server, "limen_redis_up") == 0 and metric(server, "limen_redis_failures_total") > 0
    redis.start()
    assert is_up(server)
    assert metric(server, "limen_redis_connections_total") == 2
    assert statuses(server, "/local", 2) == [429] * 2, "a Redis that has forgotten makes nobody forget whom they refuse"
    assert statuses(server, "/deny", 6) == [204] * 5 + [429]


def test_a_clock_of_redis_that_was_set_back_refuses_nobody_for_longer_than_a_window(make_shop, redis, shared):
    """Another Redis that takes over may have a clock that is behind: what it is told lies far ahead of it."""
    server = make_shop(binary=shared, flags=["--redis", redis.url], workers=1)
    assert is_up(server)
    assert statuses(server, "/deny", 1) == [204]
    (key,) = redis.ask("KEYS", "limen:shared:limit:*")
    hours, window_s = 30 * 24, 3600
    redis.ask("SET", key, int((time.time() + hours * 3600) * 1e6), "PX", hours * 3600 * 1000)
    answer = Caller(server).get("/deny")
    assert answer.status == 429
    assert int(answer.fields["retry-after"]) <= window_s // 5, "a full window, of which each request takes a fifth"
    assert redis.ask("PTTL", key) <= window_s * 1000


def test_a_replica_that_has_lost_its_primary_signs_nobody_in(make_shop, redis):
    """It would still find sessions that have been ended elsewhere."""
    server = make_shop(flags=["--redis", redis.url], workers=1)
    assert is_up(server)
    caller = customer(server)
    connections = metric(server, "limen_redis_connections_total")
    redis.ask("REPLICAOF", "127.0.0.1", "1")
    assert is_away_once_asked(server, caller)
    time.sleep(1)  # it has been tried again by then, more than once
    assert [caller.get("/api/me").status for _ in range(5)] == [503] * 5
    assert metric(server, "limen_redis_connections_total") == connections, "it is no Redis to come back to"
    redis.ask("REPLICAOF", "NO", "ONE")
    assert is_up(server)
    assert caller.get("/api/me").status == 200


def test_a_redis_without_our_scripts_is_sent_them(make_shop, redis, shared):
    server = make_shop(binary=shared, flags=["--redis", redis.url], workers=1)
    assert is_up(server)
    assert statuses(server, "/local", 1) == [204]
    redis.ask("FLUSHALL")
    redis.ask("SCRIPT", "FLUSH")
    assert statuses(server, "/deny", 3) == [204] * 3
    assert "cmdstat_eval:calls=1," in redis.ask("INFO", "commandstats"), "the text once, then its hash again"
    assert metric(server, "limen_redis_failures_total") == 0


def test_a_redis_that_stops_answering_holds_up_nobody_for_long(make_shop, redis, shared):
    import os
    import signal

    server = make_shop(binary=shared, flags=["--redis", redis.url], workers=1)
    assert is_up(server)
    os.kill(redis.process.pid, signal.SIGSTOP)
    try:
        begin = time.monotonic()
        assert Caller(server).get("/deny").status == 503
        assert time.monotonic() - begin < 8
        assert is_away(server)
        begin = time.monotonic()
        assert [Caller(server).get("/deny").status for _ in range(5)] == [503] * 5
        assert time.monotonic() - begin < 5, "while it is away nobody waits"
    finally:
        os.kill(redis.process.pid, signal.SIGCONT)
    assert is_up(server)
    assert Caller(server).get("/deny").status == 204


def test_redis_is_killed_in_mid_load(make_shop, redis, shared):
    server = make_shop(binary=shared, flags=["--redis", redis.url])
    assert is_up(server)
    seen, end = [], threading.Event()

    def load():
        caller = Caller(server)
        while not end.is_set() and len(seen) < 40000:
            seen.append(caller.get("/often").status)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.3)
        redis.kill()
        assert is_away(server)
        redis.start()
        assert is_up(server)
    end.set()
    for thread in threads:
        thread.join()
    assert set(seen) == {204}, "allow: nobody notices"
    assert metric(server, "limen_redis_connections_total") == 4
    assert metric(server, 'limen_limit_fallbacks_total{behaviour="allow"}') > 0


def test_the_data_role_dies_and_sessions_stay(make_shop, redis):
    import os
    import signal

    server = make_shop(flags=["--redis", redis.url, "--limit-scale", "1000"])
    assert is_up(server)
    caller = customer(server)
    (data,) = server.roles("data")
    os.kill(data, signal.SIGKILL)
    assert wait_for(lambda: server.roles("data") not in ([], [data]) and caller.get("/api/me").status == 200, seconds=20)


# ---- settings -----------------------------------------------------------------------------------------------------------


def test_the_password_is_in_no_argument_and_no_line(make_shop, tmp_path):
    with Redis(tmp_path / "redis", password=SECRET) as redis:
        file = tmp_path / "redis.url"
        file.write_text(redis.url.replace(" ", "%20") + "/3\n")
        server = make_shop(flags=["--redis", f"@{file}", "--limit-scale", "1000"])
        assert is_up(server)
        caller = customer(server)
        assert redis.ask("DBSIZE") == 0, "database 3 was named"
        assert caller.get("/api/me").status == 200
        redis.ask("CONFIG", "SET", "requirepass", "another")
        redis.password = "another"
        redis.ask("CLIENT", "KILL", "TYPE", "normal")
        assert is_away(server)
        assert wait_for(lambda: "WRONGPASS" in server.log)
        assert caller.get("/api/me").status == 503
    words = SECRET.split(" ")[0] + "%20"
    assert words not in server.log and SECRET not in server.log
    arguments = b"".join(pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() for pid in [server.pid, *server.children()])
    assert words.encode() not in arguments


def test_a_password_on_the_command_line_is_warned_of(make_shop, redis):
    """`ps` shows it as long as the server lives."""
    loud = make_shop("loud", flags=["--redis", redis.url.replace("redis://", "redis://:hidden@")])
    assert "A PASSWORD STANDS ON THE COMMAND LINE" in loud.log and "hidden" not in loud.log
    quiet = make_shop("quiet", flags=["--redis", redis.url])
    assert "A PASSWORD STANDS ON THE COMMAND LINE" not in quiet.log


@pytest.mark.parametrize(
    "url, word",
    [("rediss://:hidden@127.0.0.1:6379", "TLS"), ("http://:hidden@127.0.0.1", "redis://"), ("redis://:hidden@127.0.0.1:x", "redis://"),
     ("redis://:hidden@", "redis://"), ("redis://:hidden@h/x", "redis://")],
)  # fmt: skip
def test_a_url_that_is_none_is_refused_and_not_repeated(tmp_path, url, word):
    server = Server(tmp_path, flags=["--redis", url])
    server.start(wait=False)
    assert server.wait() == 2
    assert word in server.log and "hidden" not in server.log


@pytest.mark.parametrize(
    "content, words",
    [("rediss://:hidden@127.0.0.1", "TLS"), (None, "cannot be read"),
     ("x" * 5000, "cannot be read")],
)  # fmt: skip
def test_a_file_that_does_not_lead_to_redis_is_refused(tmp_path, content, words):
    file = tmp_path / "url"
    if content is not None:
        file.write_text(content)
    server = Server(tmp_path / "shop", flags=["--redis", f"@{file}"])
    server.start(wait=False)
    assert server.wait() == 1
    assert words in server.log and "hidden" not in server.log


def test_a_redis_whose_name_leads_nowhere_is_away(make_shop):
    name = "a" * 70  # no label is so long: no name server is asked
    server = make_shop(flags=["--redis", f"redis://:hidden@{name}", "--limit-scale", "1000"])
    assert is_away(server)
    assert Caller(server).get("/api/items").status == 200
    assert "Redis is away" in server.log and name in server.log and "hidden" not in server.log


def test_a_server_starts_while_redis_is_away(make_shop, redis):
    redis.kill()
    server = make_shop(flags=["--redis", redis.url, "--limit-scale", "1000"])
    assert is_away(server)
    assert Caller(server).get("/api/items").status == 200
    redis.start()
    assert is_up(server)
    assert customer(server).get("/api/me").status == 200
