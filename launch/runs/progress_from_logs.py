"""Shows a run's progress from the rows that another process logs."""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from launch.experiment import Experiment
from launch.runs import roles
from launch.runs.logs import METRICS, Counts, read_evaluations
from launch.runs.progress import Progress, bottleneck

_PERIOD_SECONDS = 0.5


class Follower:
    """Context manager: a thread shows the progress of a run directory meanwhile.

    An earlier stage has its own line, as in a local run, until the agent learns.
    """

    def __init__(
        self,
        experiment: Experiment,
        directory: Path,
        earlier: Mapping[str, int],
        progress: bool,
    ):
        """Shows nothing yet.

        Args:
            experiment: the run's experiment.
            directory: its run directory.
            earlier: learner steps of each earlier stage, by the name of its folder.
            progress: False shows nothing at all.
        """
        self._title = f"{experiment.name} seed {experiment.seed}"
        self._progress = Progress(self._title, experiment.steps) if progress else None
        self._earlier = earlier
        self._stage: tuple[str, Progress] | None = None  # learns before the agent does
        self._directory = directory
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._rows = _Rows(directory)
        self._stage_rows = {name: _Rows(directory / name) for name in earlier}
        self._stage_counts = Counts()
        self._counts = Counts()
        self._waiting: dict[str, float] = {}

    def __enter__(self) -> None:
        if self._progress is not None:
            self._thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        if self._progress is not None:
            self._thread.join()
            self._end_stage()
            self._progress.close()

    def _follow(self) -> None:
        ended = False
        while not ended:
            ended = self._done.wait(_PERIOD_SECONDS)
            self._update()

    def _update(self) -> None:
        assert self._progress is not None
        shown: dict[str, Any] = {}
        rows = self._rows.new()
        if not rows and self._counts == Counts() and self._update_stage():
            return
        self._end_stage()
        for row in rows:
            if row["role"] != "evaluator":  # its counts are those of older parameters
                self._counts = _counts(row)
            if "episode_return" in row:
                shown["return"] = row["episode_return"]
            if "waiting_share" in row:
                self._waiting[row["role"]] = row["waiting_share"]
        if self._waiting:
            shown["bottleneck"] = bottleneck(self._waiting)
        evaluations = read_evaluations(self._directory)
        means = [row.mean_return for row in evaluations if row.returns]
        if means:
            shown["evaluation"] = means[-1]
        self._show_roles(self._progress)
        self._progress.update(self._counts, shown)

    def _show_roles(self, progress: Progress) -> None:
        """Shows where the roles run, if a cluster runs them."""
        table = roles.read(self._directory)
        if table:
            progress.below(roles.lines(table))

    def _update_stage(self) -> bool:
        """Shows the progress of an earlier stage; returns whether one has begun."""
        for name, rows in self._stage_rows.items():
            new = rows.new()
            if new:
                self._begin_stage(name)
                self._stage_counts = _counts(new[-1])
        if self._stage is None:
            return False
        self._stage[1].update(self._stage_counts, {})
        return True

    def _begin_stage(self, name: str) -> None:
        """Shows a line for a stage, unless it has one."""
        if self._stage is None or self._stage[0] != name:
            self._end_stage()
            shown = Progress(f"{self._title}  {name}", self._earlier[name])
            self._stage = (name, shown)

    def _end_stage(self) -> None:
        if self._stage is not None:
            self._stage[1].close()
            self._stage = None


class _Rows:
    """Reads the rows that are appended to a directory's `metrics.jsonl`."""

    def __init__(self, directory: Path):
        self._path = directory / f"{METRICS}.jsonl"
        self._offset = 0

    def new(self) -> list[dict[str, Any]]:
        """The rows that were completed since the last call."""
        if not self._path.exists():
            return []
        if self._path.stat().st_size < self._offset:
            self._offset = 0  # a resumed run has truncated the file
        with self._path.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        complete = new[: new.rfind(b"\n") + 1]  # the last row may be half written
        self._offset += len(complete)
        return [json.loads(line) for line in complete.splitlines()]


def _counts(row: Mapping[str, Any]) -> Counts:
    return Counts(*(row[name] for name in Counts._fields))
