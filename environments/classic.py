"""Classic control and LunarLander, from gymnasium, with the time limits it sets."""

from dataclasses import dataclass
from typing import Literal, get_args

from environments import vector
from environments.choices import check_choice

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
    import gymnasium

    from environments.gym import Gym

    def single(seed: int) -> Gym:
        # The checker would test every step; here the tests do.
        environment = gymnasium.make(config.name, disable_env_checker=True)
        return Gym(environment, seed)

    seeds = vector.lane_seeds(num_environments, seed)
    return vector.Batched([single(seed) for seed in seeds])
