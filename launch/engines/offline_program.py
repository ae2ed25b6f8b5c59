"""An offline run as a Launchpad program: the learner, and an evaluator beside it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import launchpad as lp

from agents.parts.contract import NetworkParams, Spec
from launch import finite
from launch.datasets import load
from launch.engines import process
from launch.engines.calls import Remote
from launch.errors import Stopped
from launch.preflight import check, check_devices
from launch.roles import stages
from launch.roles.actor_role import EvaluatorRole
from launch.roles.context import REPORT_SECONDS, Run
from launch.roles.coordinator import Coordinator
from launch.roles.stages import Signs
from launch.runs.logs import Counts

_TICK_SECONDS = 2.0  # between two signs of life of a stage that comes first


def make(run: Run, *, threads: bool) -> lp.Program:
    """Builds the program; starts nothing, and no JAX backend.

    Args:
        run: what to run; it learns from a dataset.
        threads: whether all nodes will share one process.

    Raises:
        ValueError: agent, environment and dataset do not fit each other.
    """
    spec, _ = check(run.experiment, directory=run.directory)
    program = lp.Program("munchausen")
    with program.group("coordinator"):
        node = lp.CourierNode(Coordinator, run, None, threads)
        coordinator = program.add_node(node)
    with program.group("learner"):
        learner = program.add_node(
            lp.CourierNode(DatasetLearnerRole, run, spec, coordinator)
        )
    with program.group("evaluator"):
        program.add_node(lp.PyClassNode(EvaluatorRole, run, learner, coordinator))
    return program


class DatasetLearnerRole:
    """Learns from a dataset, stage after stage; serves its parameters."""

    @process.told()
    def __init__(self, run: Run, spec: Spec, coordinator: Any):
        """Builds the learner.

        Args:
            run: what runs.
            spec: of its environment; the learner has none.
            coordinator: Courier client.
        """
        process.set_role("learner", run.experiment.name)
        self._run = run
        self._spec = spec
        self._coordinator = Remote(coordinator, patience=10)
        check_devices(run.experiment, spec)  # of all stages, before the first one
        self._stage = stages.make_stage(run.experiment, run.directory, spec)
        self._told = 0.0

    def get_variables(self, names: Sequence[str]) -> list[NetworkParams]:
        """Remote call: online parameters of the named networks."""
        return self._stage.learner.get_variables(names)

    @process.told()
    def run(self) -> None:
        """Learns, serves the last evaluation, and saves."""
        stop = lp.stop_event()
        record = _Reports(self._coordinator, self._run.start)
        try:
            self._learn(record, Signs(self._tick, stop.is_set))
            record.send(self._stage.counts, self._stage.learner.metrics)
            if not stop.is_set():
                self._coordinator.learner_ended()
            while not stop.is_set() and self._coordinator.evaluating():
                stop.wait(REPORT_SECONDS / 2)
            self._coordinator.finish()
        except Stopped:
            pass  # the coordinator is gone, and with it what a checkpoint needs
        finally:
            self._coordinator.close()
        process.leave()

    def _learn(self, record: "_Reports", signs: Signs) -> None:
        experiment, directory = self._run.experiment, self._run.directory
        prepared = load.load_prepared(experiment, self._spec)
        if self._run.resume is None:
            # From here on there is a run to go on with.
            self._stage.save(prepared, record)
        networks = stages.pretrain(experiment, directory, self._spec, prepared, signs)
        self._stage.begin({**networks, **prepared.networks}, self._run.resume)
        self._stage.run(prepared, record, signs)

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._told > _TICK_SECONDS:
            self._told = now
            self._coordinator.moved("learner")


class _Reports:
    """Tells the coordinator, now and then, what the learner has done."""

    def __init__(self, coordinator: Remote, start: Counts):
        self._coordinator = coordinator
        self._reported = start.learner_steps
        self._began = time.monotonic()

    def report(self, counts: Counts, learner: Mapping[str, Any]) -> None:
        """Takes the counters and the newest metrics after a learner step."""
        if time.monotonic() - self._began >= REPORT_SECONDS:
            self.send(counts, learner)

    def send(self, counts: Counts, learner: Mapping[str, Any]) -> None:
        """Sends them at once.

        Raises:
            NotFinite: a metric is NaN or infinite.
        """
        metrics = {name: float(value) for name, value in learner.items()}
        finite.check_metrics(metrics, counts.learner_steps)
        done = counts.learner_steps - self._reported
        self._coordinator.report_learner(done, metrics, 0.0)
        self._reported = counts.learner_steps
        self._began = time.monotonic()

    def pending(self) -> dict[str, Any]:
        """What a checkpoint must hold for the coordinator's logs to go on."""
        return self._coordinator.pending()
