"""The Adroit hand tasks, with the rewards and terminations that papers use.

Rajeswaran et al., "Learning Complex Dexterous Manipulation with Deep Reinforcement
Learning and Demonstrations", RSS 2018, https://arxiv.org/abs/1709.10087. Papers report
version 0 of the tasks, as in D4RL (`d4rl/hand_manipulation_suite`). It needs the
retired mujoco-py, so this module simulates gymnasium-robotics 1.4.2 and corrects these
differences:

| task | gymnasium-robotics 1.4.2 | D4RL, and here |
| --- | --- | --- |
| door, hammer, relocate | +0.1 for each metre between palm and object | -0.1 |
| pen | continues when the pen is dropped | terminates |
| pen | 200 steps | 100 steps |

The simulator is MuJoCo 3 instead of 1.5 or 2, so returns are close, not equal.
"""

import contextlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from environments import mujoco_library, vector
from environments.checks import check_choice

if TYPE_CHECKING:
    from environments.gymnasium_adapter import Gym

Name = Literal["door", "hammer", "pen", "relocate"]

EPISODE_STEPS = {"door": 200, "hammer": 200, "pen": 100, "relocate": 200}
_DROPPED = 0.075  # metres: the height below which the pen has left the hand


@dataclass(frozen=True)
class Adroit:
    """A task of the 24-jointed hand with dense raw rewards and actions in [-1, 1].

    Attributes:
        name: `pen` turns it to a given direction (24 actions, 100 steps), `door` opens
            it (28), `hammer` drives a nail in (26), `relocate` carries a ball (30); 200
            steps each.
    """

    name: Name = "pen"

    def __post_init__(self) -> None:
        check_choice("environment.name", self.name, get_args(Name))


def revise_door(
    observation: np.ndarray, reward: float, terminated: bool
) -> tuple[float, bool]:
    """Turns the bonus for the distance between palm and handle into a penalty."""
    return reward - 0.2 * float(np.linalg.norm(observation[35:38])), terminated


def revise_hammer(
    observation: np.ndarray, reward: float, terminated: bool
) -> tuple[float, bool]:
    """Turns the bonus for the distance between palm and hammer into a penalty."""
    distance = np.linalg.norm(observation[33:36] - observation[36:39])
    return reward - 0.2 * float(distance), terminated


def revise_relocate(
    observation: np.ndarray, reward: float, terminated: bool
) -> tuple[float, bool]:
    """Turns the bonus for the distance between palm and ball into a penalty."""
    return reward - 0.2 * float(np.linalg.norm(observation[30:33])), terminated


def revise_pen(
    observation: np.ndarray, reward: float, terminated: bool
) -> tuple[float, bool]:
    """Terminates when the pen is dropped; the reward already has the penalty."""
    return reward, terminated or bool(observation[26] < _DROPPED)


_REVISIONS = {
    "door": revise_door,
    "hammer": revise_hammer,
    "pen": revise_pen,
    "relocate": revise_relocate,
}


def make(
    config: Adroit, num_environments: int, seed: int, evaluation: bool = False
) -> vector.Batched:
    """N environments, each with its own seed; observations are float32."""
    seeds = vector.lane_seeds(num_environments, seed)
    return vector.Batched([make_one(config, seed) for seed in seeds])


def make_one(config: Adroit, seed: int, *, rendered: bool = False) -> "Gym":
    """One environment.

    Args:
        config: which task.
        seed: of all randomness.
        rendered: whether its `render` must work.
    """
    mujoco_library.check()
    import gymnasium

    # Hides its warning about rewards, which are corrected here.
    with contextlib.redirect_stderr(io.StringIO()):
        import gymnasium_robotics

    from environments.gymnasium_adapter import Gym

    gymnasium.register_envs(gymnasium_robotics)
    environment = gymnasium.make(
        f"AdroitHand{config.name.capitalize()}-v1",
        max_episode_steps=EPISODE_STEPS[config.name],
        render_mode="rgb_array" if rendered else None,
        disable_env_checker=True,  # it would check every step; here the tests do
        reward_type="dense",
    )
    return Gym(environment, seed, revise=_REVISIONS[config.name])
