"""What `munchausen doctor` says of limits, network, home and variables of a process.

Each check is one that refuses a run; see `launch.surroundings`.
"""

import fcntl
import os
import sys
import tempfile
from collections.abc import Callable
from importlib import util
from pathlib import Path
from typing import NamedTuple

from launch import surroundings
from launch.surroundings import Unfit


class Check(NamedTuple):
    """One finding about the machine.

    Attributes:
        name: of the checked part.
        detail: the finding.
        mend: how to fix the problem; empty if there is none.
    """

    name: str
    detail: str
    mend: str = ""


def examine() -> list[Check]:
    """Checks what surrounds this process."""
    return [
        _check("files", "enough open files", _check_files),
        _check("addresses", "address space", surroundings.check_addresses),
        _check("network", "localhost answers", surroundings.check_network),
        _check("variables", "XLA, JAX and Python accept them", _check_variables),
        _check("temporary", "can be written", _check_temporary),
        check_ray(),
        check_language(),
        check_home(),
        check_proxies(),
        check_locks(Path.cwd()),
        check_encoding(),
    ]


def _check(name: str, fine: str, refuse: Callable[[], object]) -> Check:
    """The finding of a check that raises `Unfit` for a problem."""
    try:
        refuse()
    except Unfit as error:
        return Check(name, error.problem, error.remedy)
    return Check(name, fine)


def _check_files() -> None:
    for mode in ("processes", "threads"):
        surroundings.check_files(mode)


def _check_variables() -> None:
    surroundings.check_warnings()
    surroundings.check_jax_variables()
    surroundings.check_flags(os.environ.get("XLA_FLAGS", ""))


def _check_temporary() -> None:
    Path(surroundings.temporary_directory()).stat()


def check_ray() -> Check:
    """Checks Ray, which only a program on several machines needs."""
    try:
        return Check("ray", f"{surroundings.check_ray()}, for --launch ray")
    except Unfit as error:
        if util.find_spec("ray") is None:
            return Check("ray", "not installed; `make cluster`, for --launch ray")
        return Check("ray", error.problem, error.remedy)


def check_language() -> Check:
    """Checks the readers of pretrained language models, which few runs need."""
    names = ("safetensors", "tokenizers", "sentencepiece")
    missing = [name for name in names if util.find_spec(name) is None]
    if missing:
        detail = f"no {', '.join(missing)}; `make language`, for pretrained models"
        return Check("language", detail)
    return Check("language", "reads pretrained models")


def check_home() -> Check:
    """Checks the home directory; a run needs none, but a cache there saves time."""
    home = Path.home()
    if os.access(home, os.W_OK):
        return Check("home", str(home))
    return Check("home", f"{home} cannot be written; pictures take a temporary folder")


def check_proxies() -> Check:
    """Names the proxies of gRPC, which calls between the parts of a program avoid."""
    names = ("grpc_proxy", "https_proxy", "http_proxy")
    found = [name for name in names if os.environ.get(name)]
    if not found:
        return Check("proxies", "none")
    detail = f"{', '.join(found)}; calls on this machine avoid them"
    return Check("proxies", detail)


def check_locks(directory: Path) -> Check:
    """Checks that the file system of a directory has locks; a run needs none."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        reason = str(error.strerror).lower()
        detail = f"not in {directory} ({reason}): two processes could write one run"
        return Check("locks", detail)
    return Check("locks", "the working directory has them")


def check_encoding() -> Check:
    """Names the encoding of the output; a character that it lacks is escaped."""
    return Check("encoding", f"{sys.stdout.encoding}, directories {os.fsencode('ü')!r}")
