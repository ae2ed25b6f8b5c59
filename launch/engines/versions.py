"""What hosts of one program must have in common.

A Ray actor on another host runs `facts`, which therefore imports nothing of this
project.
"""

import hashlib
import socket
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

_PACKAGES = ("agents", "environments", "launch", "experiments")
# Roles exchange pickles of these, or would not understand each other's messages.
EQUAL = ("dm-launchpad", "dm-reverb", "protobuf")
# Other versions may give other numbers, or may lack a function.
COMPARED = (
    "ale-py",
    "dm-acme",
    "dm-control",
    "dm-env",
    "flax",
    "gymnasium",
    "jax",
    "jaxlib",
    "minatar",
    "mujoco",
    "numpy",
    "optax",
    "orbax-checkpoint",
    "tensorflow-cpu",
)


class Facts(NamedTuple):
    """What a host has.

    Attributes:
        host: its name.
        root: folder of our packages there; empty: it has none.
        digest: of all our files there; empty: it has none.
        python: version of the interpreter, such as `3.10`.
        packages: version of each installed package of `EQUAL` and `COMPARED`.
    """

    host: str
    root: str
    digest: str
    python: str
    packages: Mapping[str, str]


def facts(root: str) -> Facts:
    """What this host has.

    Args:
        root: folder in which our packages are expected.
    """
    found = digest(root)
    packages = {}
    for name in (*EQUAL, *COMPARED):
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return Facts(
        socket.gethostname(),
        root if found else "",
        found,
        "{}.{}".format(*sys.version_info),
        packages,
    )


def digest(root: str) -> str:
    """SHA-256 of the names and contents of our modules; empty if there are none."""
    door = Path(root, "munchausen.py")
    if not door.is_file():
        return ""
    files = [door]
    for package in _PACKAGES:
        files += sorted(Path(root, package).rglob("*.py"))
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.relative_to(root)}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def differences(ours: Facts, theirs: Facts) -> tuple[list[str], list[str]]:
    """How another host differs: what no program survives, and what may matter.

    Args:
        ours: of the launcher's host.
        theirs: of the other host, with our files.

    Returns:
        Lines that each name what differs and both values: those that must not, and the
        others.
    """
    wrong = []
    if ours.python != theirs.python:
        wrong.append(f"CPython must be {ours.python}, is {theirs.python}")
    if ours.digest != theirs.digest:
        state = "differ" if theirs.digest else "are missing"
        wrong.append(f"munchausen's files must be those of the launcher, they {state}")
    wrong += _unequal(EQUAL, ours, theirs, "must be {}, is {}")
    return wrong, _unequal(COMPARED, ours, theirs, "is {} at the launcher, here {}")


def _unequal(
    names: tuple[str, ...], ours: Facts, theirs: Facts, text: str
) -> list[str]:
    lines = []
    for name in names:
        here, there = (each.packages.get(name, "missing") for each in (ours, theirs))
        if here != there:
            lines.append(f"{name} {text.format(here, there)}")
    return lines
