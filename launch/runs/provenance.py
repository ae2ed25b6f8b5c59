"""The provenance of a run: command, machine, code and versions."""

import contextlib
import functools
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

PACKAGES = (
    "munchausen",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "dm-reverb",
    "dm-launchpad",
    "dm-acme",
    "ale-py",
    "gymnasium",
    "numpy",
)


def circumstances() -> dict[str, Any]:
    """The current command, its time, machine, code version and package versions."""
    return {
        "command": command(),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": machine(),
        "code": code_version(),
        "versions": versions(),
    }


def command() -> str:
    """The current command line, after XLA's flags, which may change the results."""
    flags = os.environ.get("XLA_FLAGS", "").strip()
    line = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return f"XLA_FLAGS={shlex.quote(flags)} {line}" if flags else line


def machine(gpus: Path = Path("/proc/driver/nvidia/gpus")) -> str:
    """Processor, cores, memory, and the NVIDIA GPUs unless JAX is kept off them."""
    model = platform.machine()
    with contextlib.suppress(OSError):
        model = _named(Path("/proc/cpuinfo"), "model name") or model
    memory = psutil.virtual_memory().total / 2**30
    parts = [model, f"{os.cpu_count()} cores", f"{memory:.0f} GiB"]
    if not kept_off_gpus(os.environ):
        with contextlib.suppress(OSError):
            found = [_named(each / "information", "Model") for each in gpus.iterdir()]
            parts += sorted(name or "unnamed GPU" for name in found)
    return ", ".join(parts)


def threads() -> int:
    """Number of threads with which XLA computes on the CPU: NPROC, or all cores."""
    wanted = os.environ.get("NPROC", "")
    return int(wanted) if wanted.isdecimal() else len(os.sched_getaffinity(0))


def kept_off_gpus(environment: Mapping[str, str]) -> bool:
    """Whether environment variables keep JAX off all NVIDIA GPUs."""
    if environment.get("JAX_PLATFORMS") == "cpu":
        return True
    return environment.get("CUDA_VISIBLE_DEVICES") in ("", "-1")


def _named(file: Path, key: str) -> str | None:
    """The value in the first line `key: value` of a file; None without such a line."""
    for line in file.read_text().splitlines():
        if line.startswith(key):
            return line.split(":", 1)[1].strip()
    return None


def versions() -> dict[str, str | None]:
    """Version of Python and of each package of the stack, None if not installed.

    Nothing is imported.
    """
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


@functools.cache
def code_version() -> str | None:
    """Git commit of this code, with `-dirty` after it if files differ from it.

    None without git, without a commit, or if the code lies in another project's
    repository.
    """
    root = Path(__file__).resolve().parents[2]
    top = _git(root, "rev-parse", "--show-toplevel")
    commit = _git(root, "rev-parse", "HEAD")
    if not top or not commit or Path(top).resolve() != root:
        return None
    return commit + ("-dirty" if _git(root, "status", "--porcelain") else "")


def _git(root: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None  # without git, the code version is unknown
    return done.stdout.strip() if done.returncode == 0 else None
