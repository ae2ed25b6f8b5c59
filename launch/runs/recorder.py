"""Writes what the roles report to a run's logs, dashboards and progress line."""

import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from launch import finite
from launch.experiment import Experiment
from launch.runs import dashboards
from launch.runs.checkpoint import Checkpoint
from launch.runs.dashboards import WandbMode
from launch.runs.logs import (
    Counts,
    Episode,
    Evaluated,
    EvaluationLog,
    MetricsLog,
    write_samples,
)
from launch.runs.progress import Progress
from launch.runs.schedule import Schedule


class Recorder:
    """The only writer of a run's metrics, evaluations and progress."""

    def __init__(
        self,
        experiment: Experiment,
        directory: Path,
        progress: Progress | None = None,
        resume: Checkpoint | None = None,
        wandb: WandbMode = "off",
    ):
        """Opens the logs.

        Args:
            experiment: the run's experiment.
            directory: its run directory.
            progress: the progress line to update, if any.
            resume: the checkpoint at which the run resumes; the logs end there.
            wandb: whether to use Weights & Biases, too.

        Raises:
            RunDirectoryError: Weights & Biases did not start.
        """
        done, start = 0, time.monotonic()
        self._episodes: list[Episode] = []
        self._evaluated: list[Episode] = []
        if resume is not None:
            done = resume.counts.clock
            start -= resume.extra["seconds"]
            self._episodes = [Episode(*row) for row in resume.extra["episodes"]]
            evaluated = resume.extra.get("evaluated", [])  # older runs had none
            self._evaluated = [Episode(*row) for row in evaluated]
        self._start = start
        self._directory = directory
        self._dashboards = dashboards.make(
            directory, experiment, purge_step=done, wandb=wandb
        )
        self._metrics = MetricsLog(directory, start=start)
        self._evaluations = EvaluationLog(directory, start=start)
        self._progress = progress
        self._grid = Schedule(experiment.log_period, experiment.steps, done)

    def add_episodes(self, episodes: Iterable[Episode]) -> None:
        """Adds training episodes that ended, for the next row."""
        self._episodes += episodes

    def add_evaluated(self, episodes: Iterable[Episode]) -> None:
        """Adds episodes that belong to the next evaluation."""
        self._evaluated += episodes

    def report(
        self,
        counts: Counts,
        learner: Mapping[str, Any],
        waiting: Mapping[str, float] | None = None,
    ) -> None:
        """Writes a row for each role if a point of the log grid has passed.

        Args:
            counts: the counters now.
            learner: the learner's newest metrics; may lie on a device, from which they
                are fetched only if a row is due.
            waiting: share of its recent time that each role waited for others.

        Raises:
            NotFinite: a metric is NaN or infinite.
        """
        shown: dict[str, Any] = {}
        if self._grid.due(counts.clock) is not None:
            if self._episodes:
                row = _means(self._episodes)
                self._write(counts, "actor", row)
                shown["return"] = row["episode_return"]
                self._episodes = []
            if learner:
                values = {name: float(value) for name, value in learner.items()}
                finite.check_metrics(values, counts.learner_steps)
                self._write(counts, "learner", values)
            for role, share in (waiting or {}).items():
                self._write(counts, role, {"waiting_share": share})
        if self._progress is not None:
            self._progress.update(counts, shown)

    def evaluation(
        self, grid_step: int, counts: Counts, evaluated: Evaluated
    ) -> list[float]:
        """Writes an evaluation.

        Args:
            grid_step: the point of the evaluation grid.
            counts: the counters of the parameters that were evaluated.
            evaluated: the results; its episodes are in addition to those of
                `add_evaluated`.

        Returns:
            The returns of all these episodes.

        Raises:
            NotFinite: a measure is NaN or infinite.
        """
        measures = dict(evaluated.measures)
        finite.check_metrics(measures, counts.learner_steps)
        played, self._evaluated = [*self._evaluated, *evaluated.episodes], []
        returns = [episode.episode_return for episode in played]
        lengths = [episode.length for episode in played]
        self._evaluations.write(grid_step, counts, returns, lengths)
        write_samples(self._directory, grid_step, counts, evaluated.samples)
        if measures:
            self._write(counts, "evaluator", measures)
        if played:
            self._show_evaluation(counts, _means(played))
        return returns

    def _show_evaluation(self, counts: Counts, means: Mapping[str, float]) -> None:
        self._display(counts, "evaluator", means)
        if self._progress is not None:
            shown = {"evaluation": means["episode_return"]}
            self._progress.update(counts, shown)

    def _write(self, counts: Counts, role: str, values: Mapping[str, float]) -> None:
        self._metrics.write(counts, role, values)
        self._display(counts, role, values)

    def _display(self, counts: Counts, role: str, values: Mapping[str, float]) -> None:
        for dashboard in self._dashboards:
            dashboard.write(counts, role, values)

    def pending(self) -> dict[str, Any]:
        """State of the logs that a checkpoint must hold, as plain data."""
        seconds = time.monotonic() - self._start
        return {
            "seconds": seconds,
            "episodes": [list(row) for row in self._episodes],
            "evaluated": [list(row) for row in self._evaluated],
        }

    def close(self) -> None:
        """Closes all logs, also after one fails, and leaves the terminal in order."""
        with contextlib.ExitStack() as closing:
            for dashboard in self._dashboards:
                closing.callback(dashboard.close)
            if self._progress is not None:
                closing.callback(self._progress.close)
            closing.callback(self._evaluations.close)
            closing.callback(self._metrics.close)


def _means(episodes: Sequence[Episode]) -> dict[str, float]:
    returns, lengths = zip(*episodes, strict=True)
    return {
        "episode_return": float(np.mean(returns)),
        "episode_length": float(np.mean(lengths)),
    }
