"""Reads run directories, and groups the runs that differ only in their seed."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.reporting import find_runs, plain_text, read_run, setting_differences
from experiments.reporting.read_run import Run
from launch.errors import RunDirectoryError

_SHOWN = 4  # fields in a label


class Group(NamedTuple):
    """The seeds of one agent.

    Attributes:
        label: distinguishes the group from the others on the same environment.
        runs: at least one, by seed.
    """

    label: str
    runs: list[Run]

    @property
    def settings(self) -> dict[str, str]:
        """The experiment's fields by dotted path, without seed and similar fields."""
        return setting_differences.flat(self.runs[0].experiment)


class Readable(NamedTuple):
    """The runs that can be read, each once.

    Attributes:
        runs: with evaluations; a run and its copies count once.
        left_out: one sentence for each other run.
        points: one sentence for each run of which points were left out.
    """

    runs: list[Run]
    left_out: list[str]
    points: list[str]


class Reading(NamedTuple):
    """The runs found at some paths.

    Attributes:
        groups: groups with evaluations, by environment in the order of the paths.
        left_out: one sentence for each run or folder that was left out.
        incomplete: one sentence for each run that is shown but not complete.
        changed: one sentence for each time that a run resumed with other settings.
        points: one sentence for each run of which points were left out.
    """

    groups: dict[str, list[Group]]
    left_out: list[str]
    incomplete: list[str]
    changed: list[str]
    points: list[str]


def read(paths: Sequence[str]) -> Reading:
    """Reads the runs at some paths and at every depth below them.

    Raises:
        RunDirectoryError: a path does not exist, or no run can be shown.
    """
    found = find_runs.find(paths)
    each = read_each(found.runs)
    left_out = [*found.left_out, *each.left_out]
    environments: dict[str, list[list[Run]]] = {}
    shown = []
    for runs in _by_identity(each.runs):
        kept, sentences = _one_per_seed(runs)
        left_out += sentences
        shown += kept
        title = plain_text.one_line(setting_differences.title(kept[0].experiment))
        environments.setdefault(title, []).append(kept)
    if not shown:
        raise RunDirectoryError(none_shown(left_out))
    groups = {title: _label(members) for title, members in environments.items()}
    incomplete = [run.progress for run in shown if not run.complete]
    changed = [sentence for run in shown for sentence in run.changes]
    return Reading(groups, left_out, incomplete, changed, each.points)


def read_each(directories: Sequence[Path]) -> Readable:
    """Reads run directories; of a run and its copies, the one with the most steps."""
    found = Readable([], [], [])
    best: dict[tuple[str, ...], Run] = {}
    runs: list[Run] = []
    for directory in directories:
        try:
            runs.append(read_run.read(directory, found.points))
        except RunDirectoryError as error:
            found.left_out.append(plain_text.one_line(error))
    for run in runs:
        other = best.setdefault(_start(run), run)
        if run.clock > other.clock:
            best[_start(run)] = run
    for run in runs:
        kept = best[_start(run)]
        if run is kept:
            found.runs.append(run)
        else:
            found.left_out.append(
                _second(run, "has the same experiment, seed and start as", kept)
            )
    return found


def _start(run: Run) -> tuple[str, ...]:
    """What a run is and when and where it began: equal for a run and its copy."""
    known = [str(run.config.get(name)) for name in ("started", "machine", "command")]
    alone = [] if "started" in run.config else [str(run.directory)]
    return (_identity(run), str(run.experiment["seed"]), *known, *alone)


def _second(run: Run, relation: str, kept: Run) -> str:
    first, second = map(plain_text.one_line, (run.directory, kept.directory))
    return f"{first} {relation} {second}"


def none_shown(reasons: Sequence[str]) -> str:
    """One line with the reasons why no run can be shown, or with the first of them."""
    if len(reasons) == 1:
        return reasons[0]
    more = f"; and {len(reasons) - _SHOWN:,} more" if len(reasons) > _SHOWN else ""
    return f"no run can be shown: {'; '.join(reasons[:_SHOWN])}{more}"


def _by_identity(runs: Iterable[Run]) -> list[list[Run]]:
    """Groups the runs whose settings are equal, except for seed and similar fields."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(_identity(run), []).append(run)
    return list(found.values())


def _identity(run: Run) -> str:
    return json.dumps(setting_differences.flat(run.experiment), sort_keys=True)


def _one_per_seed(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """The run of each seed with the most steps (the newest if equal), by seed.

    Also returns a sentence for each other run.
    """
    best: dict[int, Run] = {}
    for run in runs:
        other = best.setdefault(run.experiment["seed"], run)
        if _order(run) > _order(other):
            best[run.experiment["seed"]] = run
    sentences = [
        _second(run, f"repeats seed {run.experiment['seed']} of", kept)
        for run in runs
        if run is not (kept := best[run.experiment["seed"]])
    ]
    return [best[seed] for seed in sorted(best)], sentences


def _order(run: Run) -> tuple[int, str]:
    return run.clock, str(run.config.get("started", ""))


def _label(members: Sequence[list[Run]]) -> list[Group]:
    """Labels groups with the shortest names that distinguish them."""
    experiments = [runs[0].experiment for runs in members]
    for field in ("agent_name", "name"):
        names = [plain_text.one_line(each[field]) for each in experiments]
        if len(set(names)) == len(names):
            return [Group(*pair) for pair in zip(names, members, strict=True)]
    pairs = {(each["agent_name"], each["name"]) for each in experiments}
    field = "agent_name" if len(pairs) == len({agent for agent, _ in pairs}) else "name"
    flat = [setting_differences.flat(experiment) for experiment in experiments]
    commands = [str(runs[0].config.get("command", "")) for runs in members]
    labels: list[str] = []
    for own, experiment in zip(flat, experiments, strict=True):
        rivals = [each for each in flat if each["name"] == own["name"]]
        telling = setting_differences.telling(rivals, " ".join(commands), _SHOWN)
        shown = [
            f"{setting_differences.short(path, own)} {own[path]}"
            for path in telling
            if path in own
        ]
        label = plain_text.one_line(", ".join([experiment[field], *shown]))
        labels.append(f"{label} #{len(labels) + 1}" if label in labels else label)
    return [Group(*pair) for pair in zip(labels, members, strict=True)]
