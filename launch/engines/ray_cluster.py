"""Connects to a Ray cluster, or starts one; checks that its hosts fit together."""

import contextlib
import os
import secrets
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray import cloudpickle
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import munchausen
from launch.engines import ports, ray_guard, ray_role, versions
from launch.engines.placement import Host
from launch.engines.versions import Facts
from launch.surroundings import Unfit

_FACTS_SECONDS = 60.0
_NOT_SHIPPED = (
    ".git",
    ".venv",
    "/runs",
    "/tests",
    "/docs",
    "/experiments/results",
    "__pycache__",
)
_SETTINGS: dict[str, Any] = {
    "log_to_driver": False,
    "logging_level": "ERROR",
    "configure_logging": True,
    "namespace": "munchausen",
}


class Connection(NamedTuple):
    """A cluster that this process is connected to.

    Attributes:
        hosts: its hosts.
        own: key of the host of this process.
        toward: address of this process's host, as other hosts reach it.
        root: folder of our packages on every host; empty: Ray has shipped them.
    """

    hosts: list[Host]
    own: str
    toward: str
    root: str


@contextlib.contextmanager
def connected(address: str, cpus: float) -> Iterator[Connection]:
    """Context manager: this process belongs to a Ray cluster meanwhile.

    Args:
        address: see `launch.cluster.Cluster`.
        cpus: that the program needs; a Ray that is started here offers them, whatever
            this machine has, as processes share its cores, too.

    Raises:
        Unfit: there is no such cluster, or its hosts do not fit together.
    """
    # Our modules that hosts run before they are known to have our files.
    for module in (ports, ray_role, versions):
        cloudpickle.register_pickle_by_value(module)
    with _joined(address) if address else _started(cpus):
        try:
            yield _checked(address)
        finally:
            ray.shutdown()


@contextlib.contextmanager
def _started(cpus: float) -> Iterator[None]:
    """Context manager: a Ray of this machine, which nobody else can use or find."""
    # Without a mode, a new Ray has a token; a process reads its token once.
    os.environ.pop("RAY_AUTH_MODE", None)
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Ray lowers the priority of its workers: other programs would slow the roles down.
    os.environ.setdefault("RAY_worker_niceness", "0")
    # On a busy machine its processes need more than Ray's 30 seconds.
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "60")
    os.environ.setdefault("RAY_agent_register_timeout_ms", "60000")
    # Paths of its sockets must be short.
    folder = tempfile.mkdtemp(prefix="ray-")
    with ray_guard.guarded(folder):
        _init(
            "Ray must start on this machine",
            "see whether it has memory and time to spare, or use --launch processes",
            address="local",
            num_cpus=max(os.cpu_count() or 1, round(cpus)),
            include_dashboard=False,
            _temp_dir=folder,
        )
        try:
            yield
        finally:
            ray.shutdown()  # in order, before what is left of it is killed


@contextlib.contextmanager
def _joined(address: str) -> Iterator[None]:
    """Context manager: this process belongs to a Ray that users have started."""
    _connect(address)
    yield


def _connect(address: str, **settings: Any) -> None:
    """Connects to a cluster.

    Raises:
        Unfit: there is no such cluster, or it is of another version.
    """
    _init(
        f"--address {address} must be a Ray cluster of version {ray.__version__} to "
        "which this machine belongs",
        "run `ray start --address HEAD:PORT` on this machine, with the same token",
        address=address,
        **settings,
    )


def _init(rule: str, remedy: str, **settings: Any) -> None:
    """Calls `ray.init`.

    Args:
        rule: what must hold.
        remedy: what to do if it does not.
        settings: arguments of `ray.init`.

    Raises:
        Unfit: it does not hold.
    """
    try:
        with _own_handler():
            ray.init(**settings, **_SETTINGS)
    except Exception as error:  # Ray raises whatever it meets, without a common class
        reason = " ".join(str(error).split())
        raise Unfit(f"{rule}, got: {reason}", remedy) from error


@contextlib.contextmanager
def _own_handler() -> Iterator[None]:
    """Context manager that keeps this process's handler of SIGTERM.

    Ray installs one that ends the process with exit code 15, and a scheduler would not
    start the run again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Ray installs none either
        return
    before, early = signal.getsignal(signal.SIGTERM), False
    try:
        yield
    except SystemExit as ended:  # what Ray's handler raises
        if ended.code != signal.SIGTERM:
            raise
        early = True
    finally:
        signal.signal(signal.SIGTERM, before)
    if early:
        signal.raise_signal(signal.SIGTERM)


def hosts() -> list[Host]:
    """The living hosts of the cluster."""
    return [
        Host(
            node["NodeID"],
            node["NodeManagerHostname"],
            node["NodeManagerAddress"],
            node["Resources"].get("CPU", 0.0),
            node["Resources"].get("GPU", 0.0),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]


def _checked(address: str) -> Connection:
    """Compares the hosts; ships our files if a host lacks them."""
    root = str(munchausen.ROOT)
    ours = versions.facts(root)
    found = hosts()
    theirs = _ask(found, root)
    if address and any(each.digest != ours.digest for each in theirs):
        _check_shippable(root, theirs)
        print("the working tree is sent to the hosts that lack it", flush=True)
        ray.shutdown()
        shipped = {"working_dir": root, "excludes": list(_NOT_SHIPPED)}
        _connect(address, runtime_env=shipped)
        root, found = "", hosts()
        theirs = _ask(found, root)
    compare(ours, theirs)
    own = ray.get_runtime_context().get_node_id()
    [here] = [host for host in found if host.key == own]
    # A program on one host needs no other interface.
    toward = here.address if len(found) > 1 else "127.0.0.1"
    return Connection(found, own, toward, root)


def _ask(asked: Sequence[Host], root: str) -> list[Facts]:
    """What each host has; each answers within `_FACTS_SECONDS`."""
    ask = ray.remote(num_cpus=0, max_retries=0)(_facts)
    answers = [
        ask.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(host.key, soft=False)
        ).remote(root)
        for host in asked
    ]
    found = []
    for host, answer in zip(asked, answers, strict=True):
        try:
            found.append(Facts(*ray.get(answer, timeout=_FACTS_SECONDS)))
        except ray.exceptions.RayError as error:
            raise Unfit(
                f"host {host.name} ({host.address}) must answer within "
                f"{_FACTS_SECONDS:g} s, got: {' '.join(str(error).split())}",
                "remove it from the cluster, or start Ray there again",
            ) from error
    return found


def _facts(root: str) -> tuple:
    return tuple(versions.facts(root or os.getcwd()))


def _check_shippable(root: str, theirs: Sequence[Facts]) -> None:
    """Refuses to send an installed package, which has its neighbours in one folder."""
    if not Path(root, "setup.cfg").is_file():
        names = sorted({each.host for each in theirs if not each.digest})
        raise Unfit(
            f"every host must have this version of munchausen in {root}, missing or "
            f"different on {', '.join(names) or 'some'}",
            "install the same wheel there, or start from a source tree, which is sent",
        )


def compare(ours: Facts, theirs: Sequence[Facts]) -> None:
    """Compares the hosts with the launcher's; warns of differences that may matter.

    Raises:
        Unfit: a host differs in what must be equal; the message names both.
    """
    for facts in theirs:
        wrong, odd = versions.differences(ours, facts)
        if wrong:
            raise Unfit(
                f"host {facts.host}: {'; '.join(wrong)}",
                "install the same lock on every host",
            )
        for line in odd:
            print(f"munchausen: host {facts.host}: {line}", file=sys.stderr)
