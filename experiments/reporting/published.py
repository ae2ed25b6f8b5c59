"""Tables that compare our numbers with published ones on the same environment."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.reporting import captions, formats, statistics
from experiments.reporting.read_run import Run
from experiments.reporting.read_runs import Group
from launch.datasets import d4rl_scores
from launch.datasets.d4rl_scores import DEMONSTRATIONS, QUALITIES

PUBLISHED = Path(__file__).parents[1] / "published"
STATUSES = ("verified", "computed", "second-hand", "recalled")
_Window = tuple[int, int]  # frames and window of a published number


class Published(NamedTuple):
    """A row of `published/*.csv`.

    Attributes:
        environment: class of the environment's configuration, such as `Atari`.
        task: the environment's game or name.
        protocol: the environment's protocol; empty if it has none.
        agent: the agent's name in the source.
        statistic: kind of `value`; for trained agents one of `STATISTICS`.
        frames: position on the curve: the end of the window.
        window: number of frames over which the value is a mean.
        value: the number.
        spread: the number after the source's plus or minus; the note explains it.
        seeds: number of seeds; empty if the source does not give it.
        status: `verified` (read in the source), `computed` (from the source's data),
            `second-hand` (read in another text that quotes the source) or `recalled`
            (from memory: never shown).
        source: publication or repository of the number.
        note: facts that a reader needs for a fair comparison.
    """

    environment: str
    task: str
    protocol: str
    agent: str
    statistic: str
    frames: int
    window: int
    value: float
    spread: str
    seeds: str
    status: str
    source: str
    note: str


def tables(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Makes a table for each published statistic, by agent and frames; ours come first.

    For runs that learn from a dataset, learner steps take the place of frames.
    """
    rows = read_published(environment(groups[0].runs[0].experiment))
    statistics = dict.fromkeys(row.statistic for row in rows)
    return [
        _table(groups, [row for row in rows if row.statistic == statistic])
        for statistic in statistics
    ]


def environment(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """A run's environment as plain data; a dataset's quality is its protocol."""
    found = quality(experiment.get("dataset", ""))
    return experiment["environment"] | ({"protocol": found} if found else {})


def task(environment: Mapping[str, Any]) -> str:
    """The game or name of an environment, as the published numbers name it."""
    return str(environment.get("game", environment.get("name", "")))


def quality(dataset: str) -> str:
    """The protocol of a dataset's published numbers, found from the dataset's name."""
    if not dataset:
        return ""
    name = Path(dataset).name.lower().replace("_", "-")  # hopper_medium_expert-v2.hdf5
    name = name.replace("humanoid", "")  # whose data no person made
    found = [each for each in (*QUALITIES, *DEMONSTRATIONS) if each in name]
    return max(found, key=len, default="of unknown quality")


def _table(groups: Sequence[Group], rows: Sequence[Published]) -> dict[str, Any]:
    windows = sorted({(row.frames, row.window) for row in rows})
    theirs: dict[str, dict[_Window, str]] = {}
    for row in rows:
        theirs.setdefault(row.agent, {})[row.frames, row.window] = _quoted(row)
    unit = "learner steps" if groups[0].runs[0].counted == "learner" else "frames"
    return {
        "columns": columns(windows, unit),
        "ours": [
            (
                f"{text}, at {_reached(runs)} {unit}",
                group.label,
                ours(runs, rows[0].statistic, windows),
            )
            for group in groups
            for runs, text in captions.selections(group)
        ],
        "theirs": [
            (agent, [values.get(window, formats.NONE) for window in windows])
            for agent, values in theirs.items()
        ],
        "statistic": rows[0].statistic,
        "meaning": _meaning(rows),
        "sources": list(
            dict.fromkeys((row.source, row.status, row.seeds) for row in rows)
        ),
        "notes": list(dict.fromkeys(row.note for row in rows if row.note)),
    }


def columns(windows: Sequence[_Window], unit: str) -> list[str]:
    """Column headings; columns at the same frames also show their window."""
    places = [frames for frames, _ in windows]
    return [
        f"{formats.steps(frames)} {unit}"
        + (f", over {formats.steps(window)}" if places.count(frames) > 1 else "")
        for frames, window in windows
    ]


def _quoted(row: Published) -> str:
    spread = f" ± {row.spread}" if row.spread else ""
    return formats.quoted(row.value) + spread


def _meaning(rows: Sequence[Published]) -> str:
    """Explains how our numbers in a table are computed."""
    ours = "Our numbers are over all seeds of a row, as far as all of them go."
    return f"{_measured(rows)} {ours}"


def _measured(rows: Sequence[Published]) -> str:
    statistic = rows[0].statistic
    if statistic == SCORE:
        return (
            "D4RL's normalised score: 0 is the return of D4RL's random policy, 100 its "
            "expert's. Ours is of the last evaluation; our dataset is not D4RL's."
        )
    if statistic == _BEST:
        return "The highest mean over seeds of any evaluation up to each column."
    if statistic == _WHOLE:
        return "Means over all training episodes from the start to each column."
    windows = ", ".join(dict.fromkeys(formats.steps(row.window) for row in rows))
    return (
        f"Means over the {windows} frames before each column. Our latest number is a "
        "mean over at most the last tenth of a run."
    )


def ours(
    runs: Sequence[Run], statistic: str, windows: Sequence[_Window]
) -> list[float | None]:
    """Our latest number, then our number for each window.

    None where a run has no number: a mean of the others would not be the agent's.
    """
    ends = _places(runs)
    if statistic == _BEST:
        where = [min(ends), *(frames for frames, _ in windows)]
        return [_best(runs, frames) for frames in where]
    measure = _OF_A_RUN[statistic]
    window = windows[-1][1]
    last = [
        measure(run, end, min(window, max(end // 10, 1)))
        for run, end in zip(runs, ends, strict=True)
    ]
    reached = min(map(_place, runs))
    return [_mean(last)] + [
        _mean([measure(run, *where) for run in runs]) if where[0] <= reached else None
        for where in windows
    ]


def _whole_run(run: Run, frames: int, window: int) -> float | None:
    """Mean over the episodes from the start; `window` is the whole run."""
    del window
    inside = [row for row in run.metrics if row["frames"] <= frames]
    average = statistics.training_average(inside)
    return None if average is None else average.by_episode


def _best(runs: Sequence[Run], frames: int) -> float | None:
    """The highest mean up to `frames`; None if a run has not reached that frame."""
    if any(run.frames < frames for run in runs):
        return None
    return statistics.best_evaluation(runs, frames)


def _score(run: Run, steps: int, window: int) -> float | None:
    """D4RL's score of the evaluations in learner steps (steps - window, steps]."""
    reference = d4rl_scores.reference(str(run.experiment["environment"].get("name")))
    inside = [
        row.mean_return for row in run.evaluations if steps - window < row.grid <= steps
    ]
    if reference is None or not inside:
        return None
    return d4rl_scores.normalized(float(np.mean(inside)), reference)


_WHOLE = "whole-run training return"
SCORE = "normalised score"
_BEST = "best evaluation return"
# (run, frames, window) -> a run's number; a table shows the mean over runs.
_OF_A_RUN: dict[str, Callable[[Run, int, int], float | None]] = {
    "training return": statistics.training_return,
    "evaluation return": statistics.evaluation_return,
    _WHOLE: _whole_run,
    SCORE: _score,
}
# The statistics that we can compute for our runs.
STATISTICS = (*_OF_A_RUN, _BEST)


def _reached(runs: Sequence[Run]) -> str:
    """The position of our latest number, or a range over runs: `190k to 250k`."""
    places = _places(runs)
    ends = map(formats.steps, sorted({min(places), max(places)}))
    return " to ".join(dict.fromkeys(ends))


def _places(runs: Sequence[Run]) -> list[int]:
    """Where our latest number is: a run's end, or as far as all runs go."""
    places = [_place(run) for run in runs]
    return places if statistics.complete(runs) else [min(places)] * len(runs)


def _place(run: Run) -> int:
    """How far a run is, in frames; in its own steps if it counts no frames."""
    return run.frames or run.clock


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean; None if a value is absent."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def read_published(
    environment: Mapping[str, Any], folder: Path = PUBLISHED
) -> list[Published]:
    """Reads the published numbers of an environment, except those `recalled`.

    Args:
        environment: the environment's configuration as plain data.
        folder: folder of CSV files.

    Raises:
        ValueError: a row's status is not in `STATUSES`.
    """
    protocol = environment.get("protocol", "")
    key = (environment.get("kind"), task(environment), protocol)
    rows = [row for path in sorted(folder.glob("*.csv")) for row in _rows(path)]
    return [
        row
        for row in rows
        if (row.environment, row.task, row.protocol) == key and row.status != "recalled"
    ]


def _rows(path: Path) -> Sequence[Published]:
    with path.open(newline="", encoding="utf-8") as file:
        found = []
        for row in csv.DictReader(file):
            if row["status"] not in STATUSES:
                raise ValueError(
                    f"{path}: status must be one of {', '.join(STATUSES)}, got "
                    f"{row['status']!r}"
                )
            types = Published.__annotations__
            found.append(Published(**{name: types[name](row[name]) for name in types}))
    return found
