"""Sorts the runs of a report by the tasks of a suite and by agent."""

from collections.abc import Container, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from experiments.catalogue.suites import Suite
from experiments.catalogue.tasks import Task
from experiments.reporting import (
    formats,
    plain_text,
    published,
    setting_differences,
    suite_labels,
)
from experiments.reporting.read_runs import Group
from launch.errors import RunDirectoryError
from launch.runs import serialization


class Played(NamedTuple):
    """The runs of one task.

    Attributes:
        name: of the task.
        environment: its configuration, as published numbers name it.
        agents: the seeds of each agent, by label.
        step: at which agents are compared: the last evaluation that the complete runs
            of each agent have, or all of its runs if none is complete.
    """

    name: str
    environment: Mapping[str, Any]
    agents: dict[str, Group]
    step: int

    def returns(self, label: str) -> dict[int, float]:
        """Mean return at `step` of each seed that has come so far."""
        if label not in self.agents:
            return {}
        rows = {
            run.experiment["seed"]: [
                row.mean_return for row in run.evaluations if row.grid <= self.step
            ]
            for run in self.agents[label].runs
            if run.end >= self.step
        }
        return {seed: own[-1] for seed, own in rows.items() if own}

    def mean(self, label: str) -> float | None:
        """Mean return over seeds; None without any."""
        returns = list(self.returns(label).values())
        return float(np.mean(returns)) if returns else None

    @property
    def reached(self) -> str:
        """The step with its unit: `50k actor steps`."""
        return f"{formats.steps(self.step)} {self.counted} steps"

    @property
    def counted(self) -> str:
        """Which steps the runs count: `actor` or `learner`."""
        return next(iter(self.agents.values())).runs[0].counted


class SuiteRuns(NamedTuple):
    """The runs of a suite.

    Attributes:
        played: each task that some agent was trained on, in the suite's order.
        labels: of all agents.
        missing: a line for each run of no task, then for each task or seed that is
            missing.
    """

    played: list[Played]
    labels: list[str]
    missing: list[str]

    def returns(self) -> dict[str, dict[str, list[float]]]:
        """Returns of all seeds by agent and task."""
        return {
            label: {one.name: list(one.returns(label).values()) for one in self.played}
            for label in self.labels
        }


def sort(groups: Iterable[Group], suite_name: str, suite: Suite) -> SuiteRuns:
    """Finds the task and the agent of each group of runs.

    A run belongs to a task if their environments are equal, and the qualities of their
    datasets; other settings distinguish agents. Groups of no task are named.

    Raises:
        RunDirectoryError: no run is of a task of the suite.
    """
    every = list(groups)
    plain = {
        name: serialization.to_plain(task.environment.config())
        for name, task in suite.tasks.items()
    }
    found = {
        name: [
            group
            for group in every
            if _is_of(group.runs[0].experiment, plain[name], task)
        ]
        for name, task in suite.tasks.items()
    }
    if not any(found.values()):
        raise RunDirectoryError(
            f"suite {suite_name} needs runs of its tasks, and none of the runs is of "
            f"one: {', '.join(suite.tasks)}"
        )
    labels = suite_labels.labels(found)
    played = []
    for name, own in found.items():
        agents = {labels[id(group)]: group for group in own}
        if agents:
            step = min(map(_compared, own))
            environment = published.environment(own[0].runs[0].experiment)
            played.append(Played(name, environment, agents, step))
    order = list(dict.fromkeys(label for one in played for label in one.agents))
    lacking = _of_no_task(every, labels, suite_name)
    lacking += [f"{name}: no run" for name, own in found.items() if not own]
    for one in played:
        lacking += [*_short(one), *_missing(one, order, played)]
    return SuiteRuns(played, order, lacking)


def _of_no_task(
    groups: Iterable[Group], placed: Container[int], suite_name: str
) -> list[str]:
    """A line for each group that is left out, since it is of no task of the suite."""
    lines = []
    for group in groups:
        if id(group) in placed:
            continue
        experiment = group.runs[0].experiment
        seeds = [str(run.experiment["seed"]) for run in group.runs]
        noun = "seed" if len(seeds) == 1 else "seeds"
        lines.append(
            plain_text.one_line(
                f"left out: {experiment['name']}, {noun} {formats.enumeration(seeds)}: "
                f"{setting_differences.title(experiment)} is no task of {suite_name}"
            )
        )
    return lines


def _is_of(experiment: Mapping[str, Any], environment: Any, task: Task) -> bool:
    """Whether a run is of a task; runs of earlier versions lack some fields."""
    own, dataset = experiment["environment"], experiment.get("dataset", "")
    return (
        own.get("kind") == environment["kind"]
        and all(own.get(name, value) == value for name, value in environment.items())
        and bool(dataset) == bool(task.dataset)
        and published.quality(dataset) == published.quality(task.dataset)
    )


def _compared(group: Group) -> int:
    """The last step at which an agent's runs can be compared with others.

    A run that ended early shortens only itself, unless no run is complete.
    """
    complete = [run.end for run in group.runs if run.complete]
    return min(complete or [run.end for run in group.runs])


def _short(one: Played) -> list[str]:
    """A line for each agent before whose end the other agents are compared."""
    ends = {label: _compared(group) for label, group in one.agents.items()}
    further = formats.steps(max(ends.values()))
    return [
        f"{one.name}: no result of {label} after {one.reached}, so all agents are "
        f"compared there; others have {further}"
        for label, end in ends.items()
        if end == one.step < max(ends.values())
    ]


def _missing(one: Played, labels: list[str], played: list[Played]) -> list[str]:
    """A line for each agent, and for the seeds of an agent, without a result here."""
    lines = []
    for label in labels:
        groups = [each.agents[label] for each in played if label in each.agents]
        everywhere = {run.experiment["seed"] for group in groups for run in group.runs}
        lacking = sorted(everywhere - set(one.returns(label)))
        if label not in one.agents:
            lines.append(f"{one.name}: no run of {label}")
        elif lacking:
            noun = "seed" if len(lacking) == 1 else "seeds"
            which = formats.enumeration([str(seed) for seed in lacking])
            lines.append(f"{one.name}: no result of {noun} {which} of {label}")
    return lines
