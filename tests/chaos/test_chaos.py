"""Five servers behind HAProxy, with PostgreSQL and its standby, Redis and the payments sandbox, while everything is killed, stopped and cut
off: two minutes of `limen chaos --all`.

CHAOS_SECONDS=1800 CHAOS_SEED=7 makes it a long one; the command, with a seed a minute, is for figures.
"""

import os
import time

import pytest
from limen_chaos.postgres import PLACES
from limen_chaos.process import Broken, find_program
from limen_chaos.run import one_run
from limen_chaos.topology import Shape, Topology
from server import build_dir
from shop import Shop

SECONDS = int(os.environ.get("CHAOS_SECONDS", "120"))


def test_promises_are_kept_while_everything_dies(tmp_path, record_property):
    try:
        for program in ("initdb", "redis-server", "haproxy"):
            find_program(program, *PLACES)
    except Broken as broken:
        pytest.skip(str(broken))
    tmp_path.chmod(0o755)
    workload = Shop()
    shape = Shape(
        build_dir() / "shop", replicas=5, workers=1, flags=Shop.flags, has_postgres=True, has_standby=True, has_redis=True,
        haproxy=Shop.haproxy,
    )  # fmt: skip
    topology = Topology(shape, tmp_path / "run", workload.provider(tmp_path / "run" / "provider"))
    workload.rates = {"fail over": SECONDS / 3}
    seed = int(os.environ.get("CHAOS_SEED", time.time_ns() % 1000000))
    figures = one_run(workload, topology, seed, SECONDS)
    told = f"seed {seed}: {figures.acknowledged} orders in {SECONDS} s; {figures.by_kind}; {figures.unanswered} without an answer"
    print(told)
    record_property("figures", told)
    assert figures.broken == []
    # A run in which little happened shows little.
    assert figures.acknowledged >= 2 * SECONDS and figures.hits["kills"] >= SECONDS / 2
    assert figures.hits["cuts"] >= SECONDS / 12 and figures.by_kind.get("fail over", 0) >= 1
    assert figures.hits["behaviours"] >= SECONDS / 12
