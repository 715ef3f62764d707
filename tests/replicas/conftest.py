"""Databases that several servers may share."""

import postgres
import pytest
from server import build_dir


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    """The URL of an empty one."""
    if request.param == "sqlite":
        yield f"sqlite:{tmp_path}/var/shop.db"
        return
    if not postgres.IS_INSTALLED or b"PQenterPipelineMode" not in (build_dir() / "shop").read_bytes():
        pytest.skip("no PostgreSQL, or a build without it")
    with postgres.Postgres() as server:
        yield server.database("shop")
