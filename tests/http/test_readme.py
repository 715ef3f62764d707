"""The README's first operation is what a new user tries first, so it is tried here: installed, generated, compiled, called."""

import pathlib
import re
import subprocess
import urllib.error
import urllib.request

import pytest
from server import ROOT, Server

README = (ROOT / "README.md").read_text()
SECTION = README.split("## Your own first operation")[1].split("\n## ")[0]
BLOCKS = {language: text for language, text in re.findall(r"```(\w+)\n(.*?)```", SECTION, re.DOTALL)}


@pytest.fixture(scope="module")
def hello(installed, tmp_path_factory):
    """The folder with the app, built by the README's own commands but for the last, which starts it."""
    folder = tmp_path_factory.mktemp("hello")
    (folder / "api.yaml").write_text(BLOCKS["yaml"])
    (folder / "hello.c").write_text(BLOCKS["c"])
    commands = [line.removesuffix(" && ./hello run") for line in BLOCKS["sh"].splitlines() if not line.startswith("curl")]
    for command in commands:
        run = subprocess.run(command, shell=True, cwd=folder, env=installed, capture_output=True, text=True)
        assert run.returncode == 0, f"{command}\n{run.stdout}{run.stderr}"
        assert run.stderr == "", run.stderr
    return folder


def get(server, path):
    try:
        with urllib.request.urlopen(server.url + path) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_example_is_shorter_than_forty_lines():
    lines = [line for text in BLOCKS.values() for line in text.splitlines() if line.strip()]
    assert len(lines) < 40


def test_the_example_answers_and_refuses(hello):
    with Server(hello / "run", binary=hello / "hello") as server:
        path = re.search(r"8080(/\S+)'", BLOCKS["sh"]).group(1)
        assert get(server, path) == (200, '{"text":"Hello, World"}')
        assert get(server, "/hello")[0] == 422
        assert get(server, "/hello?name=" + "x" * 41)[0] == 422
        assert get(server, "/hello?name=a&name=b")[0] == 422


@pytest.mark.parametrize("declaration", ["security", "x-rate-limit"])
def test_without_a_declaration_the_example_is_refused_at_its_line(hello, installed, tmp_path, declaration):
    kept = [line for line in BLOCKS["yaml"].splitlines() if not line.strip().startswith(declaration + ":")]
    pathlib.Path(tmp_path / "api.yaml").write_text("\n".join(kept) + "\n")
    run = subprocess.run(["limen", "check"], cwd=tmp_path, env=installed, capture_output=True, text=True)
    assert run.returncode == 1
    assert re.search(rf"api\.yaml:\d+:\d+: .*", run.stderr) and declaration in run.stderr
