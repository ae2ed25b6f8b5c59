"""Runs a program through Launchpad: threads, processes, or processes under Ray.

Courier and Reverb listen on all interfaces without authentication, and Courier
unpickles what it receives: private networks only.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, cast

import launchpad as lp
from absl import flags
from launchpad import address as lp_address
from launchpad.launch import worker_manager
from launchpad.nodes.python.local_multi_processing import PythonProcess

from environments.vector import VectorEnvironment
from launch import errors
from launch.build import make_stages
from launch.cluster import HERE, Cluster
from launch.engines import calls, process, processes, program, signals
from launch.engines.calls import CourierPeer
from launch.engines.program import NO_GPU, Node
from launch.engines.supervisor import Rules
from launch.experiment import SUPERVISION, Supervision
from launch.replay import light_reverb
from launch.roles import replay_role
from launch.roles.context import Run, Stop
from launch.roles.environment_watch import WatchedEnvironment
from launch.roles.watchdog import Heartbeat
from launch.runs import logs, roles
from launch.runs.progress_from_logs import Follower

Mode = Literal["threads", "processes", "ray"]
# Roles end in order, each with its node's patience, not Launchpad's ten seconds.
_NOTICE_SECONDS = 400
# For the roles that are left to end after one has failed.
_FAILURE_SECONDS = 12.0
_POLL_SECONDS = 0.05


def run(
    run: Run,
    mode: Mode,
    progress: bool = True,
    supervision: Supervision = SUPERVISION,
    cluster: Cluster = HERE,
) -> list[float]:
    """Runs an experiment as a program; returns the last evaluation's returns.

    Args:
        run: what to run.
        mode: `threads` of this process, `processes` of this machine, or `ray`.
        progress: whether to show a live line.
        supervision: how processes are watched.
        cluster: where they run under Ray.

    Raises:
        RoleFailed: a role died for good.
        Interrupted: a signal ended the run early.
        EndedEarly: the program ended in order before its last evaluation.
    """
    if not flags.FLAGS.is_parsed():
        flags.FLAGS(sys.argv[:1])  # Launchpad reads absl flags; ours are not absl's
    # A role may have another working directory.
    run = run._replace(directory=run.directory.absolute())
    experiment, directory = run.experiment, run.directory
    *earlier, _ = make_stages(experiment, run.spec)
    steps = {stage.name: stage.steps or 0 for stage in earlier}
    (directory / roles.FILE).unlink(missing_ok=True)  # of an earlier start
    shown = Follower(experiment, directory, steps, progress)
    with shown, replay_role.scratch_removed(directory):
        if mode == "threads":
            run_threads(run, program.make(run))
        else:
            # Each role loads the dataset itself.
            _run_processes(run._replace(dataset=None), mode, supervision, cluster)
    evaluations = logs.read_evaluations(directory)
    if not evaluations or evaluations[-1].grid < experiment.steps:
        raise errors.EndedEarly(
            f"{directory}: the program ended in order, but before its last evaluation; "
            "see the logs of its roles"
        )
    return evaluations[-1].returns


def _run_processes(
    run: Run, mode: Mode, supervision: Supervision, cluster: Cluster
) -> None:
    nodes = program.make(run)
    [finishing] = [node for node in nodes if node.finishes]
    assert finishing.deadline is not None
    heartbeat = Heartbeat(finishing.deadline, run.directory)
    made = make_program(run, nodes)
    resources = {node.role: PythonProcess(env=_environment(node)) for node in nodes}
    logs_of_roles = run.directory / "logs"
    rules = Rules(
        run.directory, supervision.actors_at_least, heartbeat.check, run.grace
    )
    arguments = [f"--lp_termination_notice_secs={_NOTICE_SECONDS}"]
    if mode == "ray":
        from launch.engines import ray_engine  # only a program on Ray needs Ray

        ray_engine.launch(
            made, nodes, resources, logs_of_roles, rules, cluster, arguments=arguments
        )
    else:
        processes.launch(
            made, nodes, resources, logs_of_roles, rules, arguments=arguments
        )


def run_threads(run: Run, nodes: Sequence[Node]) -> None:
    """Runs nodes as threads of this process, until the program has ended.

    Args:
        run: the run.
        nodes: see `make_program`.

    Raises:
        RoleFailed: a role raised an error.
        Interrupted: a signal ended the program.
    """
    calls.tolerate_late_answers()
    flags.FLAGS["lp_termination_notice_secs"].value = _NOTICE_SECONDS
    caught = signals.Caught()
    stops = OrderedStop(nodes)
    made = make_program(run, nodes, stops)
    early: list[int] = []
    manager = None
    with signals.handling() as install:
        try:
            # During the launch a signal is noted only. Launchpad installs its own
            # handlers in the first program of a process; ours take their place.
            install(lambda number, frame: early.append(number))
            manager = lp.launch(made, lp.LaunchType.LOCAL_MULTI_THREADING)
            install(_stopping(stops, caught))
            if early:
                signal.raise_signal(early[0])
            manager.wait()
        except Exception as error:  # a role raised it; Launchpad printed its trace
            stops.await_end(_FAILURE_SECONDS)  # the learner may save
            if manager is not None:
                # It would go on counting, and kill this process with the next program.
                manager._disable_signals()
            raise errors.RoleFailed(f"a role died: {error!r}") from error
    if caught:
        raise errors.Interrupted(caught[0])


def _stopping(stops: "OrderedStop", caught: signals.Caught) -> Any:
    """A signal handler that stops Launchpad; Ctrl+C after it ends the process."""

    def handle(number: int, frame: Any) -> None:
        if not caught:
            if not stops.finished:  # otherwise Launchpad itself sent it at the end
                caught.note(number)
                stops.at = caught.noticed
            worker_manager._signal_dispatcher(signal.SIGTERM, frame)
            return
        caught.note(number)
        if len(caught) > 1:
            os._exit(128 + number)

    return handle


def _environment(node: Node) -> dict[str, str]:
    """Environment variables of the processes of a node."""
    environment = {"TF_CPP_MIN_LOG_LEVEL": "2"}
    # glibc makes up to eight heaps for each core, and each keeps what is freed there.
    # Two are as fast, and the learner of Pong keeps 80 MB less.
    if "MALLOC_ARENA_MAX" not in os.environ:
        environment["MALLOC_ARENA_MAX"] = "2"
    # Each of several learners would take all accelerators of this machine, which one
    # learner uses all alone. Ray may give each learner a host.
    if not node.accelerators or node.replicas is not None:
        environment |= NO_GPU
    return environment


def make_program(
    run: Run, nodes: Sequence[Node], stops: "OrderedStop | None" = None
) -> lp.Program:
    """Turns nodes into a Launchpad program; starts nothing, not even a JAX backend.

    Args:
        run: the run.
        nodes: all nodes in the order of starting: a node comes after the nodes whose
            methods it calls.
        stops: the stop events of roles that are threads of one process; None: each
            role is a process.
    """
    made = lp.Program("munchausen")
    addresses = {
        node.role: [lp_address.Address(name.replace("/", "")) for name in node.names()]
        for node in nodes
        if node.listens
    }
    handles: dict[str, Any] = {}
    for node in nodes:
        kind = lp.CourierNode if node.serves else lp.PyClassNode
        with made.group(node.role):
            for index in range(len(node.names())):
                listed = (*node.addresses, *[node.role] * node.listens)
                own = kind(
                    HostedRole,
                    node,
                    index,
                    run,
                    stops,
                    addresses={role: addresses[role] for role in listed},
                    clients={role: handles[role] for role in node.calls},
                )
                if node.listens:
                    own.allocate_address(addresses[node.role][index])
                handle = made.add_node(own)
                handles.setdefault(node.role, handle)  # others call the first replica
    return made


class HostedRole:
    """A role as Launchpad runs it, in a thread or in a process."""

    def __init__(
        self,
        node: Node,
        index: int,
        run: Run,
        stops: "OrderedStop | None",
        addresses: Mapping[str, Sequence[lp_address.Address]],
        clients: Mapping[str, Any],
    ):
        """Builds the role; the methods that it serves become methods of this object.

        Args:
            node: the role to run.
            index: index of its replica.
            run: the run.
            stops: see `make_program`.
            addresses: of the servers of each role, one of each replica, including
                the role's own.
            clients: Courier clients of the roles that it calls.
        """
        self._node = node
        self._name = node.names()[index]
        self._experiment = run.experiment
        self._stops = stops
        if stops is None:
            process.begin_role(self._name, run.experiment.name)
            light_reverb.install()
            calls.tolerate_late_answers()
            stop: Stop = lp.stop_event()
            notice: process.Notice | OrderedStop = process.Notice(stop.is_set)
        else:
            stop = stops.join(self._name, lp.stop_event())
            notice = stops
        life = int(os.environ.get(process.LIFE, 0)) if stops is None else 0
        context = LaunchpadContext(
            self._name, index, life, stop, addresses=addresses, clients=clients
        )
        if node.listens:
            own = addresses[node.role][index].resolve()
            context.port = int(lp_address.get_port_from_address(own))
        context.deadline = lambda: signals.deadline(notice.at, run.grace)
        if stops is None:
            # Soon enough that the coordinator does not end the whole run before.
            context.hangs_after = run.experiment.stall_seconds / 2
        self._role = self._made(run, context)
        for method in node.serves:
            setattr(self, method, getattr(self._role, method))

    def _made(self, run: Run, context: "LaunchpadContext") -> Any:
        """The role. One that cannot be built has ended, so that no other waits."""
        alone = self._stops is None
        try:
            with process.exit_on_expected_errors(alone, run.experiment):
                return self._node.make(run, context)
        except BaseException:
            if self._stops is not None:
                self._stops.leave(self._name)
            raise

    def run(self) -> None:
        """Runs the role; then ends its process, or the program if `node.finishes`."""
        try:
            with process.exit_on_expected_errors(self._stops is None, self._experiment):
                self._role.run()
        finally:
            if self._stops is not None:
                self._stops.leave(self._name)
        if self._stops is None:
            process.leave()
        elif self._node.finishes and not lp.stop_event().is_set():
            self._stops.finished = True
            lp.stop()


class LaunchpadContext:
    """The context of a role that Launchpad runs; see `launch.roles.context.Context`."""

    def __init__(
        self,
        name: str,
        index: int,
        life: int,
        stop: Stop,
        *,
        addresses: Mapping[str, Sequence[lp_address.Address]],
        clients: Mapping[str, Any],
    ):
        """Makes no connection yet; see `HostedRole`."""
        self.name = name
        self.index = index
        self.life = life
        self.stop = stop
        self._addresses = addresses
        self._clients = clients
        self.port = 0
        self.deadline: Callable[[], float | None] = lambda: None
        self.hangs_after: float | None = None

    def peer(self, role: str, patience: float = 5.0) -> CourierPeer:
        """Connects to another role, to call its methods."""
        return CourierPeer(self._clients[role], self.stop, patience)

    def watched(self, environment: VectorEnvironment) -> VectorEnvironment:
        """The environment; if it hangs, this process ends, and is started again."""
        if self.hangs_after is None:
            return environment
        watched = WatchedEnvironment(environment, self.hangs_after)
        return cast("VectorEnvironment", watched)

    def address(self, role: str, index: int = 0) -> str:
        """Where the server of a replica of a role listens, `host:port`."""
        return self._addresses[role][index].resolve()


class OrderedStop:
    """Stops roles that are threads of one process one after the other.

    Launchpad stops all of them at once, but the learner needs answers of other roles
    for its last checkpoint.

    After a scheduler's notice, all that need not outlive the learner are stopped with
    it, so that it saves at once.

    Attributes:
        finished: whether the program has ended in order.
        at: when a scheduler announced the end; None: it did not.
    """

    def __init__(self, nodes: Sequence[Node]):
        """Stores the order; no role is asked to stop yet."""
        self._order = sorted(nodes, key=lambda node: node.stops)
        self._stops = {
            name: threading.Event() for node in nodes for name in node.names()
        }
        self.finished = False
        self.at: float | None = None
        self._begun: set[str] = set()
        self._ended: set[str] = set()
        self._watch: threading.Thread | None = None
        self._lock = threading.Lock()

    def join(self, name: str, program_stop: Any) -> Stop:
        """The stop event of a role, set in its turn after that of the program.

        Args:
            name: name of the role.
            program_stop: the event that Launchpad sets.
        """
        with self._lock:
            self._begun.add(name)
            if self._watch is None:
                self._watch = threading.Thread(
                    target=self._stop_in_order, args=(program_stop,), daemon=True
                )
                self._watch.start()
        return self._stops[name]

    def await_end(self, seconds: float) -> None:
        """Waits until all roles that have begun have ended, but not for longer."""
        deadline = time.monotonic() + seconds
        while not self._ended >= self._begun and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def leave(self, name: str) -> None:
        """Notes that a role has ended."""
        self._ended.add(name)

    def _stop_in_order(self, program_stop: Any) -> None:
        program_stop.wait()
        order = self._order
        if self.at is not None:
            last = max((node.stops for node in order if node.saves), default=-1)
            for node in order:
                if node.stops <= last:
                    self._tell(node)
            order = [node for node in order if node.saves or node.stops > last]
        for node in order:
            self._tell(node)
            deadline = time.monotonic() + node.patience
            while not self._ended.issuperset(node.names()):
                if time.monotonic() > deadline:
                    break
                time.sleep(_POLL_SECONDS)

    def _tell(self, node: Node) -> None:
        for name in node.names():
            self._stops[name].set()
