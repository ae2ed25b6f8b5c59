"""Shows a run's progress from the rows that another process logs."""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from launch.experiment import Experiment
from launch.logs import METRICS, Counts, read_evaluations
from launch.progress import Progress

_PERIOD_SECONDS = 0.5


class Follower:
    """Context in which the progress of a run directory is shown, by a thread."""

    def __init__(self, experiment: Experiment, directory: Path, progress: bool):
        """Shows nothing yet.

        Args:
            experiment: what runs.
            directory: its run directory.
            progress: False shows nothing at all.
        """
        title = f"{experiment.name} seed {experiment.seed}"
        self._progress = Progress(title, experiment.steps) if progress else None
        self._directory = directory
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._offset = 0
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
            self._progress.close()

    def _follow(self) -> None:
        ended = False
        while not ended:
            ended = self._done.wait(_PERIOD_SECONDS)
            self._update()

    def _update(self) -> None:
        assert self._progress is not None
        shown: dict[str, Any] = {}
        counts = None
        for row in self._new_rows():
            counts = Counts(*(row[name] for name in Counts._fields))
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
        if counts is not None:
            self._counts = counts
        self._progress.update(self._counts, shown)

    def _new_rows(self) -> list[dict[str, Any]]:
        path = self._directory / f"{METRICS}.jsonl"
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        complete = new[: new.rfind(b"\n") + 1]  # the writer may be within a row
        self._offset += len(complete)
        return [json.loads(line) for line in complete.splitlines()]


def bottleneck(waiting: Mapping[str, float]) -> str:
    """Who holds the others up: `learner (actor/0 waits 62 %)`.

    Args:
        waiting: share of its time that each role waits for others.
    """
    learner = waiting.get("learner", 0.0)
    actors = {role: share for role, share in waiting.items() if role != "learner"}
    slowest = max(actors, key=actors.__getitem__, default="actors")
    share = actors.get(slowest, 0.0)
    if learner >= share:
        return f"actors (learner waits {100 * learner:.0f} %)"
    return f"learner ({slowest} waits {100 * share:.0f} %)"
