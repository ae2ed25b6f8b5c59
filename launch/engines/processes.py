"""Runs a Launchpad program as processes of this machine, one log for each role.

Launchpad's own launcher loses exit codes, mixes all output and kills roles that have
not ended ten seconds after a stop. This one starts the same program of the same nodes.
"""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import launchpad as lp
from launchpad.nodes.python.local_multi_processing import PythonProcess

import munchausen
from launch.engines import calls, process
from launch.engines.program import Node
from launch.engines.supervisor import Link, NoLink, Rules, Supervisor

_TAIL_LINES = 12
_ENTRY = "launchpad.nodes.python.process_entry"
_LAUNCH_TYPE = lp.context.LaunchType.LOCAL_MULTI_PROCESSING


class Process:
    """One life of a role as a process; a `launch.engines.supervisor.Handle`."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path
    ):
        """Starts the process.

        Args:
            command: its command line.
            environment: all its environment variables.
            log: where its output goes; earlier content is kept.
        """
        self.host = socket.gethostname()
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # The child must inherit the lock of the run directory.
                close_fds=False,
                # Ctrl+C reaches the launcher only, which then ends roles in order.
                start_new_session=True,
                preexec_fn=process.ended_by(os.getpid()),
            )
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """The exit code, or minus the signal that killed it; None while it runs."""
        return self._process.poll()

    def signal(self, number: int) -> None:
        """Sends a signal to it."""
        self._process.send_signal(number)

    def dump_stacks(self) -> None:
        """Makes it write the stacks of its threads to its log, if it can already."""
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{self.pid}/cmdline").read_bytes()
            if command.startswith(b"munchausen"):  # see `process.begin_role`
                self.signal(process.STACKS)
                self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kills it with all its children, and waits for its end."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def tail(self) -> list[str]:
        """The last lines of its log."""
        return self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]


def launch(
    program: lp.Program,
    nodes: Sequence[Node],
    resources: Mapping[str, PythonProcess],
    directory: Path,
    rules: Rules,
    *,
    arguments: Sequence[str] = (),
) -> None:
    """Runs a program to its end.

    Args:
        program: the Launchpad program, with a group for each node.
        nodes: the nodes of the program.
        resources: environment variables of each role.
        directory: where logs go, one file for each role.
        rules: for the supervisor.
        arguments: Launchpad flags for every process.

    Raises:
        RoleFailed: a role died for good.
        Interrupted: a signal ended the program early.
    """
    directory.mkdir(parents=True, exist_ok=True)
    commands = _commands(program, resources)

    def start(node: Node, index: int, life: int) -> Process:
        command = commands[node.role][index]
        # Launchpad would run its entry as a script, whose folder comes first.
        _, _, *flags = command.command_as_list
        return Process(
            munchausen.command(_ENTRY, *flags, *arguments),
            {**os.environ, **command.env_overrides, process.LIFE: str(life)},
            directory / f"{node.role}-{index}.log",
        )

    [*coordinators] = program.groups.get("coordinator", ())
    link: Link = NoLink()
    if coordinators and isinstance(coordinators[0], lp.CourierNode):
        link = calls.CoordinatorLink(coordinators[0].courier_address.resolve())
    try:
        Supervisor(start, link, rules).run(nodes)
    finally:
        link.close()


def _commands(
    program: lp.Program, resources: Mapping[str, PythonProcess]
) -> dict[str, list]:
    """Binds the nodes' addresses; gives the command of each process of each role."""
    for group, nodes in program.groups.items():
        for node in nodes:
            node.launch_context.initialize(
                _LAUNCH_TYPE,
                resources[group],
                lp.make_program_stopper(_LAUNCH_TYPE),
            )
    for group, nodes in program.groups.items():
        for node in nodes:
            for handle in node.input_handles:
                handle.connect(node, group)
    for node in program.get_all_nodes():
        node.bind_addresses()
    return {
        group: nodes[0].to_executables(nodes, group, nodes[0].launch_context)
        for group, nodes in program.groups.items()
    }
