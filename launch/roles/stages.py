"""Learns the stages of a run that come before the agent that acts."""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from agents.parts.contract import Metrics, NetworkParams, Params, Stage
from launch.datasets.normalization import Prepared
from launch.datasets.sampler import DatasetBatches
from launch.experiment import Experiment
from launch.roles.learner import Learner
from launch.roles.learner_loop import LearnerLoop
from launch.runs import checkpoint, truncate_logs
from launch.runs.logs import Counts
from launch.runs.progress import Progress
from launch.runs.recorder import Recorder


class StageCallbacks(NamedTuple):
    """Callbacks from an earlier stage to the run around it.

    Attributes:
        tick: the stage calls it at every step, as a sign of life.
        stopped: whether the stage should save a checkpoint and return.
        saving: context manager around each save, which is no stall however long.
    """

    tick: Callable[[], None]
    stopped: Callable[[], bool]
    saving: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext


class _EarlierStage:
    """The host of a stage that comes before the agent that acts."""

    def __init__(
        self,
        loop: LearnerLoop,
        steps: int,
        recorder: Recorder,
        callbacks: StageCallbacks,
    ):
        self._learner = loop.learner
        self._steps = steps
        self._recorder = recorder
        self.tick, self.stopped, self.saving = callbacks

    def act(self) -> None:
        self.tick()

    def done(self) -> int:
        return self._learner.learner_steps

    def ended(self) -> bool:
        return self.done() >= self._steps

    def moment(self) -> tuple[Counts, dict[str, Any]]:
        return self._counts(), self._recorder.pending()

    def _counts(self) -> Counts:
        return Counts(learner_steps=self.done())

    def deadline(self) -> None:
        pass  # there is no replay, so that a save takes no time

    def report(self, metrics: Metrics) -> None:
        self._recorder.report(self._counts(), metrics)

    def evaluate(self, point: int) -> None:
        pass  # it has no policy

    def exact(self, on_grid: bool) -> bool:
        return True

    def saved(self) -> None:
        pass


def learn_earlier(
    experiment: Experiment,
    directory: Path,
    stages: Sequence[Stage],
    dataset: Prepared,
    callbacks: StageCallbacks,
    *,
    initial: Mapping[str, NetworkParams] = MappingProxyType({}),
    progress: bool = False,
) -> Params:
    """Learns the stages that come before the agent that acts, or resumes them.

    Each stage has a folder in the run directory with the layout of a run: metrics,
    checkpoints.

    Args:
        experiment: the experiment of the run.
        directory: its run directory.
        stages: all stages of the run; the last one is not learned here.
        dataset: the dataset that they learn from.
        callbacks: a sign of life, and whether to stop.
        initial: the first weights of networks of any stage.
        progress: whether to show a live line.

    Returns:
        The networks learned so far, all of them unless the run was stopped, and those
        of `initial` that no stage has.
    """
    networks = dict(initial)
    for place, stage in enumerate(stages[:-1]):
        if callbacks.stopped():
            break
        assert stage.steps is not None, "a stage before the last must have steps"
        part = dataclasses.replace(
            experiment, name=f"{experiment.name} {stage.name}", steps=stage.steps
        )
        index = len(stages) - 1 - place
        learner = _learn(
            part,
            directory / stage.name,
            stage,
            index,
            dataset=dataset,
            networks=networks,
            callbacks=callbacks,
            # Begins like the run's own lines: the side-by-side launcher looks for it.
            title=f"{experiment.name} seed {experiment.seed}  {stage.name}",
            progress=progress,
        )
        networks = {**networks, **learner.params}
    return networks


def _learn(
    part: Experiment,
    own: Path,
    stage: Stage,
    index: int,
    *,
    dataset: Prepared,
    networks: Params,
    callbacks: StageCallbacks,
    title: str,
    progress: bool,
) -> Learner:
    """Learns one earlier stage in its folder, or resumes it."""
    own.mkdir(exist_ok=True)
    batches = DatasetBatches(dataset, stage.agent, part.seeds("replay", index)[1])
    loop = LearnerLoop(part, own, stage, batches, index=index)
    resume = checkpoint.newest(own) if checkpoint.reached(own) else None
    loop.begin(networks, resume)
    if loop.learner.learner_steps >= part.steps:
        return loop.learner
    truncate_logs.truncate_to(own, resume)
    shown = Progress(title, part.steps) if progress else None
    recorder = Recorder(part, own, shown, resume)
    host = _EarlierStage(loop, part.steps, recorder, callbacks)
    try:
        loop.run(host, evaluated=host.done())
        loop.save_rest(host)
    finally:
        recorder.close()
        batches.close()
    return loop.learner
