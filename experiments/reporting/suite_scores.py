"""Aggregates an agent's normalised scores over the tasks of a suite.

The statistics and their intervals are rliable's: Agarwal et al., "Deep Reinforcement
Learning at the Edge of the Statistical Precipice", NeurIPS 2021,
https://arxiv.org/abs/2108.13264.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments.reporting import bootstrap
from experiments.reporting.statistics import Curve, Estimate

Scores = Mapping[str, Sequence[float]]  # an agent's scores, one for each seed, by task


class Aggregates(NamedTuple):
    """Statistics of one agent over tasks that all compared agents have.

    Attributes:
        mean: of all scores.
        median: over tasks, of the mean over seeds.
        iqm: interquartile mean over all seeds and tasks.
        optimality_gap: mean amount by which scores fall short of 1.
    """

    mean: Estimate
    median: Estimate
    iqm: Estimate
    optimality_gap: Estimate


class Selection(NamedTuple):
    """The scores that enter the aggregates, and what had to be left out.

    Attributes:
        tasks: that all agents have, in order.
        seeds: of each agent, the smallest number that it has on any of these tasks.
        scores: `[seeds, tasks]` by agent.
        left_out: a line for each task or seed that does not enter.
    """

    tasks: list[str]
    seeds: dict[str, int]
    scores: dict[str, np.ndarray]
    left_out: list[str]


def normalise(score: float, low: float, high: float) -> float:
    """The score on a scale with 0 at `low` and 1 at `high`, such as random and human.

    Raises:
        ValueError: `low` and `high` are equal.
    """
    if low == high:
        raise ValueError(f"a scale must have two different ends, got {low} twice")
    return (score - low) / (high - low)


def select(agents: Mapping[str, Scores], tasks: Sequence[str]) -> Selection:
    """Chooses tasks and seeds so that every agent has a complete table.

    Nothing is filled in: a task that one agent lacks is left out for all agents, and an
    agent's seeds beyond the number that it has on every task are left out.

    Args:
        agents: scores by agent.
        tasks: of the suite.

    Raises:
        ValueError: the agents have no task in common.
    """
    left_out = [
        f"{task}: no run of {', '.join(missing)}"
        for task in tasks
        if (
            missing := [name for name, scores in agents.items() if not scores.get(task)]
        )
    ]
    common = [task for task in tasks if all(each.get(task) for each in agents.values())]
    if not common:
        raise ValueError("the agents must have a task in common, got none")
    seeds, tables = {}, {}
    for name, scores in agents.items():
        seeds[name] = min(len(scores[task]) for task in common)
        tables[name] = np.array(
            [list(scores[task])[: seeds[name]] for task in common]
        ).T
        left_out += [
            f"{task}: {len(scores[task]) - seeds[name]} of {len(scores[task])} seeds "
            f"of {name}, which has {seeds[name]} on another task"
            for task in common
            if len(scores[task]) > seeds[name]
        ]
    return Selection(common, seeds, tables, left_out)


def aggregates(scores: np.ndarray) -> Aggregates:
    """Statistics of one agent with 95 % intervals of a bootstrap stratified by task.

    Args:
        scores: `[seeds, tasks]`. With one seed there is nothing to draw from, and the
            intervals are None.
    """
    from rliable import metrics

    statistics = (
        metrics.aggregate_mean,
        metrics.aggregate_median,
        metrics.aggregate_iqm,
        metrics.aggregate_optimality_gap,
    )
    estimates = bootstrap.estimates(
        [scores],
        lambda drawn: np.array([statistic(drawn) for statistic in statistics]),
    )
    return Aggregates(*estimates)


def probability_of_improvement(scores: np.ndarray, others: np.ndarray) -> Estimate:
    """Probability that a random run scores above a random run of another agent.

    Args:
        scores: `[seeds, tasks]`.
        others: `[other seeds, tasks]` of the agent compared with.

    Returns:
        The mean over tasks, where ties count half.
    """
    return bootstrap.estimates(
        [scores, others], lambda one, other: np.array([_share_of_wins(one, other)])
    )[0]


def _share_of_wins(scores: np.ndarray, others: np.ndarray) -> float:
    """As rliable's metric, with which a bootstrap over 57 games takes minutes."""
    one, other = scores[:, None], others[None]
    return float(((one > other) + 0.5 * (one == other)).mean())


def improvement(score: float, baseline: float, random: float) -> float | None:
    """Gain over a baseline, in units of the baseline's distance from random play.

    Figure 4 of "Munchausen Reinforcement Learning": (score - baseline) / |baseline -
    random|. None if the baseline is as good as random play.
    """
    distance = abs(baseline - random)
    return (score - baseline) / distance if distance else None


def profile(scores: np.ndarray, thresholds: np.ndarray) -> Curve:
    """Share of runs above each threshold, over all seeds and tasks, with intervals.

    Args:
        scores: `[seeds, tasks]`.
        thresholds: `[X]`.
    """
    found = bootstrap.estimates(
        [scores],
        lambda drawn: (drawn[None] > thresholds[:, None, None]).mean(axis=(1, 2)),
    )
    return bootstrap.curve(thresholds, found)
