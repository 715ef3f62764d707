"""Programs of a test's own, compiled as anybody would compile them."""

import re
import subprocess

from server import ROOT, build_dir


def build_app(name, source, folder, build=None, inside=False, more=()):
    """Generates and compiles the app in `source` (api.yaml; NAME.c, or all that is in src/; queries.sql with migrations, and web/, where there
    are some) into `folder`; returns the binary.

    build     the folder with the library, when not LIMEN_TEST_BUILD's
    inside    the app may look into the library's own headers: what an attacker in the worker can do
    more      sources besides, and words for the compiler
    """
    build = build or build_dir()
    has_statements = (source / "queries.sql").exists()
    statements = ["--queries", source / "queries.sql", "--migrations", source / "migrations"] if has_statements else []
    pages = ["--web", source / "web"] if (source / "web").is_dir() else []
    _run(build / "limen", "gen", "--app", name, "--contract", source / "api.yaml", *statements, *pages, "--out", folder)
    handlers = sorted((source / "src").glob("*.c")) or [source / f"{name}.c"]
    _compile([*handlers, *sorted(folder.glob("*.c")), *more], folder / name, build, inside)
    return folder / name


def build_program(source, program, build=None):
    """A single file that looks into the library's own headers."""
    _compile([source], program, build or build_dir(), inside=True)
    return program


def _compile(sources, program, build, inside):
    alike = {"build": [], "build-coverage": ["--coverage"]}.get(build.name, ["-fsanitize=address,undefined"])
    libraries = _run("pkg-config", "--libs", *_requirements(build)).split()
    headers = [f"-I{ROOT}/include", f"-I{program.parent}", *([f"-I{ROOT}/src"] if inside else [])]
    _run("gcc", "-std=c17", "-Wall", "-Wextra", "-O1", "-g", *alike, *headers, *sources, build / "liblimen.a", *libraries,
         "-lm", "-pthread", "-o", program)  # fmt: skip


def _requirements(build):
    """What the library stands on, as its pkg-config file tells whoever links it."""
    told = re.search(r"^Requires: (.*)$", (build / "meson-private" / "limen.pc").read_text(), re.MULTILINE)
    return [package.split()[0] for package in told.group(1).split(",")]


def _run(*command):
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "ASAN_OPTIONS": "detect_leaks=0"})
    assert done.returncode == 0, done.stderr
    return done.stdout
