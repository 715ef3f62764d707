"""lib.py - what the benchmarks share."""
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent


def fetch_node_modules():
    """The peers of package-lock.json, into bench/node_modules, when they are not there yet."""
    lock, done = HERE / "package-lock.json", HERE / "node_modules" / ".package-lock.json"
    if done.is_file() and done.stat().st_mtime >= lock.stat().st_mtime:
        return
    if shutil.which("npm") is None:
        sys.exit("bench: npm is missing; apt-get install npm")
    if subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE, stdout=subprocess.DEVNULL).returncode != 0:
        sys.exit("bench: npm ci failed")
    done.touch()
