"""The stages of an offline run: what a recipe learns first, and then its agent.

A pre-training stage lies in `<run>/pretraining/`, as a run does: metrics, checkpoints.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from agents.parts.contract import Agent, Params, Spec, Transition
from launch.build import make_agent, make_stages
from launch.datasets.load import _FINGERPRINT
from launch.datasets.normalization import Prepared
from launch.datasets.sampler import DatasetStore, Drawn, Shared, reading
from launch.experiment import Experiment
from launch.roles.learner import Learner
from launch.runs import checkpoint, truncate_logs
from launch.runs.checkpoint import Checkpoint
from launch.runs.logs import Counts
from launch.runs.progress import Progress
from launch.runs.recorder import Recorder
from launch.runs.run_directory import PRETRAINING
from launch.runs.schedule import Grid


class Record(Protocol):
    """Where a stage reports to."""

    def report(self, counts: Counts, learner: Mapping[str, Any]) -> None:
        """Takes the counters and the newest metrics after a learner step."""

    def pending(self) -> dict[str, Any]:
        """What a checkpoint must hold for the record to go on."""


class Signs(NamedTuple):
    """How a stage and whoever runs it keep in touch.

    Attributes:
        tick: called at every step, to show that it moves.
        stopped: whether to save and leave.
    """

    tick: Callable[[], None]
    stopped: Callable[[], bool]


class Stage:
    """A learner on a dataset.

    Args:
        experiment: gives steps, seeds and when to save.
        directory: where it saves itself.
        agent: what learns.
        index: of the stage, 0 for the agent that acts.
    """

    def __init__(
        self,
        experiment: Experiment,
        directory: Path,
        agent: Agent,
        index: int,
    ):
        self._experiment = experiment
        self._directory = directory
        self._agent = agent
        self._index = index
        self._store: DatasetStore | None = None  # while it learns
        seed = experiment.seeds("learner", index)[1]
        self.learner = Learner(reading(agent), seed, self._draw, self._shared)

    @property
    def counts(self) -> Counts:
        """How far it is."""
        return Counts(learner_steps=self.learner.learner_steps)

    def begin(self, networks: Params, resume: Checkpoint | None) -> None:
        """Takes over networks that it does not learn, or goes on where it was.

        Args:
            networks: parameters by name; those the agent has not are left out.
            resume: where it was.

        Raises:
            RunDirectoryError: the checkpoint does not fit the agent.
        """
        state = self.learner.save()
        if resume is not None and resume.counts.clock:
            self.learner.restore(checkpoint.load_state(resume, self._agent))
        else:
            given = {name: networks[name] for name in networks if name in state.params}
            self.learner.restore(state._replace(params={**state.params, **given}))

    def run(
        self,
        prepared: Prepared,
        record: Record,
        signs: Signs,
        evaluate: Callable[[int], None] = lambda point: None,
        evaluated: int | None = None,
    ) -> None:
        """Learns until the end or a stop; saves itself on the way.

        Args:
            prepared: the dataset.
            record: where to report.
            signs: of life, and to stop.
            evaluate: called with each point of the evaluation grid that is reached.
            evaluated: the last of them before it went on; None: all that were reached.
        """
        experiment, done = self._experiment, self.learner.learner_steps
        grid = (experiment.evaluation.period, experiment.steps)
        evaluations = Grid(*grid, done if evaluated is None else evaluated)
        missed = evaluations.passed(done)
        if missed is not None:
            evaluate(missed)
        if signs.stopped() or done >= experiment.steps:
            return  # before what it looks up is built, which may take a minute
        self._store = self._make_store(prepared.transitions, signs.tick)
        checkpoints = checkpoint.Timer(experiment.checkpoint, experiment.steps, done)
        while self.learner.learner_steps < experiment.steps and not signs.stopped():
            signs.tick()
            self.learner.step()
            record.report(self.counts, self.learner.metrics)
            point = evaluations.passed(self.learner.learner_steps)
            if point is not None:
                evaluate(point)
            if checkpoints.due(self.learner.learner_steps) or signs.stopped():
                self.save(prepared, record)
        self._store = None

    def save(self, prepared: Prepared, record: Record) -> None:
        """Writes a checkpoint.

        Args:
            prepared: the dataset, which is to be the same when the run goes on.
            record: whose pending part is saved as well.

        Raises:
            SaveFailed: it could not be written.
        """
        source = {"store": "dataset", _FINGERPRINT: prepared.fingerprint}
        checkpoint.save(
            self._directory,
            self.counts,
            self.learner.save(),
            extra={**source, **record.pending()},
            save_replay=None,
            keep=self._experiment.checkpoint.keep,
        )

    def _make_store(
        self, transitions: Transition, tick: Callable[[], None]
    ) -> DatasetStore:
        seed = self._experiment.seeds("replay", self._index)[1]
        store = DatasetStore(transitions, self._agent.storage.batch_size, seed)
        if self._agent.lookup is not None:
            store.attach(self._agent.lookup, self.learner.params, tick)
        return store

    def _draw(self) -> Drawn:
        assert self._store is not None
        return self._store.draw(self.learner.learner_steps)

    def _shared(self) -> Shared:
        assert self._store is not None
        return self._store.shared


def pretrain(
    experiment: Experiment,
    directory: Path,
    spec: Spec,
    prepared: Prepared,
    signs: Signs,
    progress: bool = False,
) -> Params:
    """Learns what the recipe has to learn first, or goes on with that.

    Args:
        experiment: what runs.
        directory: its run directory.
        spec: of the environment.
        prepared: the dataset.
        signs: of life, and to stop.
        progress: whether to show a live line.

    Returns:
        The networks it learned, as far as it came; none if there is no such stage.
    """
    *before, _ = make_stages(experiment, spec)
    if not before:
        return {}
    [first] = before
    own = directory / PRETRAINING
    own.mkdir(exist_ok=True)
    steps = first.steps
    assert steps is not None
    part = dataclasses.replace(
        experiment, name=f"{experiment.name} {PRETRAINING}", steps=steps
    )
    stage = Stage(part, own, first.agent, index=1)
    resume = checkpoint.newest(own) if checkpoint.reached(own) else None
    if resume is None:
        # What it logged before it could save itself.
        truncate_logs.rewind(own, steps=-1)
    stage.begin({}, resume)
    if resume is None or resume.counts.clock < steps:
        # As the run's own lines begin, so that a launcher of several finds them.
        title = f"{experiment.name} seed {experiment.seed}  {PRETRAINING}"
        shown = Progress(title, steps) if progress else None
        recorder = Recorder(part, own, shown, resume)
        try:
            stage.run(prepared, recorder, signs)
        finally:
            recorder.close()
    return stage.learner.params


def make_stage(experiment: Experiment, directory: Path, spec: Spec) -> Stage:
    """The stage whose agent acts."""
    return Stage(experiment, directory, make_agent(experiment, spec), index=0)
