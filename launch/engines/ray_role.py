"""The Ray actor that supervises the process of one life of a role, on any host.

Ray ships this class by value, since a host may lack our files; it then imports them
from the folder that it is given. It does what it is told and decides nothing: the
launcher's supervisor does.
"""

import contextlib
import importlib.util
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

_MOST_BYTES = 1 << 18  # of a log in one answer
# What Ray sets for its own worker, or would set for a role.
_OF_RAY = ("RAY_", "SPT_NOENV", "PYTHONBREAKPOINT", "OMP_NUM_THREADS")


class Order(NamedTuple):
    """What to start.

    Attributes:
        work: working directory; another one is taken if this host lacks it.
        payload: the bytes of the node, see `launch.engines.payload`.
        entry: module that runs them.
        arguments: flags for that module.
        variables: environment variables of the launcher that the role needs.
        accelerators: whether it may use the GPUs that Ray gave it.
    """

    work: str
    payload: bytes
    entry: str
    arguments: list[str]
    variables: Mapping[str, str]
    accelerators: bool


class Report(NamedTuple):
    """The state of a role's process.

    Attributes:
        pid: of the process.
        code: its exit code, or minus the signal that killed it; None while it runs, or
            while its log has bytes that were not shipped.
        log: new bytes of its log.
    """

    pid: int
    code: int | None
    log: bytes


def variables_of_role(
    own: Mapping[str, str], sent: Mapping[str, str], accelerators: bool
) -> dict[str, str]:
    """The environment of a role: that of its host, without what Ray set, and ours.

    Args:
        own: environment of the Ray actor.
        sent: variables that the launcher sends.
        accelerators: whether the role may use the GPUs that Ray chose.
    """
    kept = {
        name: value
        for name, value in own.items()
        if not name.startswith(_OF_RAY)
        and (accelerators or name != "CUDA_VISIBLE_DEVICES")
    }
    return kept | dict(sent)


class RayRole:
    """Supervises one process; the process dies with this Ray actor."""

    def __init__(self, root: str) -> None:
        """Starts nothing yet.

        Args:
            root: folder of our packages on this host; empty: Ray has shipped them.
        """
        self._root = root or os.getcwd()
        self._held: list[socket.socket] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # has no name: nothing stays behind

    def node(self) -> str:
        """What Ray calls this host."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def reserve(self, toward: str, ports: tuple[int, int], count: int) -> list[str]:
        """Holds free ports until the process starts; returns their `host:port`.

        Args:
            toward: address of the launcher's host.
            ports: the lowest and the highest that may be used; zeros: any.
            count: how many are needed.

        Raises:
            OSError: too few are free.
        """
        module = _import(self._root, "launch.engines.ports")
        self._held += [module.reserve(*ports) for _ in range(count)]
        host = _import(self._root, "launch.reach").own_address(toward)
        host = f"[{host}]" if ":" in host else host
        return [f"{host}:{held.getsockname()[1]}" for held in self._held]

    def check_directory(self, directory: str, name: str) -> str:
        """Reads a file of the run directory, and writes one next to it.

        Args:
            directory: the run directory.
            name: of the file that the launcher wrote.

        Returns:
            The content of that file; "" if this host has no such file.

        Raises:
            OSError: the directory is there and cannot be written.
        """
        path = Path(directory, name)
        if not path.is_file():
            return ""
        text = path.read_text(encoding="utf-8")
        answer = path.with_name(f"{name}.{socket.gethostname()}-{secrets.token_hex(4)}")
        answer.write_text(text, encoding="utf-8")
        return f"{text} {answer.name}"

    def start(self, order: Order) -> Report:
        """Starts the process."""
        process = _import(self._root, "launch.engines.process")
        door = _import(self._root, "munchausen")
        for held in self._held:
            held.close()
        payload = os.memfd_create("payload")
        with open(payload, "wb", closefd=False) as file:
            file.write(order.payload)
        flags = [f"--data_file=/proc/self/fd/{payload}", "--lp_task_id=0"]
        own = variables_of_role(os.environ, order.variables, order.accelerators)
        self._process = subprocess.Popen(
            door.command(order.entry, *flags, *order.arguments),
            env=own,
            cwd=order.work if os.path.isdir(order.work) else self._root,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            pass_fds=[payload],
            start_new_session=True,
            # The launcher starts the role again elsewhere at once: two lives of one
            # role must not overlap.
            preexec_fn=process.ended_by(os.getpid(), signal.SIGKILL),
        )
        os.close(payload)
        return self.poll(0)

    def poll(self, offset: int) -> Report:
        """The state of the process, and the bytes of its log from `offset` on."""
        assert self._process is not None
        code = self._process.poll()  # first: then the log is complete
        log = os.pread(self._log.fileno(), _MOST_BYTES, offset)
        if len(log) == _MOST_BYTES:
            code = None
        return Report(self._process.pid, code, log)

    def signal(self, number: int) -> None:
        """Sends a signal to the process."""
        if self._process is not None:
            self._process.send_signal(number)

    def dump_stacks(self) -> None:
        """Makes the process write its stacks to its log, if it can already."""
        if self._process is None:
            return
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{self._process.pid}/cmdline").read_bytes()
            if command.startswith(b"munchausen"):  # see `process.begin_role`
                process = sys.modules["launch.engines.process"]
                self.signal(process.STACKS)
                self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kills the process with all its children, and waits for its end."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _import(root: str, name: str) -> Any:
    """A module of ours, from a folder of this host."""
    if "munchausen" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "munchausen", Path(root, "munchausen.py")
        )
        assert spec is not None and spec.loader is not None
        door = importlib.util.module_from_spec(spec)
        sys.modules["munchausen"] = door
        spec.loader.exec_module(door)
        door.take_names()
    return importlib.import_module(name)
