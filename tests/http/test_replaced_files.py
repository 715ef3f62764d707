"""A file that the database's URL names is replaced: the sandbox means the one that was there before, and the server must not."""

import os
import pathlib
import shutil
import tempfile
import time

import pytest
from caller import Caller
from postgres import IS_INSTALLED, Postgres
from server import wait_for

pytestmark = pytest.mark.skipif(not IS_INSTALLED, reason="postgresql-15 is not installed")


@pytest.fixture(scope="module")
def postgres():
    with Postgres() as server:
        yield server


class Secret:
    """A passfile behind a link to a folder that is a link, as Kubernetes mounts a Secret; or a plain file."""

    def __init__(self, folder, postgres, name):
        self.folder, self.turn = folder, 0
        self.line = f"127.0.0.1:{postgres.port}:{name}:postgres:{postgres.password}\n"

    @property
    def path(self):
        return self.folder / "pgpass"

    def write(self, path):
        path.write_text(self.line)
        path.chmod(0o600)
        if os.geteuid() == 0:
            os.chown(path, 60800, 60800)

    def put(self):
        """By rename: the name has never been without a file."""
        self.write(self.folder / "new")
        os.rename(self.folder / "new", self.path)

    def put_behind_links(self):
        self.turn += 1
        version = self.folder / f"..{self.turn}"
        version.mkdir(mode=0o755)
        self.write(version / "pgpass")
        (self.folder / "..new").symlink_to(version.name)
        os.rename(self.folder / "..new", self.folder / "..data")
        if not self.path.is_symlink():
            self.path.symlink_to("..data/pgpass")


@pytest.fixture
def folder():
    """One that the data role's user may look into, unlike pytest's."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="limen-secret-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("put", [Secret.put, Secret.put_behind_links])
def test_a_file_of_the_url_that_was_replaced_is_read_again(make_shop, postgres, folder, put):
    database = postgres.database()
    name = database.rpartition("/")[2]
    secret = Secret(folder, postgres, name)
    put(secret)
    server = make_shop(database=f"postgresql://postgres@127.0.0.1:{postgres.port}/{name}?passfile={secret.path}", workers=1,
                       flags=["--limit-scale", "1000"])  # fmt: skip

    def cut():
        postgres.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'limen%'", database)

    def serves():
        return Caller(server).get("/api/items").status == 200

    data = server.roles("data")
    cut()
    assert wait_for(serves, 20)
    assert server.roles("data") == data, "nothing was replaced: it connects again by itself"
    put(secret)
    time.sleep(5)
    assert server.roles("data") == data, "a role that has its connections needs no file"
    cut()
    assert wait_for(serves, 30), server.tail()
    assert "a file was replaced" in server.log
