"""Puts tests/lib on the path, and gives tests a shop of their own."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))

from server import Server, ServerError  # noqa: E402


def _start(server):
    try:
        return server.start()
    except ServerError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A running shop for one module's tests, with quotas that no test reaches by accident."""
    server = _start(Server(tmp_path_factory.mktemp("shop"), flags=["--limit-scale", "1000"]))
    yield server
    server.stop()


@pytest.fixture
def make_shop(tmp_path):
    """make_shop(flags=[…], …) starts one more shop in the test's folder, or in a sub-folder that is named."""
    servers = []

    def make(name="shop", **options):
        server = Server(tmp_path / name, **options)
        servers.append(server)
        return _start(server)

    yield make
    for server in servers:
        if server.is_running:
            server.stop()
