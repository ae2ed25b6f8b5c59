"""Runs a Launchpad program as processes: one log for each role, an ordered end.

Launchpad's own launcher loses exit codes, mixes all output and kills roles that have
not ended ten seconds after a stop. This one starts the same program of the same nodes.
"""

import contextlib
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import launchpad as lp
from launchpad.nodes.python.local_multi_processing import PythonProcess

import munchausen
from launch import errors
from launch.engines import process, signals
from launch.engines.program import Node

# After a failure the program must end within 30 seconds. A learner whose replay is gone
# does not notice a stop; one whose coordinator is gone waits 10 seconds for an answer.
_FAILURE_GRACE_SECONDS = 12.0
_POLL_SECONDS = 0.05
_TAIL_LINES = 12
_ENTRY = "launchpad.nodes.python.process_entry"
_LAUNCH_TYPE = lp.context.LaunchType.LOCAL_MULTI_PROCESSING


class Role:
    """One process of the program."""

    def __init__(
        self, node: Node, command: Any, arguments: Sequence[str], directory: Path
    ):
        """Starts the process; its output goes to a log.

        Args:
            node: the role.
            command: Launchpad's command for the process.
            arguments: Launchpad flags.
            directory: where the log goes.
        """
        self.node = node
        self.name = command.title
        self.log = directory / f"{self.name.replace('/', '-')}.log"
        # Launchpad would run its entry as a script, whose folder comes first.
        _, _, *flags = command.command_as_list
        self._command = munchausen.command(_ENTRY, *flags, *arguments)
        self._environment = {**os.environ, **command.env_overrides}
        self._restarts = node.restarts
        self.process = self._start()

    def restart(self) -> bool:
        """Starts the process again after it died; False if no restarts are left."""
        if not self._restarts:
            return False
        self._restarts -= 1
        self.process = self._start()
        return True

    def _start(self) -> subprocess.Popen:
        with self.log.open("ab") as output:
            return subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # The child must inherit the lock of the run directory.
                close_fds=False,
                # Ctrl+C reaches the launcher only, which then ends roles in order.
                start_new_session=True,
                preexec_fn=process.ended_by(os.getpid()),
            )

    def is_titled(self) -> bool:
        """Whether it has called `process.begin_role`, and so writes its stacks."""
        try:
            command = Path(f"/proc/{self.process.pid}/cmdline").read_bytes()
        except OSError:
            return False
        return command.startswith(b"munchausen")

    def tail(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-_TAIL_LINES:])


def launch(
    program: lp.Program,
    nodes: Sequence[Node],
    resources: Mapping[str, PythonProcess],
    directory: Path,
    *,
    arguments: Sequence[str] = (),
    check: Callable[[], None] = lambda: None,
) -> None:
    """Runs a program to its end.

    Args:
        program: the Launchpad program, with a group for each node.
        nodes: the nodes of the program.
        resources: environment variables of each role.
        directory: where logs go, one file for each process.
        arguments: Launchpad flags for every process.
        check: called repeatedly; raises RoleFailed to end the program.

    Raises:
        RoleFailed: a role died.
        Interrupted: a signal ended the program early.
    """
    directory.mkdir(parents=True, exist_ok=True)
    known = {node.role: node for node in nodes}
    roles: list[Role] = []
    with signals.caught_signals(exit_at_second=False) as caught:
        try:
            for group, command in _commands(program, resources):
                roles.append(Role(known[group], command, arguments, directory))
            _watch(roles, check, caught)
        except errors.RoleFailed:
            _stop(roles, caught, at_most=_FAILURE_GRACE_SECONDS)
            raise
        finally:
            _stop(roles, caught)
    if caught:
        raise errors.Interrupted(caught[0])


def _commands(
    program: lp.Program, resources: Mapping[str, PythonProcess]
) -> list[tuple[str, Any]]:
    """Binds the nodes' addresses and returns the command of each process."""
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
    commands = []
    for group, nodes in program.groups.items():
        executables = nodes[0].to_executables(nodes, group, nodes[0].launch_context)
        commands += [(group, command) for command in executables]
    return commands


def _watch(
    roles: Sequence[Role], check: Callable[[], None], caught: Sequence[int]
) -> None:
    """Waits until the program has ended or a signal came; raises RoleFailed."""
    while not caught:
        try:
            check()
        except errors.RoleFailed:
            _dump_stacks(roles)
            raise
        for role in roles:
            code = role.process.poll()
            if code == 0 and role.node.finishes:
                return
            if code:
                _died(role, code, roles)
        time.sleep(_POLL_SECONDS)


def _died(role: Role, code: int, roles: Sequence[Role]) -> None:
    """Starts a dead role again, or raises RoleFailed if no restarts are left."""
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    if role.restart():
        print(f"{role.name} died ({how}) and was started again", file=sys.stderr)
        return
    _dump_stacks(roles)
    raise errors.RoleFailed(
        f"{role.name} died ({how}); its last lines, from {role.log}:\n{role.tail()}"
    )


def _dump_stacks(roles: Sequence[Role]) -> None:
    """Makes every living role write the stacks of its threads to its log."""
    for role in roles:
        if role.process.poll() is None and role.is_titled():
            role.process.send_signal(process.STACKS)
            role.process.send_signal(signal.SIGCONT)


def _stop(
    roles: Sequence[Role], caught: Sequence[int], at_most: float = math.inf
) -> None:
    """Asks node after node to end; kills roles that do not within their patience."""
    for role in roles:
        if role.process.poll() is None:
            # A suspended process can neither end nor answer the roles that call it.
            role.process.send_signal(signal.SIGCONT)
    for place in sorted({role.node.stops for role in roles}):
        members = [role for role in roles if role.node.stops == place]
        for role in members:
            if role.process.poll() is None:
                role.process.send_signal(process.END)
        grace = min(at_most, max(role.node.patience for role in members))
        _await_end(members, caught, time.monotonic() + grace)


def _await_end(roles: Sequence[Role], caught: Sequence[int], deadline: float) -> None:
    """Waits for roles that were asked to end; kills the roles that do not."""
    while any(role.process.poll() is None for role in roles):
        if time.monotonic() > deadline or len(caught) > 1:
            break
        time.sleep(_POLL_SECONDS)
    for role in roles:
        if role.process.poll() is None:
            print(f"{role.name} did not end: killed", file=sys.stderr)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(role.process.pid, signal.SIGKILL)
            role.process.wait()
