"""The learner loop: a stage of a run learns from its source of batches.

The loop is the same in every run, in one thread or as a program, from a replay or from
a dataset. The part of the run that differs is the host of the loop.
"""

import contextlib
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from agents.parts.contract import Metrics, Params, Stage
from launch.experiment import Experiment
from launch.roles.batches import Batches
from launch.roles.idle_time import UpdateClock
from launch.roles.learner import Learner
from launch.runs import checkpoint, checkpoint_saving, provenance
from launch.runs.checkpoint import Checkpoint
from launch.runs.checkpoint_saving import Ending
from launch.runs.generation import Lease
from launch.runs.logs import Counts
from launch.runs.replay_saving import ReplaySaver
from launch.runs.schedule import SaveTimer, Schedule

_LONGEST_TURN = 1_000  # learner steps without a look at signals
_RATE = "replay_rate"  # the entry of `extra` with the measured speed of saving


class Host(Protocol):
    """The run around a learner loop."""

    def act(self) -> None:
        """Acts before the next updates, if acting and learning take turns."""

    def done(self) -> int:
        """Steps done so far, in the unit of the experiment's `steps`."""

    def ended(self) -> bool:
        """Whether the stage has nothing more to learn."""

    def stopped(self) -> bool:
        """Whether the run should end early."""

    def deadline(self) -> float | None:
        """The time of `time.monotonic` by which all must be saved; None: any time."""

    def tick(self) -> None:
        """Gives a sign of life."""

    def report(self, metrics: Metrics) -> None:
        """Takes the newest metrics, after the updates of a turn."""

    def evaluate(self, point: int) -> None:
        """Evaluates at a point of the evaluation grid that the run has reached."""

    def moment(self) -> tuple[Counts, dict[str, Any]]:
        """The counters of the run and the state of its logs, as they are together.

        A checkpoint holds both. Of two moments, an episode that ended between them
        would count twice or not at all in the logs of the resumed run.
        """

    def saving(self) -> AbstractContextManager[None]:
        """Context manager around each save, which is no stall however long it takes."""

    def exact(self, on_grid: bool) -> bool:
        """Whether a run resumed from a checkpoint made now equals one that continues.

        Args:
            on_grid: whether the checkpoint is on the grid of steps, and so `saved` is
                called after it.
        """

    def saved(self) -> None:
        """Called after each checkpoint on the grid of steps."""


class LearnerLoop:
    """A stage's learner, batches and checkpoints; `run` is the loop itself."""

    def __init__(
        self,
        experiment: Experiment,
        directory: Path,
        stage: Stage,
        batches: Batches,
        *,
        index: int = 0,
        clock: UpdateClock | None = None,
        lease: Lease | None = None,
        thread: Executor | None = None,
    ):
        """Builds the learner.

        Args:
            experiment: gives steps, seeds and when to save.
            directory: where the stage saves its checkpoints.
            stage: the stage to learn.
            batches: the source of its batches.
            index: of the stage's seeds; 0 for the agent that acts.
            clock: measures how long updates and batches wait for each other.
            lease: the right to write to the run directory; None: no other process can.
            thread: in which the learner computes, see `Learner`.

        Raises:
            UnevenBatch: the local devices cannot share the batch evenly.
        """
        self._experiment = experiment
        self._directory = directory
        self._agent = stage.agent
        self._batches = batches
        seed = experiment.seeds("learner", index)[1]
        self.learner = Learner(
            stage.agent,
            seed,
            batches,
            clock,
            updates_per_call=experiment.updates_per_call,
            thread=thread,
        )
        self._saver = None if stage.source == "dataset" else ReplaySaver(batches)
        self._may_write = (lambda: None) if lease is None else lease.check
        self._unsaved = self._on_grid = False
        self._saved_at_notice = False

    def begin(self, networks: Params, resume: Checkpoint | None) -> None:
        """Takes over first weights of networks, or continues from a checkpoint.

        Args:
            networks: parameters by name, of other runs or earlier stages; networks that
                the agent does not have are ignored.
            resume: a checkpoint of this stage.

        Raises:
            RunDirectoryError: the checkpoint does not fit the agent or the source.
        """
        if resume is not None and resume.counts.clock:
            self.learner.restore(checkpoint.load_state(resume, self._agent))
            self._batches.restore(
                resume.replay, resume.extra, resume.counts.learner_steps
            )
            if self._saver is not None:
                self._saver.rate = resume.extra.get(_RATE, 0.0)
        else:
            self.learner.take_over(networks)

    def follow(self, owed: Callable[[], int]) -> None:
        """Learns as another process decides, which runs the loop; saves nothing.

        Args:
            owed: learner steps to do before it is called again; 0: all have ended.
        """
        self._batches.prepare(self.learner.params, lambda: None)
        while steps := owed():
            # No batch comes any more: the other process knows it as well.
            with contextlib.suppress(StopIteration):
                self.learner.run(steps)

    def run(
        self, host: Host, evaluated: int, owed: Callable[[], int] | None = None
    ) -> None:
        """Learns until the stage or the run ends; saves on the way.

        Args:
            host: the run around the loop.
            evaluated: the last point of the evaluation grid that is done.
            owed: learner steps to do before it is called again; None: the source of
                batches decides, and the grids of a run that learns from a dataset.
        """
        if owed is None:
            reads = self._saver is None
            owed = (lambda: self._up_to_grids(host)) if reads else self._batches.owed
        experiment = self._experiment
        evaluations = Schedule(
            experiment.evaluation.period, experiment.steps, evaluated
        )
        # An evaluation that an interruption cut short comes first.
        self._evaluate(host, evaluations)
        if host.ended() or host.stopped():
            return  # before the source is prepared, which may take a minute
        self._try_to_save(host)
        self._batches.prepare(self.learner.params, host.tick)
        saves = SaveTimer(experiment.checkpoint, host.done())
        while not host.ended() and not host.stopped():
            self._unsaved, self._on_grid = True, False
            host.act()
            try:
                self._learn(host, owed())
            except StopIteration:
                break
            host.report(self.learner.at_hand.metrics)
            self._evaluate(host, evaluations)
            self._on_grid = saves.on_grid(host.done())
            # The host makes the last checkpoint: it may wait for the last evaluation.
            if host.done() < experiment.steps and (self._on_grid or saves.late()):
                self.save(host)
                saves.saved()
                if self._on_grid:
                    host.saved()

    def _learn(self, host: Host, steps: int) -> None:
        """Takes learner steps; a signal ends even a turn of very many.

        Raises:
            StopIteration: there will be no further batch.
        """
        # All ranks of several learners take the same steps, so none may stop early.
        turn = steps if self._experiment.learners > 1 else _LONGEST_TURN
        while steps > turn and not host.stopped():
            self.learner.run(turn)
            steps -= turn
            host.tick()
        if steps <= turn:
            self.learner.run(steps)

    def _up_to_grids(self, host: Host) -> int:
        """Learner steps of a call, fewer where a grid of the run comes first."""
        experiment, done = self._experiment, host.done()
        periods = (
            experiment.steps,
            experiment.evaluation.period,
            experiment.checkpoint.period,
            experiment.log_period,
        )
        ahead = (period - done % period for period in periods)
        return min(experiment.updates_per_call, *ahead)

    def _evaluate(self, host: Host, evaluations: Schedule) -> None:
        point = evaluations.due(host.done())
        if point is not None:
            host.evaluate(point)

    def _try_to_save(self, host: Host) -> None:
        """Finds out before any work whether a checkpoint can be written.

        Raises:
            SaveFailed: it cannot.
        """
        saves_replay = self._experiment.checkpoint.replay and not host.done()
        with host.saving():
            checkpoint_saving.rehearse(
                self._directory,
                self.learner.save(),
                extra={**self._batches.progress(), **host.moment()[1]},
                # Later it is not empty any more, and would take its time.
                save_replay=self._batches.save if saves_replay else None,
            )

    def save(self, host: Host) -> None:
        """Writes a checkpoint; once a deadline is known, only one more.

        Raises:
            NotFinite: the newest metrics are not finite.
            SaveFailed: it could not be written.
        """
        if self._saved_at_notice:
            return
        settings = self._experiment.checkpoint
        counts, logs = host.moment()
        extra = {
            **self._batches.progress(),
            **logs,
            checkpoint.EXACT: host.exact(self._on_grid),
            checkpoint.THREADS: provenance.threads(),
        }
        if self._saver is not None and self._saver.rate:
            extra[_RATE] = self._saver.rate
        with host.saving():
            checkpoint_saving.save(
                self._directory,
                counts._replace(learner_steps=self.learner.learner_steps),
                self.learner.save(),
                extra=extra,
                replay=self._saver if settings.replay else None,
                keep=settings.keep,
                ending=Ending(host.deadline, self._may_write),
            )
        self._unsaved = False
        self._saved_at_notice = host.deadline() is not None

    def save_rest(self, host: Host) -> None:
        """Writes a checkpoint if the run has advanced since the last one.

        Raises:
            NotFinite: the newest metrics are not finite.
            SaveFailed: it could not be written.
        """
        if self._unsaved:
            self.save(host)
