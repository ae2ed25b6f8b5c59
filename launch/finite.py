"""What can end a run before its time."""

import math
from collections.abc import Mapping

import dm_env
import numpy as np

from launch.errors import NotFinite

_FEW = 32  # numbers that Python adds up faster than numpy silences its warnings


def check_timestep(timestep: dm_env.TimeStep, actor_steps: int) -> None:
    """Raises NotFinite if a lane's reward, discount or observation is NaN or infinite.

    Sums are checked first: one number tells about all, and it is the hot path. Integers
    are always finite.
    """
    for name in ("reward", "discount", "observation"):
        values = getattr(timestep, name)
        if values.dtype.kind != "f" or _sums_to_a_number(values):
            continue
        finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        for lane in np.flatnonzero(~finite):
            raise NotFinite(
                f"the environment gave a {name} of {values[lane]} in lane {lane} at "
                f"actor step {actor_steps}"
            )


def _sums_to_a_number(values: np.ndarray) -> bool:
    if values.size <= _FEW:
        return math.isfinite(sum(values.ravel().tolist()))
    with np.errstate(invalid="ignore", over="ignore"):  # infinities may cancel
        return math.isfinite(values.sum())


def check_metrics(metrics: Mapping[str, float], learner_steps: int) -> None:
    """Raises NotFinite if a metric is NaN or infinite; a loss names its network."""
    for name, value in metrics.items():
        if not math.isfinite(value):
            what = f"loss of network {name[:-5]}" if name.endswith("_loss") else name
            raise NotFinite(f"{what} is {value} at learner step {learner_steps}")
