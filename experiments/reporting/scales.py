"""Scales that make returns of different tasks comparable: two returns per task.

The numbers of Atari and MinAtar are in `published/normalisation`, with their sources;
D4RL's are in `launch.datasets.d4rl_scores`.
"""

import csv
import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

from experiments.reporting import published
from launch.datasets import d4rl_scores

NORMALISATION = published.PUBLISHED / "normalisation"

HUMAN = "human-normalised"
DQN = "DQN-normalised"
D4RL = "D4RL score / 100"
SHARE = "share of the best return"

MEANINGS = {
    HUMAN: "0 is the return of random play, 1 that of a human (DQN Zoo's numbers; "
    "rliable's differ in Video Pinball, where random play scores 0 instead of 16,257)",
    DQN: "0 is the return of random play, 1 that of published DQN at its end",
    D4RL: "0 is the return of D4RL's random policy, 1 that of its expert; datasets "
    "that `munchausen collect` made are not D4RL's",
    SHARE: "1 is the best possible return, of 1 a step",
}

# What has the returns at 0 and at 1.
ENDS = {
    HUMAN: ("random play", "a human"),
    DQN: ("random play", "DQN, published"),
    D4RL: ("D4RL's random policy", "D4RL's expert"),
    SHARE: ("the worst possible", "the best possible"),
}


class Scale(NamedTuple):
    """The returns that score 0, such as random play's, and 1."""

    low: float
    high: float


def scales(environment: Mapping[str, Any]) -> dict[str, Scale]:
    """The scales of a task by name; none if no reference returns are known.

    Args:
        environment: its configuration as plain data.
    """
    kind, task = environment["kind"], published.task(environment)
    if kind in ("Atari", "MinAtar"):
        row = _rows(kind.lower()).get(task, {})
        low = row.get("random")
        named = {HUMAN: row.get("human"), DQN: row.get("dqn")}
        return {
            name: Scale(float(low), float(high))
            for name, high in named.items()
            if low and high and float(low) != float(high)  # as in Montezuma's Revenge
        }
    if kind in ("Locomotion", "Adroit"):
        reference = d4rl_scores.reference(task)
        return {D4RL: Scale(*reference)} if reference else {}
    return {SHARE: Scale(0.0, 1000.0)} if kind == "ControlSuite" else {}


def random_return(environment: Mapping[str, Any]) -> float | None:
    """The return of random play on a task, at which its scales begin; None: unknown.

    The scale of the control suite begins at the least return that there can be.
    """
    found = scales(environment)
    return next((scale.low for name, scale in found.items() if name != SHARE), None)


@functools.cache
def _rows(name: str) -> dict[str, dict[str, str]]:
    with (NORMALISATION / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return {row["task"]: row for row in csv.DictReader(file)}
