"""A database that everybody can reach: `limen check` says so, and with --strict refuses."""

import subprocess

import pytest
from server import ROOT, build_dir

CONTRACT = ROOT / "apps" / "shop" / "api.yaml"


def check(url, *flags):
    return subprocess.run([build_dir() / "limen", "check", "--database", url, *flags, CONTRACT], capture_output=True, text=True,
                          timeout=60, env={"ASAN_OPTIONS": "detect_leaks=0", "PATH": "/usr/bin:/bin"})  # fmt: skip


PUBLIC = {
    "postgresql://shop:secret@203.0.113.5/shop": "203.0.113.5",
    "postgres://203.0.113.5:5432/shop": "203.0.113.5",
    "postgresql://shop@[2001:db8::5]:5432/shop": "2001:db8::5",
    "postgresql://shop:p%40ss@word@203.0.113.5/shop": "203.0.113.5",
    "postgresql://10.0.0.1:5432,203.0.113.5:5433/shop": "203.0.113.5",
    "postgresql:///shop?host=203.0.113.5": "203.0.113.5",
    "postgresql://127.0.0.1/shop?sslmode=require&hostaddr=203.0.113.5": "203.0.113.5",
    "postgresql://%32%303.0.113.5/shop": "203.0.113.5",
    "postgresql://172.32.0.1": "172.32.0.1",
    "postgresql://100.128.0.1/shop": "100.128.0.1",
    "postgresql://[::ffff:203.0.113.5]/shop": "203.0.113.5",
}  # fmt: skip


@pytest.mark.parametrize("url", PUBLIC)
def test_a_public_database_address_is_warned_of_and_refused_when_strict(url):
    warned, refused = check(url), check(url, "--strict")
    assert (warned.returncode, refused.returncode) == (0, 1)
    assert f"warning: the database is at the public address {PUBLIC[url]}" in warned.stderr.replace("::ffff:203", "203")
    assert "error: the database is at the public address" in refused.stderr and "private network" in refused.stderr
    assert "secret" not in warned.stderr + refused.stderr, "a URL's password is nobody's business"


INNER = [
    "sqlite:var/shop.db", "postgresql:///shop", "postgresql://shop@/shop", "postgresql://localhost/shop", "postgresql://127.0.0.1:5432/shop",
    "postgresql://10.1.2.3/shop", "postgresql://172.16.0.1,172.31.255.255/shop", "postgresql://192.168.1.1/shop", "postgresql://100.64.0.1/shop",
    "postgresql://169.254.0.1/shop", "postgresql://[::1]/shop", "postgresql://[fd00::1]:5432/shop", "postgresql://[fe80::1]/shop",
    "postgresql://[::ffff:10.0.0.1]/shop", "postgresql://%2Fvar%2Frun%2Fpostgresql/shop", "postgresql:///shop?host=/var/run/postgresql",
]  # fmt: skip


@pytest.mark.parametrize("url", INNER)
def test_an_address_of_ones_own_network_is_fine(url):
    run = check(url, "--strict")
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("url", ["mysql://127.0.0.1/shop", "shop.db", "", "postgresql:shop", "redis://127.0.0.1", "postgresql://%zz/shop"])
def test_a_url_of_another_kind_is_refused(url):
    run = check(url)
    assert run.returncode == 1
    assert "error: this is no URL of a database that can be used" in run.stderr and "postgresql://USER@HOST/NAME" in run.stderr


def test_a_host_that_cannot_be_resolved_is_no_private_one():
    warned, refused = check("postgresql://nowhere.invalid/shop"), check("postgresql://nowhere.invalid/shop", "--strict")
    assert (warned.returncode, refused.returncode) == (0, 1)
    assert "nowhere.invalid: warning: whether the database has a public address cannot be told" in warned.stderr
