"""What surrounds a process: variables, home, limits, network. Prepares and checks them.

A machine may keep every run from working, or let it hang, for reasons that no setting
of ours shows. Each check refuses such a machine in one line, before a run starts.
"""

import functools
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, MutableMapping, Sequence
from importlib import metadata
from pathlib import Path

LOCAL = ("localhost", "127.0.0.1", "::1")  # where the parts of a program listen
# Measured on mdqn/catch, with a reserve: fewer make a role fail, or gRPC spin for ever.
_FILES: Mapping[str, int] = {
    "local": 24,
    "processes": 64,
    "ray": 1024,  # for Ray's own processes
    "threads": 112,
}
_FILES_OF_AN_ACTOR = 16  # as a thread, among the files of all other roles
_ADDRESSES = 2.0e9  # bytes: the libraries of a run map 1.5 GB before it stores anything
_CONNECT_SECONDS = 5.0
OLDEST_RAY = (2, 52)
PROBE_SECONDS = 120.0
_WARNINGS_AS_ERRORS = ("error", "error::Warning", "error::DeprecationWarning")
# Variables of which JAX accepts any value; `check_platforms` checks the first.
_ANY_VALUE = ("JAX_PLATFORMS", "JAX_COMPILATION_CACHE_DIR")
# Variables of JAX, and the beginnings of values, with which every run fails.
_UNBEARABLE = (
    ("JAX_NUMPY_DTYPE_PROMOTION", "strict"),
    ("JAX_TRANSFER_GUARD", "disallow"),
)


class Unfit(ValueError):
    """The machine, or the way this process was started, lets no run work.

    Attributes:
        problem: what must hold, and what was found.
        remedy: what to do.
    """

    def __init__(self, problem: str, remedy: str):
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}; {self.remedy}"


def prepare(environment: MutableMapping[str, str] = os.environ) -> None:
    """Sets the variables that libraries read, for this process and its children.

    Values that the user chose are kept.
    """
    # gRPC would send even calls to this machine through a proxy. Only gRPC reads this
    # variable, so everything else uses the proxy as before.
    excluded = environment.get("no_grpc_proxy") or environment.get("no_proxy") or ""
    names = [name.strip() for name in excluded.split(",") if name.strip()]
    environment["no_grpc_proxy"] = ",".join(dict.fromkeys([*names, *LOCAL]))
    # Datasets are read whole, and a file system may have no locks.
    environment.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
    try:
        Path.home()
    except RuntimeError:  # a user without HOME, whom the system does not know
        environment["HOME"] = "/"


def temporary_directory() -> str:
    """A directory for temporary files.

    Raises:
        Unfit: none can be written.
    """
    try:
        return tempfile.gettempdir()
    except FileNotFoundError as error:
        raise Unfit(
            "a directory for temporary files must be writable, found none",
            "set TMPDIR to a directory that can be written",
        ) from error


def check_process(devices: bool = False) -> None:
    """Refuses a process in which no run can work, before libraries are imported.

    Args:
        devices: whether to ask JAX for the devices of JAX_PLATFORMS as well.

    Raises:
        Unfit: the message names the limit or the variable.
    """
    check_addresses()
    temporary_directory()
    check_warnings()
    check_jax_variables()
    check_flags(os.environ.get("XLA_FLAGS", ""))
    if devices:
        check_platforms(os.environ.get("JAX_PLATFORMS", ""))


def check_program(mode: str, actors: int, *, here: bool) -> None:
    """Refuses a machine on which a run cannot work in this way.

    Args:
        mode: how the run runs; see `launch.experiment.Mode`.
        actors: number of actors.
        here: whether this process itself runs it, and will find out whether JAX starts.

    Raises:
        Unfit: the message names the limit, the network or the variable.
    """
    check_files(mode, actors)
    if mode != "local":
        check_network()
    if mode == "ray":
        check_ray()
    if not here:
        check_platforms(os.environ.get("JAX_PLATFORMS", ""))


def check_ray() -> str:
    """The version of Ray, which is refused if it runs code of whoever reaches it.

    Raises:
        Unfit: Ray is missing, or too old.
    """
    oldest = ".".join(map(str, OLDEST_RAY))
    try:
        version = metadata.version("ray")
    except metadata.PackageNotFoundError:
        version = ""
    if not version or tuple(map(int, version.split(".")[:2])) < OLDEST_RAY:
        raise Unfit(
            f"--launch ray needs Ray {oldest} or newer, whose clusters have tokens, "
            f"found {version or 'none'}",
            "install it with `make cluster`, on every host",
        )
    return version


def check_files(mode: str, actors: int = 1) -> None:
    """Refuses too small a number of open files.

    Raises:
        Unfit: `ulimit -n` is too low.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = _FILES[mode] + (mode == "threads") * actors * _FILES_OF_AN_ACTOR
    if limit != resource.RLIM_INFINITY and limit < needed:
        raise Unfit(
            f"--launch {mode} needs at least {needed} open files, the limit is {limit}",
            f"raise it with `ulimit -n {max(needed, 1024)}`",
        )


def check_addresses() -> None:
    """Refuses an address space that is too small for the libraries of a run.

    Raises:
        Unfit: `ulimit -v` is too low.
    """
    limit = address_limit()
    if limit is not None and limit < _ADDRESSES:
        raise Unfit(
            f"a process needs at least {_ADDRESSES / 1e9:g} GB of address space, the "
            f"limit is {limit / 1e9:.1f} GB",
            "raise it with `ulimit -v unlimited`",
        )


def address_limit() -> int | None:
    """Bytes of memory that this process may map; None: no limit."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit


def check_network() -> None:
    """Refuses a machine that cannot call itself, as the parts of a program do.

    Raises:
        Unfit: `localhost` has no address, or does not answer.
    """
    try:
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        with socket.create_server(("", 0), family=family, dualstack_ipv6=both) as ours:
            port = ours.getsockname()[1]
            socket.create_connection(("localhost", port), _CONNECT_SECONDS).close()
    except socket.gaierror as error:
        raise Unfit(
            f"the name localhost must have an address, got: {error.strerror}",
            "add the line `127.0.0.1 localhost` to /etc/hosts, or use --launch local",
        ) from error
    except OSError as error:
        raise Unfit(
            "a program must reach itself at localhost, got: "
            f"{str(error.strerror or error).lower()}",
            "bring the loopback device up with `ip link set lo up`, or use --launch "
            "local",
        ) from error


def check_warnings(options: Sequence[str] | None = None) -> None:
    """Refuses to turn every warning into an error: libraries of a run warn.

    Args:
        options: of `python -W` and PYTHONWARNINGS; None: those of this process.

    Raises:
        Unfit: an option turns every warning into an error.
    """
    for option in sys.warnoptions if options is None else options:
        if option.rstrip(":") in _WARNINGS_AS_ERRORS:
            raise Unfit(
                "PYTHONWARNINGS must not turn warnings of libraries into errors, got "
                f"{option!r}",
                "unset it, or name a rarer category, such as error::ResourceWarning",
            )


def check_jax_variables(environment: Mapping[str, str] = os.environ) -> None:
    """Refuses variables of JAX that it does not accept, or that no run can bear.

    Raises:
        Unfit: the message names the variable.
    """
    for name, value in _UNBEARABLE:
        if environment.get(name, "").startswith(value):
            raise Unfit(f"{name} must not be {environment[name]!r}", "unset it")
    names = [
        name
        for name in environment
        if name.startswith("JAX_") and name not in _ANY_VALUE
    ]
    if not names:
        return
    try:
        import jax  # noqa: F401
    except ValueError as error:
        raise Unfit(
            f"JAX must accept the values of {', '.join(sorted(names))}, got: {error}",
            "correct the variable, or unset it",
        ) from error


@functools.cache
def check_flags(flags: str) -> None:
    """Refuses flags that abort every process in which XLA reads them.

    Args:
        flags: the variable XLA_FLAGS. Another process reads it.

    Raises:
        Unfit: XLA does not know a flag, or not its value.
    """
    if not flags.strip():
        return
    said = failure("from jaxlib import xla_client; xla_client.make_cpu_client()")
    if said is not None:
        raise Unfit(
            f"XLA must accept every flag of XLA_FLAGS, got {flags!r}: {said}",
            "correct the variable, or unset it",
        )


@functools.cache
def check_platforms(platforms: str) -> None:
    """Refuses a platform with which JAX cannot start.

    Another process asks JAX: a launcher leaves the accelerators to the learner.

    Args:
        platforms: the variable JAX_PLATFORMS; empty or `cpu` is always right.

    Raises:
        Unfit: this machine has no such device.
    """
    if platforms in ("", "cpu"):
        return
    said = failure("import jax; jax.devices()")
    if said is not None:
        raise no_backend(said)


def no_backend(said: str) -> Unfit:
    """The error of a JAX that cannot start, with the reason that it gave."""
    platforms = os.environ.get("JAX_PLATFORMS", "")
    because = "" if said in ("", "AssertionError") else f": {_without_advice(said)}"
    return Unfit(
        f"JAX must start on JAX_PLATFORMS={platforms!r}, but cannot{because}",
        "name devices of this machine, or set JAX_PLATFORMS=cpu; `make cuda12` "
        "installs JAX for NVIDIA GPUs",
    )


def _without_advice(said: str) -> str:
    return re.sub(r"\.? *\(set JAX_PLATFORMS=.*", "", said)


def failure(code: str) -> str | None:
    """Why Python code fails in a separate process; None if it succeeds."""
    try:
        done = run_code(code, PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        return f"no answer within {PROBE_SECONDS:g} s"
    if done.returncode == 0:
        return None
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    for line in lines:
        # Among hundreds of lines that list all flags.
        found = re.search(r"(Couldn't interpret|Unknown flags? in) .*", line)
        if found:
            return found[0].rstrip(".")
    last = lines[-1] if lines else f"it ended with code {done.returncode}"
    return last.partition(": ")[2] or last


def run_code(code: str, seconds: float) -> subprocess.CompletedProcess[str]:
    """Runs Python code in a separate process that imports nothing from its folder.

    Raises:
        subprocess.TimeoutExpired: it took longer than `seconds`, and was killed.
    """
    return subprocess.run(
        [sys.executable, "-c", f"import sys; del sys.path[0]\n{code}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=seconds,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"},
    )
