"""An experiment as plain data: what `config.yaml` holds, and back again."""

import contextlib
import dataclasses
import functools
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
import types
import typing
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
_KIND = "kind"  # names the class where a field admits several


def to_plain(value: Any) -> Any:
    """Nested dictionaries, lists and scalars that hold a dataclass's fields.

    Every nested dataclass carries its class name under `kind`, so that a field that
    admits several classes (an environment) can be read back.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain = {
            field.name: to_plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
        return {_KIND: type(value).__name__, **plain}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{value!r} of type {type(value).__name__} has no plain form")


def from_plain(annotation: Any, plain: Any) -> Any:
    """The value of type `annotation` that `to_plain` turned into `plain`.

    Raises:
        ValueError: a dictionary names no class that `annotation` admits, or a field
            that the class lacks.
    """
    if isinstance(plain, Mapping):
        return _from_mapping(_class_of(annotation, plain), plain)
    if isinstance(plain, list):
        arguments = typing.get_args(annotation)
        item = arguments[0] if arguments else Any
        return tuple(from_plain(item, element) for element in plain)
    if annotation is float and isinstance(plain, int):
        return float(plain)
    return plain


def read_experiment(plain: Mapping[str, Any]) -> Any:
    """The Experiment whose `to_plain` is `plain`; the registry knows its agent."""
    import agents
    from launch.experiment import Experiment

    agent_name = plain["agent_name"]
    if agent_name not in agents.REGISTRY:
        raise ValueError(f"unknown agent {agent_name}; known: {list(agents.REGISTRY)}")
    agent = _from_mapping(agents.REGISTRY[agent_name].config, plain["agent"])
    return _from_mapping(Experiment, plain, agent=agent)


def is_union(annotation: Any) -> bool:
    """Whether a type annotation is a union, written in either way."""
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _class_of(annotation: Any, plain: Mapping[str, Any]) -> type:
    candidates = typing.get_args(annotation) if is_union(annotation) else [annotation]
    for candidate in candidates:
        if isinstance(candidate, type) and dataclasses.is_dataclass(candidate):
            if len(candidates) == 1 or candidate.__name__ == plain.get(_KIND):
                return candidate
    raise ValueError(f"no class named {plain.get(_KIND)!r} in {annotation}")


def _from_mapping(cls: type, plain: Mapping[str, Any], **built: Any) -> Any:
    hints = typing.get_type_hints(cls)
    names = {field.name for field in dataclasses.fields(cls)}
    unknown = sorted(set(plain) - names - {_KIND})
    if unknown:
        raise ValueError(f"{cls.__name__} has no field {unknown[0]!r}")
    values = {
        name: from_plain(hints[name], plain[name])
        for name in names & set(plain) - set(built)
    }
    return cls(**values, **built)


def circumstances() -> dict[str, Any]:
    """The command that runs now, when, and with which code and packages."""
    return {
        "command": command(),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": machine(),
        "code": code_version(),
        "versions": versions(),
    }


def command() -> str:
    """The command line that runs now, after XLA's flags: they change what it gives."""
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


def kept_off_gpus(environment: Mapping[str, str]) -> bool:
    """Whether variables keep JAX on the processor, or off each NVIDIA GPU."""
    if environment.get("JAX_PLATFORMS") == "cpu":
        return True
    return environment.get("CUDA_VISIBLE_DEVICES") in ("", "-1")


def _named(file: Path, key: str) -> str | None:
    """What the first line `key: value` of a file says."""
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
    root = Path(__file__).resolve().parents[1]
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
        return None  # a run without git is a run of unknown code version
    return done.stdout.strip() if done.returncode == 0 else None
