"""Customers order while workers and the data role are killed, and every key ends as one order or none.

Whoever gets no answer, or a 503, comes again with the same key, as the shop's page does.
"""

import os
import time

from limen_chaos.run import one_run
from limen_chaos.topology import Shape, Topology
from server import build_dir
from shop import Shop

SECONDS = int(os.environ.get("CHAOS_SECONDS", "20"))
WORKER_EVERY_S = 0.1
DATA_EVERY_S = 2.0


class Rush(Shop):
    clients = 200
    rates = {"kill worker": WORKER_EVERY_S, "kill data": DATA_EVERY_S}


def test_each_key_is_one_order_or_none_while_roles_are_killed(tmp_path, record_property):
    tmp_path.chmod(0o755)
    topology = Topology(Shape(build_dir() / "shop", workers=3, flags=Shop.flags), tmp_path / "run")
    seed = int(os.environ.get("CHAOS_SEED", time.time_ns() % 1000000))
    figures = one_run(Rush(), topology, seed, SECONDS)
    told = f"seed {seed}: {figures.acknowledged} orders in {SECONDS} s; {figures.by_kind}; {figures.unanswered} without an answer"
    print(told)
    record_property("figures", told)
    assert figures.broken == []
    # A run in which little happened shows little; a busy machine kills and answers less often.
    assert figures.by_kind["kill worker"] >= SECONDS / WORKER_EVERY_S * 0.1
    assert figures.by_kind["kill data"] >= SECONDS / DATA_EVERY_S * 0.1
    assert figures.unanswered >= SECONDS and figures.acknowledged >= SECONDS * 5
