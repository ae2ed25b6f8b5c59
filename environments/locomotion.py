"""MuJoCo's locomotion and manipulation tasks from gymnasium, with its time limits.

Environments step one after the other: a MuJoCo step takes 0.1 to 0.7 ms and the update
that follows it 5 ms on the same cores, so lanes in separate threads or processes would
gain little within an actor. Actors are processes already.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from environments import mujoco_library, vector
from environments.checks import check_choice

if TYPE_CHECKING:
    from environments.gymnasium_adapter import Gym

Name = Literal[
    "Ant-v5",
    "HalfCheetah-v5",
    "Hopper-v5",
    "Humanoid-v5",
    "HumanoidStandup-v5",
    "InvertedDoublePendulum-v5",
    "InvertedPendulum-v5",
    "Pusher-v5",
    "Reacher-v5",
    "Swimmer-v5",
    "Walker2d-v5",
]


@dataclass(frozen=True)
class Locomotion:
    """A MuJoCo environment of gymnasium with raw rewards and actions in [-1, 1].

    Version 5 differs from the versions that most papers report: Hopper, Walker2d and
    Ant give the reward for being healthy only while healthy, Ant always has the contact
    cost and observes contact forces, and the feet of Walker2d have equal friction.
    HalfCheetah has not changed since version 1.

    Attributes:
        name: as gymnasium registers it. Steps before truncation: 1,000, but 50 for
            Reacher-v5 and 100 for Pusher-v5.
    """

    name: Name = "Hopper-v5"

    def __post_init__(self) -> None:
        check_choice("environment.name", self.name, get_args(Name))


def make(
    config: Locomotion, num_environments: int, seed: int, evaluation: bool = False
) -> vector.Batched:
    """N environments, each with its own seed; observations are float32."""
    seeds = vector.lane_seeds(num_environments, seed)
    return vector.Batched([make_one(config, seed) for seed in seeds])


def make_one(config: Locomotion, seed: int, *, rendered: bool = False) -> "Gym":
    """One environment.

    Args:
        config: which environment.
        seed: of all randomness.
        rendered: whether its `render` must work.
    """
    mujoco_library.check()
    import gymnasium

    from environments.gymnasium_adapter import Gym

    environment = gymnasium.make(
        config.name,
        render_mode="rgb_array" if rendered else None,
        disable_env_checker=True,  # it would check every step; here the tests do
    )
    return Gym(environment, seed)
