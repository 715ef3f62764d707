"""Puts tests/lib on the path, and gives tests a shop of their own."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS / "lib"), str(TESTS / "chaos")]

from server import Server, ServerError, build_dir  # noqa: E402


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


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """What `make install` puts on a machine, in a folder of its own; gives the environment that finds it."""
    if build_dir().name != "build":
        pytest.skip("only the release build is installed")
    root = tmp_path_factory.mktemp("install")
    env = dict(os.environ, DESTDIR=str(root))
    subprocess.run(["meson", "install", "-C", build_dir(), "--no-rebuild"], env=env, check=True, capture_output=True)
    (pc,) = root.rglob("limen.pc")
    prefix = re.search(r"^prefix=(.*)$", pc.read_text(), re.MULTILINE).group(1)
    pc.write_text(pc.read_text().replace(f"prefix={prefix}", f"prefix={root}{prefix}", 1))
    return dict(os.environ, PKG_CONFIG_PATH=str(pc.parent), PATH=f"{root}{prefix}/bin:{os.environ['PATH']}")
