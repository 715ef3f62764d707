"""A copy of an app's binary with another contract in it.

The contract is embedded in the binary, so a changed one of the same length can take its place. What a test takes out becomes
spaces; what it puts in fills them.
"""

from server import ROOT, build_dir

CONTRACT = ROOT / "apps" / "shop" / "api.yaml"


def replaced(text, place, declaration, other=""):
    """The contract with the first such declaration behind `place` replaced, as long as before."""
    at = text.index(declaration, text.index(place))
    assert len(other) <= len(declaration)
    return text[:at] + other.ljust(len(declaration)) + text[at + len(declaration) :]


def app_with(contract, folder):
    """The shop's binary with this contract; its path."""
    original, binary = CONTRACT.read_bytes(), (build_dir() / "shop").read_bytes()
    assert len(contract) == len(original) and binary.count(original) == 1
    changed = folder / "shop"
    changed.write_bytes(binary.replace(original, contract))
    changed.chmod(0o755)
    return changed


def next_version(folder):
    """The shop's binary whose contract has another version, and admits fewer of one item."""
    contract = replaced(CONTRACT.read_bytes(), b"info:", b"version: 1.0.0", b"version: 2.0.0")
    return app_with(replaced(contract, b"CheckoutLine:", b"maximum: 99 }", b"maximum: 98 }"), folder)
