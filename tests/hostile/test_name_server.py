"""A name server that is silent, or that sends us elsewhere, while the data role connects to its database or to Redis again.

Each scenario runs in namespaces of its own, where every name leads to what the test says: this file is its program, too
(`test_name_server.py SCENARIO RESOLV_CONF FOLDER [URL SOCKET]`). PostgreSQL stays outside; a relay leads to its socket.
"""

import atexit
import pathlib
import socket
import subprocess
import sys
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "lib"), str(TESTS / "chaos")]

import pytest  # noqa: E402
from caller import Caller  # noqa: E402
from own_internet import NameServer, set_up_loopback  # noqa: E402
from postgres import IS_INSTALLED, Postgres  # noqa: E402
from redis_server import Redis  # noqa: E402
from server import Server, free_port, wait_for  # noqa: E402

#: How long the resolver waits for its name server, and what a request may take meanwhile.
RESOLVER_S, PATIENCE_S = 8, 4
CONNECTIONS = 8


class Relay:
    """From a port of one address to a socket's path or to (host, port)."""

    def __init__(self, address, port, target):
        self._listener = socket.create_server((address, port))
        self.port, self._target, self._pairs = self._listener.getsockname()[1], target, []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                one, _ = self._listener.accept()
            except OSError:
                return
            other = socket.socket(socket.AF_UNIX if isinstance(self._target, str) else socket.AF_INET)
            other.connect(self._target)
            self._pairs.append((one, other))
            for pair in ((one, other), (other, one)):
                threading.Thread(target=self._pump, args=(*pair, (one, other)), daemon=True).start()

    def _pump(self, source, sink, pair):
        try:
            while some := source.recv(65536):
                sink.sendall(some)
        except OSError:
            pass
        self._end(pair)

    def _end(self, pair):
        if pair in self._pairs:
            self._pairs.remove(pair)
        for side in pair:
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    @property
    def count(self):
        return len(self._pairs)

    def cut(self, count):
        for pair in self._pairs[:count]:
            self._end(pair)

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut(self.count)


def assert_is_served(server, seconds):
    """Every read of the database is answered, and soon."""
    caller, end = Caller(server), time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        assert caller.get("/api/items").status == 200
        assert time.monotonic() - start < PATIENCE_S
        time.sleep(0.02)


# ---- scenarios: inside ---------------------------------------------------------------------------------------------------


def shop(folder, **options):
    flags = ["--uid-base", "off", "--limit-scale", "100000", *options.pop("flags", [])]
    server = Server(folder, flags=flags, workers=1, **options)
    atexit.register(lambda: server.is_running and server.kill())
    return server.start()


def postgres_silent(names, folder, url, path):
    names.addresses = ["127.0.0.1"]
    relay = Relay("127.0.0.1", 0, path)
    server = shop(folder, database=url.replace("HOST", f"db.example:{relay.port}"))
    assert wait_for(lambda: relay.count == CONNECTIONS)
    time.sleep(1.5)  # what was found a second ago is not asked for again
    names.is_silent = True
    relay.cut(CONNECTIONS // 2)
    assert_is_served(server, RESOLVER_S / 2)
    assert relay.count == CONNECTIONS // 2, server.log
    names.is_silent = False
    assert wait_for(lambda: relay.count == CONNECTIONS, seconds=60), server.log
    assert server.stop() == 0


def postgres_moves(names, folder, url, path):
    names.addresses = ["127.0.0.1"]
    relay = Relay("127.0.0.1", 0, path)
    server = shop(folder, database=url.replace("HOST", f"db.example:{relay.port}"))
    names.addresses = []
    relay.close()
    assert wait_for(lambda: "has no address" in server.log or "No address" in server.log or "not known" in server.log), server.log
    assert wait_for(lambda: Caller(server).get("/api/items").status == 503)
    elsewhere = Relay("127.0.0.3", relay.port, path)
    names.addresses = ["127.0.0.2", "127.0.0.3"]  # nobody is at the first
    assert wait_for(lambda: elsewhere.count == CONNECTIONS, seconds=30), server.log
    assert wait_for(lambda: Caller(server).get("/api/items").status == 200)
    assert server.stop() == 0


def postgres_resolver_is_another(names, folder, url, path):
    """A file that is put in place of the one that the sandbox knows names another name server."""
    names.addresses = ["127.0.0.1"]
    relay = Relay("127.0.0.1", 0, path)
    server = shop(folder, database=url.replace("HOST", f"db.example:{relay.port}"))
    settings = folder / "other.conf"
    settings.write_text("nameserver 127.0.0.5\noptions timeout:1 attempts:1\n")
    subprocess.run(["mount", "--bind", settings, "/etc/resolv.conf"], check=True)
    names.addresses = []
    NameServer("127.0.0.5").addresses = ["127.0.0.3"]
    relay.close()
    elsewhere = Relay("127.0.0.3", relay.port, path)
    assert wait_for(lambda: elsewhere.count == CONNECTIONS, seconds=60), server.log
    assert wait_for(lambda: Caller(server).get("/api/items").status == 200)
    assert server.stop() == 0


def says(server, text):
    connection = Caller(server)
    connection.connection.port = server.operator_port
    return text in connection.get("/readyz").body.decode()


def redis_moves(names, folder):
    redis, port = Redis(folder / "redis"), free_port()
    atexit.register(redis.kill)
    names.addresses = ["127.0.0.2"]
    relay = Relay("127.0.0.2", port, ("127.0.0.1", redis.port))
    server = shop(folder / "shop", flags=["--redis", f"redis://cache.example:{port}"])
    assert wait_for(lambda: says(server, "redis: up")), server.log
    names.is_silent = True
    relay.close()
    assert wait_for(lambda: says(server, "redis: away"))
    assert_is_served(server, RESOLVER_S / 2)
    Relay("127.0.0.3", port, ("127.0.0.1", redis.port))
    names.addresses, names.is_silent = ["127.0.0.3"], False
    assert wait_for(lambda: says(server, "redis: up"), seconds=60), server.log
    assert server.stop() == 0


SCENARIOS = {each.__name__: each for each in (postgres_silent, postgres_moves, postgres_resolver_is_another, redis_moves)}


def main(scenario, settings, folder, *rest):
    set_up_loopback()
    subprocess.run(["mount", "--bind", settings, "/etc/resolv.conf"], check=True)
    SCENARIOS[scenario](NameServer(), pathlib.Path(folder), *rest)


# ---- tests: outside ------------------------------------------------------------------------------------------------------


def run_inside(tmp_path, scenario, *rest):
    settings = tmp_path / "resolv.conf"
    settings.write_text(f"nameserver 127.0.0.1\noptions timeout:{RESOLVER_S} attempts:1\n")
    spaces = ["unshare", "--map-root-user", "--mount", "--net"]
    if subprocess.run([*spaces, "mount", "--bind", settings, "/etc/resolv.conf"], capture_output=True, timeout=30).returncode != 0:
        pytest.skip("no namespaces may be made here")
    done = subprocess.run([*spaces, "--kill-child", "--fork", sys.executable, "-B", __file__, scenario, settings, tmp_path, *rest],
                          capture_output=True, text=True, timeout=180)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not IS_INSTALLED, reason="postgresql-15 is not installed")
@pytest.mark.parametrize("scenario", ["postgres_silent", "postgres_moves", "postgres_resolver_is_another"])
def test_a_database_is_looked_for_by_its_name_and_nobody_waits(tmp_path, scenario):
    with Postgres() as postgres:
        postgres.folder.chmod(0o711)
        url = postgres.database().replace(f"127.0.0.1:{postgres.port}", "HOST")
        run_inside(tmp_path, scenario, url, str(postgres.folder / f".s.PGSQL.{postgres.port}"))


def test_redis_is_looked_for_by_its_name_and_nobody_waits(tmp_path):
    run_inside(tmp_path, "redis_moves")


if __name__ == "__main__":
    main(*sys.argv[1:])
