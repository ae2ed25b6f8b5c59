"""Packages of users, written for a test, and the one in `tests/data/stranger`."""

import sys
from pathlib import Path

STRANGER = Path(__file__).resolve().parents[1] / "data" / "stranger"


def write_module(folder, name, source):
    """Writes a module; `name` must be used by no other test: Python keeps modules."""
    (folder / f"{name}.py").write_text(source)
    return name


def write_entry_points(folder, package, lines):
    """Writes what pip would install of a package with entry points of our group."""
    info = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n"
    )
    (info / "entry_points.txt").write_text("\n".join(["[munchausen.agents]", *lines]))


def forget(monkeypatch, *prefixes):
    """Forgets modules now and at the end of the test."""
    for name in list(sys.modules):
        if name.split(".")[0] in prefixes:
            monkeypatch.delitem(sys.modules, name)
