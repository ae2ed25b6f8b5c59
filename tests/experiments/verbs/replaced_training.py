"""Training that is replaced by a line of evaluations, for tests of what runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from launch.experiment import Experiment
from launch.runs import logs


class ReplacedTraining:
    """Takes the place of `launch.run.run_experiment`.

    Attributes:
        ran: what `describe` returns for each run, in order.
        ends: the error that ends a run early, by its place in that order from 1 on.
    """

    def __init__(
        self,
        describe: Callable[[Experiment], Any],
        worth: Callable[[Experiment], float],
    ):
        """Nothing has run yet.

        Args:
            describe: what the test wants to know of a run.
            worth: mean return of its last evaluation.
        """
        self.ran: list[Any] = []
        self.ends: dict[int, Exception] = {}
        self._describe = describe
        self._worth = worth

    def __call__(self, experiment: Experiment, directory: Path, *_, **__) -> None:
        self.ran.append(self._describe(experiment))
        if len(self.ran) in self.ends:
            raise self.ends.pop(len(self.ran))
        log = logs.EvaluationLog(directory)
        for grid in (experiment.steps // 2, experiment.steps):
            value = self._worth(experiment) * grid / experiment.steps
            log.write(grid, logs.Counts(grid), [value - 1, value + 1], [7, 5])
        log.close()
