"""Turns what roles report into rows of the run directory and a live line."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from launch.actor import Episode
from launch.experiment import Experiment
from launch.logs import Counts, EvaluationLog, MetricsLog
from launch.progress import Progress


class Grid:
    """Points `period, 2 period, ..., end`; each is passed once."""

    def __init__(self, period: int, end: int):
        self._period = period
        self._end = end
        self._next = min(period, end)

    def passed(self, steps: int) -> int | None:
        """The newest point that `steps` has reached since the last call, or None."""
        if steps < self._next:
            return None
        point = self._end if steps >= self._end else steps - steps % self._period
        following = point - point % self._period + self._period
        self._next = min(following, self._end) if point < self._end else _NEVER
        return point


_NEVER = 1 << 62


class Recorder:
    """The only writer of a run's metrics, evaluations and progress."""

    def __init__(
        self, experiment: Experiment, directory: Path, progress: Progress | None = None
    ):
        """Opens the logs.

        Args:
            experiment: what runs.
            directory: its run directory.
            progress: where to show how it goes, if anywhere.
        """
        self._metrics = MetricsLog(directory)
        self._evaluations = EvaluationLog(directory)
        self._progress = progress
        self._grid = Grid(experiment.log_period, experiment.steps)
        self._episodes: list[Episode] = []

    def add_episodes(self, episodes: Iterable[Episode]) -> None:
        """Takes note of training episodes that ended."""
        self._episodes += episodes

    def report(self, counts: Counts, learner: Mapping[str, Any]) -> None:
        """Writes a row for each role if a point of the log grid has passed.

        Args:
            counts: the counters now.
            learner: the learner's newest metrics; may lie on a device, from which they
                are fetched only if a row is due.
        """
        shown = {}
        if self._grid.passed(counts.actor_steps) is not None:
            if self._episodes:
                returns = [episode.episode_return for episode in self._episodes]
                lengths = [episode.length for episode in self._episodes]
                row = {
                    "episode_return": float(np.mean(returns)),
                    "episode_length": float(np.mean(lengths)),
                }
                self._metrics.write(counts, "actor", row)
                shown = {"return": row["episode_return"]}
                self._episodes = []
            if learner:
                self._metrics.write(counts, "learner", learner)
        if self._progress is not None:
            self._progress.update(counts, shown)

    def evaluation(
        self, grid_step: int, counts: Counts, episodes: Sequence[Episode]
    ) -> None:
        """Writes an evaluation.

        Args:
            grid_step: the point of the evaluation grid it is for.
            counts: the counters of the parameters that were evaluated.
            episodes: those played.
        """
        returns = [episode.episode_return for episode in episodes]
        lengths = [episode.length for episode in episodes]
        self._evaluations.write(grid_step, counts, returns, lengths)
        if self._progress is not None:
            shown = {"evaluation": float(np.mean(returns))}
            self._progress.update(counts, shown)

    def close(self) -> None:
        """Closes the logs and leaves the terminal in order."""
        self._metrics.close()
        self._evaluations.close()
        if self._progress is not None:
            self._progress.close()
