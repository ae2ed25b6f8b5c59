"""Checks that timesteps and metrics are finite numbers; others end a run."""

import math
from collections.abc import Mapping
from typing import Any

import dm_env
import numpy as np

from launch.errors import NotFinite

_FEW = 32  # up to this size, Python's sum is faster than numpy's under errstate


def check_timestep(timestep: dm_env.TimeStep, actor_steps: int) -> None:
    """Raises NotFinite if a lane's reward, discount or observation is NaN or infinite.

    The sum of each array is checked first, because this is a hot path. Integers are
    always finite.
    """
    for name in ("reward", "discount", "observation"):
        values = getattr(timestep, name)
        if values.dtype.kind != "f" or _sums_to_a_number(values):
            continue
        finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        for lane in np.flatnonzero(~finite):
            raise NotFinite(
                f"the environment returned a non-finite {name} of {values[lane]} in "
                f"lane {lane} at actor step {actor_steps}"
            )


def check_scores(scores: np.ndarray, actor_steps: int) -> None:
    """Raises NotFinite if a score `[N, K]` of a further action is NaN or infinite."""
    for lane, number in np.argwhere(~np.isfinite(scores)):
        raise NotFinite(
            f"the environment returned a non-finite score of {scores[lane, number]} in "
            f"lane {lane} at actor step {actor_steps}"
        )


def _sums_to_a_number(values: np.ndarray) -> bool:
    if values.size <= _FEW:
        return math.isfinite(sum(values.ravel().tolist()))
    with np.errstate(invalid="ignore", over="ignore"):  # infinities may cancel
        return math.isfinite(values.sum())


def check_one_number_each(metrics: Mapping[str, Any]) -> None:
    """Raises NotFinite if a metric of an agent is an array; see `Agent.update`."""
    for name, value in metrics.items():
        shape = getattr(value, "shape", ())
        if shape != ():
            raise NotFinite(
                f"the metric {name} must be one finite number, got an array of shape "
                f"{list(shape)}: let the agent's update return its mean"
            )


def check_metrics(metrics: Mapping[str, float], learner_steps: int) -> None:
    """Raises NotFinite if a metric is NaN or infinite; a loss names its network.

    Losses come first: others follow from them. Metrics are looked at when they are
    logged or saved, so they may have been NaN before `learner_steps`.
    """
    losses_first = sorted(metrics, key=lambda name: not name.endswith("_loss"))
    for name in losses_first:
        if not math.isfinite(metrics[name]):
            what = f"loss of network {name[:-5]}" if name.endswith("_loss") else name
            raise NotFinite(
                f"{what} is {metrics[name]} at learner step {learner_steps}; it may "
                "have been so since the last log row"
            )
