"""The same experiment as a Launchpad program, run as threads or as processes.

Nodes: replay, coordinator, learner, actors, evaluator. Courier and Reverb listen on all
interfaces without authentication, and Courier unpickles what it receives: private
networks only.
"""

import contextlib
import functools
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import launchpad as lp
from absl import flags
from launchpad.nodes.python.local_multi_processing import PythonProcess

from agents.parts.contract import Agent, Spec, Storage, Transition
from environments.vector import VectorEnvironment
from launch import errors
from launch.build import make_agent
from launch.engines import offline_program as offline
from launch.engines import process, supervisor
from launch.experiment import Experiment
from launch.preflight import check
from launch.replay import Adder
from launch.roles.actor_role import ActorRole, EvaluatorRole
from launch.roles.context import Run
from launch.roles.coordinator import Coordinator
from launch.roles.learner_role import LearnerRole
from launch.roles.watchdog import Heartbeat
from launch.runs import checkpoint, logs
from launch.runs.checkpoint import Checkpoint
from launch.runs.dashboards import WandbMode
from launch.runs.progress_from_logs import Follower

Mode = Literal["threads", "processes"]
# Roles end in order, each with the supervisor's patience, not Launchpad's ten seconds.
_NOTICE_SECONDS = 400
# The learner saves once more, and a replay of millions takes a while. Who cannot wait
# presses Ctrl+C again.
_PATIENCE = {"learner": 300.0}
_SCRATCH = Path(checkpoint.DIRECTORY, ".server")  # where Reverb writes its tables
STOP_ORDER = ("actor", "evaluator", "learner", "coordinator", "replay")


def make(run: Run, *, threads: bool) -> lp.Program:
    """Builds the program; starts nothing, and no JAX backend.

    Args:
        run: what to run.
        threads: whether all nodes will share one process.

    Raises:
        ValueError: the agent does not fit the environment.
    """
    spec, frame_stack = check(run.experiment)
    agent = make_agent(run.experiment, spec)
    program = lp.Program("munchausen")
    with program.group("replay"):
        tables = functools.partial(
            _make_tables, run.experiment.name, agent.storage, spec, frame_stack
        )
        saved = None if run.resume is None else run.resume.replay
        checkpointer = functools.partial(_make_checkpointer, run.directory, saved)
        server = lp.ReverbNode(tables, checkpointer)
        replay = program.add_node(server)
    with program.group("coordinator"):
        coordinator = program.add_node(
            lp.CourierNode(Coordinator, run, server.reverb_address, threads)
        )
    with program.group("learner"):
        reader = functools.partial(_make_reader, frame_stack=frame_stack)
        node = lp.CourierNode(LearnerRole, run, spec, reader, replay, coordinator)
        served = program.add_node(node)
    with program.group("actor"):
        for index in range(run.experiment.actors):
            program.add_node(
                lp.PyClassNode(
                    ActorRole,
                    run,
                    index,
                    _make_adder,
                    replay,
                    served,
                    coordinator,
                )
            )
    with program.group("evaluator"):
        program.add_node(lp.PyClassNode(EvaluatorRole, run, served, coordinator))
    return program


def _make_tables(name: str, storage: Storage, spec: Spec, frame_stack: int) -> list:
    # Imported in the process that needs it: Reverb brings TensorFlow along.
    from launch.replay import reverb_store

    process.set_role("replay", name)
    return reverb_store.make_tables(storage, spec, frame_stack=frame_stack)


def _make_checkpointer(directory: Path, saved: Path | None) -> Any:
    from launch.replay import snapshot

    return snapshot.make_checkpointer(directory / _SCRATCH, saved)


def _make_adder(
    client: Any,
    agent: Agent,
    spec: Spec,
    environment: VectorEnvironment,
    stop: Callable[[], bool],
) -> Adder:
    from launch.replay import reverb_store

    return reverb_store.ReverbAdder(
        client,
        agent.storage,
        spec,
        discount=agent.discount,
        frame_stack=environment.frame_stack,
        num_environments=environment.num_environments,
        stop=stop,
    )


def _make_reader(
    client: Any, agent: Agent, spec: Spec, stop: Callable[[], bool], frame_stack: int
) -> Iterator[Transition]:
    from launch.replay import reverb_store

    return reverb_store.ReverbReader(
        client.server_address, agent.storage, spec, frame_stack=frame_stack, stop=stop
    )


def run(
    experiment: Experiment,
    directory: Path,
    mode: Mode,
    progress: bool = True,
    resume: Checkpoint | None = None,
    wandb: WandbMode = "off",
) -> list[float]:
    """Runs an experiment as a Launchpad program; returns the last evaluation's returns.

    Args:
        experiment: what to run.
        directory: its run directory.
        mode: `threads` of this process, or `processes`.
        progress: whether to show a live line.
        resume: where to go on.
        wandb: whether to show it at Weights & Biases, too.

    Raises:
        ValueError: the agent does not fit the environment.
        RoleFailed: a role died.
        Interrupted: SIGINT, SIGTERM or SIGHUP ended the run early.
    """
    if not flags.FLAGS.is_parsed():
        flags.FLAGS(sys.argv[:1])  # Launchpad reads absl flags; ours are not absl's
    build = offline.make if experiment.dataset else make
    program = build(
        Run(experiment, directory, resume, wandb), threads=mode == "threads"
    )
    with Follower(experiment, directory, progress), _removed(directory / _SCRATCH):
        if mode == "threads":
            _run_threads(program)
        else:
            supervisor.launch(
                program,
                {group: _resources(group) for group in program.groups},
                directory / "logs",
                finished_by="coordinator",
                stop_order=STOP_ORDER,
                patience=_PATIENCE,
                arguments=[f"--lp_termination_notice_secs={_NOTICE_SECONDS}"],
                check=Heartbeat(experiment.stall_seconds, directory).check,
            )
    evaluations = logs.read_evaluations(directory)
    if not evaluations or evaluations[-1].grid < experiment.steps:
        raise errors.Interrupted(signal.SIGINT)
    return evaluations[-1].returns


@contextlib.contextmanager
def _removed(path: Path) -> Iterator[None]:
    """Context that leaves no directory at `path`."""
    try:
        yield
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _run_threads(program: lp.Program) -> None:
    flags.FLAGS["lp_termination_notice_secs"].value = _NOTICE_SECONDS
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGHUP)}
    manager = lp.launch(program, lp.LaunchType.LOCAL_MULTI_THREADING)
    try:
        # Launchpad hears Ctrl+C in the first program of a process only.
        for number, handler in before.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, _stop_threads)
        manager.wait()
    except Exception as error:  # whatever a role raised; Launchpad printed its trace
        raise errors.RoleFailed(f"a role died: {error!r}") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop_threads(number: int, frame: Any) -> None:
    """Stops the program in order; the next Ctrl+C ends the process at once."""
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(128 + number))
    signal.raise_signal(signal.SIGTERM)  # to which Launchpad listens


def _resources(group: str) -> PythonProcess:
    """The learner owns the accelerators; every other role stays off them."""
    environment = {"TF_CPP_MIN_LOG_LEVEL": "2"}
    if group != "learner":
        environment |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    return PythonProcess(env=environment)
