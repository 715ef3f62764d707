"""limen_chaos - kills, stops and cuts off the parts of a running app, and checks that what it has promised holds."""

from limen_chaos.workload import Workload

__all__ = ["Workload"]
