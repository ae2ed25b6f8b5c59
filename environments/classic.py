"""Classic control and LunarLander, from gymnasium, with the time limits it sets.

Protocol `dopamine` is how Dopamine's agents see them: features scaled to [-1, 1] by the
bounds of `BOUNDS`, rewards that are learnt from clipped to [-1, 1]. Returns are raw
under both.

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

# Lower and upper value of each feature, which become -1 and 1; an environment may leave
# them, and then so do the scaled features. LunarLander's features stay as they are.
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
        protocol: `gymnasium`: features and rewards as they are; `dopamine`: features
            scaled, rewards clipped.
    """

    name: Name = "CartPole-v1"
    protocol: ProtocolName = "gymnasium"

    def __post_init__(self) -> None:
        check_choice("environment.protocol", self.protocol, get_args(ProtocolName))
        check_choice("environment.name", self.name, get_args(Name))


def make(
    config: Classic, num_environments: int, seed: int, evaluation: bool = False
) -> vector.Batched:
    """N environments, each with a seed of its own; observations are float32."""
    seeds = vector.lane_seeds(num_environments, seed)
    clip = 1.0 if config.protocol == "dopamine" else None
    return vector.Batched([make_one(config, seed) for seed in seeds], clip)


def make_one(config: Classic, seed: int, *, rendered: bool = False) -> "Gym":
    """One environment.

    Args:
        config: which.
        seed: of all randomness.
        rendered: whether its `render` is to work.
    """
    import gymnasium

    from environments.gymnasium_adapter import Gym

    if rendered:  # pygame draws; it needs no screen and is to greet nobody
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    environment = gymnasium.make(
        config.name,
        render_mode="rgb_array" if rendered else None,
        disable_env_checker=True,  # it would test every step; here the tests do
    )
    return Gym(environment, seed, _scaling(config))


def _scaling(config: Classic) -> tuple[np.ndarray, np.ndarray] | None:
    """Factor and offset that take each feature's bounds to -1 and 1, or None."""
    if config.protocol != "dopamine" or config.name not in BOUNDS:
        return None
    low, high = np.array(BOUNDS[config.name])
    factor = 2 / (high - low)
    return factor.astype(np.float32), (-1 - factor * low).astype(np.float32)
