"""The command: reads the arguments, makes a run for each minute with a seed of its own, and prints what came of them as one table."""

import argparse
import importlib.util
import json
import pathlib
import shutil
import signal
import sys
import tempfile
import time

from limen_chaos import faults
from limen_chaos.plan import plan
from limen_chaos.process import Broken
from limen_chaos.run import one_run
from limen_chaos.topology import Shape, Topology
from limen_chaos.workload import Workload

BROKEN_SHOWN = 12
COLUMNS = ("kills", "stops", "restarts", "cuts", "behaviours")


def read_arguments(arguments):
    parser = argparse.ArgumentParser(
        prog="limen chaos", usage="limen chaos APP --workload FILE [OPTION…]", add_help=False,
        description="Runs copies of an app and what they stand on, lets clients ask, kills, stops and cuts off the parts by a timetable "
        "that the seed decides, and checks that every promise was kept. Exit code: 0 kept, 1 one was broken, 2 wrong usage.",
        epilog="Faults, and so many seconds between two of one kind: " + ", ".join(f"{name} {kind.every_s:.0f}" for name, kind in faults.KINDS.items()) + ".",
    )  # fmt: skip
    parser.add_argument("app", metavar="APP", type=pathlib.Path, help="the app's binary")
    parser.add_argument("--workload", metavar="FILE", type=pathlib.Path, required=True, help="a Python file with a class of Workload")
    parser.add_argument("--replicas", type=int, help="copies of the server (default: the workload's with --postgres, else one)")
    parser.add_argument("--postgres", action="store_true", help="state in a PostgreSQL of the harness's own, else in SQLite")
    parser.add_argument("--standby", action="store_true", help="and a standby that takes over")
    parser.add_argument("--redis", action="store_true", help="sessions and limits in a Redis of the harness's own")
    parser.add_argument("--provider", action="store_true", help="the payment provider's stand-in that the workload brings")
    parser.add_argument("--haproxy", metavar="FILE", type=pathlib.Path, help="HAProxy in front, with this configuration")
    parser.add_argument("--all", action="store_true", help="--standby, --redis, and what the workload has of --provider and --haproxy")
    parser.add_argument("--seed", type=int, default=None, help="of the first minute; the next has the next (default: the clock's)")
    parser.add_argument("--minutes", type=int, default=1, help="how many runs, each with a seed of its own (default: 1)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long faults happen in each run (default: 60)")
    parser.add_argument("--pace", type=float, default=1.0, help="so many times as long between two faults of each kind (default: 1)")
    parser.add_argument("--rate", metavar="FAULT=SECONDS", action="append", default=[], help="seconds between two of this fault; 0: never")
    parser.add_argument("--only", metavar="FAULT", action="append", default=[], help="no other faults (repeatable)")
    parser.add_argument("--clients", type=int, help="how many ask at the same time")
    parser.add_argument("--plan", action="store_true", help="prints the timetable of the seed, and ends")
    parser.add_argument("--folder", type=pathlib.Path, help="keeps logs and histories there (default: kept where a promise was broken)")
    parser.add_argument("-h", "--help", action="help", help="this page")
    found = parser.parse_args(arguments)
    try:
        found.rates = {name: float(seconds) for name, seconds in (told.split("=") for told in found.rate)}
    except ValueError:
        parser.error("--rate is FAULT=SECONDS, such as --rate 'kill data=0.5'")
    unknown = [name for name in [*found.rates, *found.only] if name not in faults.KINDS]
    if unknown:
        parser.error(f"there is no fault '{unknown[0]}'; there are: {', '.join(faults.KINDS)}")
    if found.only:
        found.rates |= {name: 0.0 for name in faults.KINDS if name not in found.only}
    if found.seed is None:
        found.seed = int(time.time()) % 1_000_000
    return found


def load_workload(path):
    """The class in the file that is a Workload."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or not path.exists():
        raise Broken(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))
    spec.loader.exec_module(module)
    classes = [it for it in vars(module).values() if isinstance(it, type) and issubclass(it, Workload) and it is not Workload]
    if len(classes) != 1:
        raise Broken(f"{path} has {len(classes)} classes of Workload; it must have one")
    return classes[0]


def make_workload(arguments):
    workload = load_workload(arguments.workload)()
    usual = {name: workload.rates.get(name, kind.every_s) for name, kind in faults.KINDS.items()}
    workload.rates = {name: seconds * arguments.pace for name, seconds in usual.items()} | arguments.rates
    if arguments.clients:
        workload.clients = arguments.clients
    return workload


def make_topology(arguments, workload, folder):
    has_standby, has_redis = arguments.standby or arguments.all, arguments.redis or arguments.all
    has_postgres = arguments.postgres or has_standby
    provider = workload.provider(folder / "provider") if arguments.provider or arguments.all else None
    if arguments.provider and provider is None:
        raise Broken("this workload brings no payment provider")
    shape = Shape(
        binary=arguments.app.resolve(), workers=workload.workers, flags=tuple(workload.flags), has_postgres=has_postgres,
        replicas=arguments.replicas or (workload.replicas if has_postgres else 1), has_standby=has_standby,
        has_redis=has_redis, haproxy=arguments.haproxy or (workload.haproxy if arguments.all else None),
    )  # fmt: skip
    return Topology(shape, folder, provider)


# ---- what is printed --------------------------------------------------------------------------------------------------


def row_of(figures):
    return [figures.seed, figures.acknowledged, figures.attempts, figures.unanswered, figures.refused_for_now,
            *(figures.hits.get(name, 0) for name in COLUMNS), f"{figures.recovery_s:.1f}", len(figures.broken)]  # fmt: skip


HEAD = ["seed", "acknowledged", "attempts", "no answer", "come again", *COLUMNS, "recovery s", "broken"]


def sum_of(rows):
    sums = [sum(row[column] for row in rows) for column in range(1, len(HEAD) - 2)]
    return ["all", *sums, f"{max(float(row[-2]) for row in rows):.1f}", sum(row[-1] for row in rows)]


def line_of(row):
    return "  ".join(f"{cell!s:>{max(len(name), 8)}}" for cell, name in zip(row, HEAD))


def say_broken(figures, folder, arguments):
    for fault in figures.broken[:BROKEN_SHOWN]:
        print(f"    broken: {fault}", flush=True)
    if len(figures.broken) > BROKEN_SHOWN:
        print(f"    … and {len(figures.broken) - BROKEN_SHOWN} more", flush=True)
    print(f"    history and logs: {folder}\n    again: the same with --seed {figures.seed} --minutes 1", flush=True)


def run_minute(arguments, seed, folder):
    workload = make_workload(arguments)
    figures = one_run(workload, make_topology(arguments, workload, folder), seed, arguments.seconds)
    (folder / "figures.json").write_text(json.dumps(figures.__dict__, indent=1))
    return figures


def show_plan(arguments, folder):
    workload = make_workload(arguments)
    kinds = faults.kinds_for(make_topology(arguments, workload, folder), workload.rates)
    for fault in plan(arguments.seed, arguments.seconds, kinds):
        print(fault)


def run_all(arguments, folder):
    print(line_of(HEAD), flush=True)
    rows, by_kind = [], {}
    for minute in range(arguments.minutes):
        seed = arguments.seed + minute
        home = folder / f"seed-{seed}"
        home.mkdir(parents=True)
        home.chmod(0o755)
        figures = run_minute(arguments, seed, home)
        rows.append(row_of(figures))
        print(line_of(rows[-1]), flush=True)
        for kind, count in figures.by_kind.items():
            by_kind[kind] = by_kind.get(kind, 0) + count
        if figures.broken:
            say_broken(figures, home, arguments)
        elif arguments.folder is None:
            shutil.rmtree(home)
    if len(rows) > 1:
        print(line_of(sum_of(rows)))
    print("faults: " + ", ".join(f"{kind} {count}" for kind, count in sorted(by_kind.items())))
    return sum(row[-1] for row in rows)


def main(words):
    arguments = read_arguments(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("limen chaos: asked to end"))  # and everything with it
    folder = (arguments.folder or pathlib.Path(tempfile.mkdtemp(prefix="limen-chaos-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # the database's user passes through
    try:
        if not arguments.app.is_file():
            raise Broken(f"{arguments.app} is not there")
        if arguments.plan:
            show_plan(arguments, folder)
            return 0
        return 1 if run_all(arguments, folder) else 0
    except Broken as broken:
        print(f"limen chaos: {broken}", file=sys.stderr)
        return 1
    finally:
        if arguments.folder is None and not any(folder.iterdir()):
            folder.rmdir()
