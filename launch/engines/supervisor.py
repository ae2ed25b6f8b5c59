"""Runs a Launchpad program as processes: one log for each role, an ordered end.

Launchpad's own launcher loses exit codes, mixes all output and kills whatever has not
ended ten seconds after a stop. This one starts the same program from the same nodes.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import launchpad as lp
from launchpad.nodes.python.local_multi_processing import PythonProcess

from launch import errors
from launch.engines import process, signals

GRACE_SECONDS = 20.0  # for a group of roles to end after it was asked to, by default
# After a failure: a learner whose replay is gone hears nothing, and all must be over
# within 30 seconds; one whose coordinator is gone waits 10 for an answer.
_FAILURE_GRACE_SECONDS = 12.0
_POLL_SECONDS = 0.05
_TAIL_LINES = 12
_LAUNCH_TYPE = lp.context.LaunchType.LOCAL_MULTI_PROCESSING


class Role:
    """One process of the program."""

    def __init__(
        self, group: str, command: Any, arguments: Sequence[str], directory: Path
    ):
        self.group = group
        self.name = command.title
        self.log = directory / f"{self.name.replace('/', '-')}.log"
        environment = {**os.environ, **command.env_overrides}
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*command.command_as_list, *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # What is inheritable is meant to be: the lock of the run directory.
                close_fds=False,
                # Ctrl+C reaches the launcher only, which then ends roles in order.
                start_new_session=True,
                preexec_fn=process.dying_with(os.getpid()),
            )

    def is_titled(self) -> bool:
        """Whether it has called `titles.set_role`, and so answers SIGUSR2."""
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
    resources: Mapping[str, PythonProcess],
    directory: Path,
    *,
    finished_by: str,
    stop_order: Sequence[str],
    patience: Mapping[str, float] = MappingProxyType({}),
    arguments: Sequence[str] = (),
    check: Callable[[], None] = lambda: None,
) -> None:
    """Runs a program to its end.

    Args:
        program: nodes by group.
        resources: environment variables of each group.
        directory: where logs go, one file for each role.
        finished_by: the group whose orderly end ends the program.
        stop_order: groups, first to last to be stopped.
        patience: seconds that groups have to end in order, if others than the rest.
        arguments: Launchpad flags for every process.
        check: called again and again; raises RoleFailed to end the program.

    Raises:
        RoleFailed: a role died.
        Interrupted: SIGINT, SIGTERM or SIGHUP ended the program early.
    """
    directory.mkdir(parents=True, exist_ok=True)
    roles: list[Role] = []
    with signals.caught_signals(exit_at_second=False) as caught:
        try:
            for group, command in _commands(program, resources):
                roles.append(Role(group, command, arguments, directory))
            _watch(roles, finished_by, check, caught)
        except errors.RoleFailed:
            failed = dict.fromkeys(stop_order, _FAILURE_GRACE_SECONDS)
            _stop(roles, stop_order, caught, failed)
            raise
        finally:
            _stop(roles, stop_order, caught, patience)
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
    roles: Sequence[Role],
    finished_by: str,
    check: Callable[[], None],
    caught: list[int],
) -> None:
    """Waits until the program has ended or was asked to; raises RoleFailed."""
    while not caught:
        try:
            check()
        except errors.RoleFailed:
            _dump_stacks(roles)
            raise
        for role in roles:
            code = role.process.poll()
            if code is not None and code != 0:
                _dump_stacks(roles)
                how = f"signal {-code}" if code < 0 else f"exit code {code}"
                raise errors.RoleFailed(
                    f"{role.name} died ({how}); its last lines, from {role.log}:\n"
                    f"{role.tail()}"
                )
            if code == 0 and role.group == finished_by:
                return
        time.sleep(_POLL_SECONDS)


def _dump_stacks(roles: Sequence[Role]) -> None:
    """Has every living role write the stacks of its threads to its log."""
    for role in roles:
        if role.process.poll() is None and role.is_titled():
            role.process.send_signal(signal.SIGUSR2)
            role.process.send_signal(signal.SIGCONT)


def _stop(
    roles: Sequence[Role],
    stop_order: Sequence[str],
    caught: Sequence[int],
    patience: Mapping[str, float],
) -> None:
    """Asks group after group to end; kills what does not within its seconds."""
    for role in roles:
        if role.process.poll() is None:
            # Who is suspended can neither end nor answer those who wait for it.
            role.process.send_signal(signal.SIGCONT)
    for group in stop_order:
        members = [role for role in roles if role.group == group]
        for role in members:
            if role.process.poll() is None:
                role.process.terminate()
        grace = patience.get(group, GRACE_SECONDS)
        _await_end(members, caught, time.monotonic() + grace)


def _await_end(roles: Sequence[Role], caught: Sequence[int], deadline: float) -> None:
    """Waits for roles that were asked to end; kills those that do not."""
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
