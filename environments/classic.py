"""Classic control and LunarLander, from gymnasium, with the time limits it sets."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from environments import vector
from environments.choices import check_choice

if TYPE_CHECKING:
    from environments.gym import Gym

Name = Literal["CartPole-v1", "Acrobot-v1", "MountainCar-v0", "LunarLander-v3"]


@dataclass(frozen=True)
class Classic:
    """A small environment of gymnasium with discrete actions and raw rewards.

    Attributes:
        name: as gymnasium registers it. Steps before truncation: CartPole-v1 and
            Acrobot-v1 500, MountainCar-v0 200, LunarLander-v3 1,000.
    """

    name: Name = "CartPole-v1"

    def __post_init__(self) -> None:
        check_choice("environment.name", self.name, get_args(Name))


def make(config: Classic, num_environments: int, seed: int) -> vector.Batched:
    """N environments, each with a seed of its own; observations are float32."""
    seeds = vector.lane_seeds(num_environments, seed)
    return vector.Batched([make_one(config, seed) for seed in seeds])


def make_one(config: Classic, seed: int, *, rendered: bool = False) -> "Gym":
    """One environment.

    Args:
        config: which.
        seed: of all randomness.
        rendered: whether its `render` is to work.
    """
    import gymnasium

    from environments.gym import Gym

    if rendered:  # pygame draws; it needs no screen and is to greet nobody
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    environment = gymnasium.make(
        config.name,
        render_mode="rgb_array" if rendered else None,
        disable_env_checker=True,  # it would test every step; here the tests do
    )
    return Gym(environment, seed)
