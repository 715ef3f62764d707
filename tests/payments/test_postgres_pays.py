"""Every test of test_shop_pays.py once more, on PostgreSQL: a file of its own, because files run side by side."""

import pytest
from postgres import IS_INSTALLED, Postgres
from test_shop_pays import *  # noqa: F403

pytestmark = pytest.mark.skipif(not IS_INSTALLED, reason="PostgreSQL 15 is not installed")


@pytest.fixture(scope="module")
def new_database():
    with Postgres() as postgres:
        yield postgres.database
