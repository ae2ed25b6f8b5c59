"""Classic control and LunarLander, from gymnasium, with the time limits it sets.

Protocol `dopamine` preprocesses as Dopamine does: features are scaled to [-1, 1] by
`BOUNDS`, and the learner's rewards are clipped to [-1, 1]. Reported returns are raw
under both protocols. A time limit truncates the episode, so that agents bootstrap from
its last state; TensorFlow's Dopamine stores it as the end of the task, as
`--agent.storage.terminal_at_time_limit true` does.

Source: Dopamine, `discrete_domains/gym_lib.py` (bounds) and `run_experiment.py`
(clipping, in every environment).
"""

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from environments import vector
from environments.checks import check_choice

if TYPE_CHECKING:
    from environments.gymnasium_adapter import Gym

Name = Literal["CartPole-v1", "Acrobot-v1", "MountainCar-v0", "LunarLander-v3"]
ProtocolName = Literal["gymnasium", "dopamine"]

# Lower and upper bound of each feature, which become -1 and 1. Features beyond their
# bounds are scaled beyond [-1, 1]. LunarLander's features are not scaled.
BOUNDS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "CartPole-v1": (
        (-2.4, -5.0, -math.pi / 12, -2 * math.pi),
        (2.4, 5.0, math.pi / 12, 2 * math.pi),
    ),
    "Acrobot-v1": (
        (-1.0, -1.0, -1.0, -1.0, -5.0, -5.0),
        (1.0, 1.0, 1.0, 1.0, 5.0, 5.0),
    ),
    "MountainCar-v0": ((-1.2, -0.07), (0.6, 0.07)),
}


@dataclass(frozen=True)
class Classic:
    """A small environment of gymnasium with discrete actions.

    Attributes:
        name: as gymnasium registers it. Steps before truncation: CartPole-v1 and
            Acrobot-v1 500, MountainCar-v0 200, LunarLander-v3 1,000.
        protocol: `gymnasium`: raw features and rewards; `dopamine`: features scaled,
            the learner's rewards clipped.
    """

    name: Name = "CartPole-v1"
    protocol: ProtocolName = "gymnasium"

    def __post_init__(self) -> None:
        check_choice("environment.protocol", self.protocol, get_args(ProtocolName))
        check_choice("environment.name", self.name, get_args(Name))


def make(
    config: Classic, num_environments: int, seed: int, evaluation: bool = False
) -> vector.Batched:
    """N environments, each with its own seed; observations are float32."""
    seeds = vector.lane_seeds(num_environments, seed)
    clip = 1.0 if config.protocol == "dopamine" else None
    return vector.Batched([make_one(config, seed) for seed in seeds], clip)


def make_one(config: Classic, seed: int, *, rendered: bool = False) -> "Gym":
    """One environment.

    Args:
        config: which environment.
        seed: of all randomness.
        rendered: whether its `render` must work.
    """
    import gymnasium

    from environments.gymnasium_adapter import Gym

    if rendered:  # pygame draws: without a screen and without its greeting
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    environment = gymnasium.make(
        config.name,
        render_mode="rgb_array" if rendered else None,
        disable_env_checker=True,  # it would check every step; here the tests do
    )
    return Gym(environment, seed, _scaling(config))


def _scaling(config: Classic) -> tuple[np.ndarray, np.ndarray] | None:
    """Factor and offset that take each feature's bounds to -1 and 1, or None."""
    if config.protocol != "dopamine" or config.name not in BOUNDS:
        return None
    low, high = np.array(BOUNDS[config.name])
    factor = 2 / (high - low)
    return factor.astype(np.float32), (-1 - factor * low).astype(np.float32)
