"""The table of docs/trust-boundary.md is complete: each mistake names the tests that make it, and they exist."""

import re

from server import ROOT

PAGE = ROOT / "docs" / "trust-boundary.md"


def mistakes():
    """{the mistake: the tests that its line names}"""
    table = PAGE.read_text().split("| the mistake |", 1)[1].split("\n\n", 1)[0]
    rows = [line.strip("|").split("|") for line in table.splitlines()[2:]]
    return {cells[0].strip(): re.findall(r"`(test_\w+)`", cells[-1]) for cells in rows}


def functions():
    """Every test function of the repository, in Python and in C."""
    found = set()
    for path in (ROOT / "tests").rglob("test_*.*"):
        if path.suffix in (".py", ".c"):
            found |= set(re.findall(r"^(?:def|static void) (test_\w+)\(", path.read_text(), re.MULTILINE))
    return found


def test_each_mistake_names_its_tests_and_they_exist():
    known, listed = functions(), mistakes()
    assert len(listed) >= 20 and len(known) > 300
    assert [mistake for mistake, named in listed.items() if not named] == [], "a line without a test"
    assert sorted({name for named in listed.values() for name in named} - known) == [], "tests that do not exist"


def test_each_line_of_owasps_top_ten_has_its_test():
    lines = {int(number) for name in functions() for number in re.findall(r"^test_owasp_api(\d+)_", name)}
    assert lines == set(range(1, 11))
