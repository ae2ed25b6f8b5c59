"""Environments with other projects, built from package registries, each in a folder."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_PYTHON = "3.11"
_SECONDS = 3_600.0  # PyTorch is large
_LONGEST = 200  # characters of an installer's reason


class Unavailable(Exception):
    """A peer cannot be had here; the message is one line with the reason."""


class Peer(NamedTuple):
    """Another project.

    Attributes:
        title: its name.
        packages: pinned requirements.
        alone: requirements whose own requirements are out of date, so that they are
            installed without them.
    """

    title: str
    packages: tuple[str, ...]
    alone: tuple[str, ...] = ()


_TORCH = "torch==2.13.0"  # the newest of which wheels for CPUs are at hand
# The versions of our own runs, so that the simulators are the same.
_GAMES = (
    *("gymnasium[mujoco]==1.4.0", "mujoco==3.17.0", "ale-py==0.12.1"),
    "opencv-python-headless==5.0.0.93",  # wrappers of Atari games resize with it
)
_SB3 = ("stable-baselines3==2.9.2", _TORCH, *_GAMES)
PEERS = {
    # Its newest release; the scripts are installed as they are.
    "cleanrl": Peer(
        "CleanRL",
        # JAX for the scripts; tensorboard, to which all of them write.
        (*_SB3, "jax==0.10.2", "flax==0.12.8", "optax==0.2.8", "tensorboard==2.21.0"),
        ("cleanrl==1.2.0",),
    ),
    "sbx": Peer("SBX", (*_SB3, "sbx-rl==0.28.0", "jax==0.10.2")),
    "sb3": Peer("Stable-Baselines3", _SB3),
    "d3rlpy": Peer("d3rlpy", ("d3rlpy==2.8.1", _TORCH)),
    "trl": Peer(
        "TRL",
        ("trl==1.16.0", _TORCH, "transformers==5.24.0", "psutil==7.2.2"),
    ),
}


def default_folder() -> Path:
    """The folder of all environments: in the user's cache, not in a repository."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "munchausen" / "peers"


def python(name: str, folder: Path) -> Path:
    """The interpreter of a peer's environment, which is built at the first call.

    Args:
        name: of `PEERS`.
        folder: has one environment for each peer.

    Raises:
        Unavailable: the environment cannot be built.
    """
    peer, place = PEERS[name], folder / name
    wanted = "\n".join([_PYTHON, *peer.packages, *peer.alone])
    mark, found = place / "installed.txt", place / "bin" / "python"
    if mark.is_file() and mark.read_text() == wanted:
        return found
    if place.exists() and not (place / "pyvenv.cfg").is_file():
        raise Unavailable(
            f"{place} must be absent or an environment of an earlier comparison, and "
            "is neither: name another folder with --peers_folder"
        )
    print(f"installing {peer.title} into {place}", file=sys.stderr, flush=True)
    shutil.rmtree(place, ignore_errors=True)
    try:
        _install(peer, place, found)
        mark.write_text(wanted)
    except BaseException:  # also a signal
        shutil.rmtree(place, ignore_errors=True)
        raise
    return found


def _install(peer: Peer, place: Path, interpreter: Path) -> None:
    _uv("venv", "--quiet", "--python", _PYTHON, str(place))
    install = ("pip", "install", "--quiet", "--python", str(interpreter))
    try:
        # PyTorch's own registry has wheels without CUDA, a tenth as large.
        _uv(*install, "--torch-backend", "cpu", *peer.packages)
    except Unavailable:
        _uv(*install, *peer.packages)
    if peer.alone:
        # CleanRL allows no Python that its dependencies of today need.
        _uv(*install, "--no-deps", "--python-version", "3.10", *peer.alone)


def _uv(*arguments: str) -> None:
    """Runs uv.

    Raises:
        Unavailable: uv is not installed, or it failed.
    """
    uv = shutil.which("uv", path=os.pathsep.join(_places()))
    if uv is None:
        raise Unavailable("uv must be installed and is not: run `pip install uv`")
    try:
        done = subprocess.run(
            [uv, *arguments], capture_output=True, text=True, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"uv took more than {_SECONDS:g} seconds") from None
    if done.returncode:
        raise Unavailable(_one_line(done.stderr.splitlines()))


def _places() -> Sequence[str]:
    """Folders in which uv may be: those of PATH, and where `make install` puts it."""
    root = Path(__file__).resolve().parents[2]
    return [
        *os.get_exec_path(),
        str(root / ".uv" / "bin"),
        str(Path(sys.prefix) / "bin"),
    ]


def _one_line(lines: Sequence[str]) -> str:
    return " ".join(" ".join(lines).split())[:_LONGEST] or "uv gave no reason"
