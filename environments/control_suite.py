"""The DeepMind control suite, with the time limits it sets.

Tassa et al., "DeepMind Control Suite", 2018, https://arxiv.org/abs/1801.00690.
"""

import functools
import os
import platform
import warnings
from ctypes.util import find_library
from dataclasses import dataclass
from importlib import util
from typing import Any

import dm_env
import numpy as np
from dm_env import specs

from environments import mujoco_library, vector
from environments.action_scaling import Canonical
from environments.checks import check_choice

_SIZE = 480  # pixels of a picture's sides, as gymnasium draws

# All 51 tasks of the suite except the two linear quadratic regulators, whose actions
# have no bounds.
NAMES = tuple(
    f"{domain}-{task}"
    for domain, tasks in {
        "acrobot": ("swingup", "swingup_sparse"),
        "ball_in_cup": ("catch",),
        "cartpole": (
            "balance",
            "balance_sparse",
            "swingup",
            "swingup_sparse",
            "two_poles",
            "three_poles",
        ),
        "cheetah": ("run",),
        "dog": ("stand", "walk", "trot", "run", "fetch"),
        "finger": ("spin", "turn_easy", "turn_hard"),
        "fish": ("upright", "swim"),
        "hopper": ("stand", "hop"),
        "humanoid": ("stand", "walk", "run", "run_pure_state"),
        "humanoid_CMU": ("stand", "walk", "run"),
        "manipulator": ("bring_ball", "bring_peg", "insert_ball", "insert_peg"),
        "pendulum": ("swingup",),
        "point_mass": ("easy", "hard"),
        "quadruped": ("walk", "run", "escape", "fetch"),
        "reacher": ("easy", "hard"),
        "stacker": ("stack_2", "stack_4"),
        "swimmer": ("swimmer6", "swimmer15"),
        "walker": ("stand", "walk", "run"),
    }.items()
    for task in tasks
)


@dataclass(frozen=True)
class ControlSuite:
    """A task of the control suite with raw rewards, each in [0, 1].

    Attributes:
        name: domain and task, such as `cheetah-run` or `ball_in_cup-catch`. Episodes
            are truncated after 1,000 steps or fewer, as in the suite.
    """

    name: str = "cheetah-run"

    def __post_init__(self) -> None:
        check_choice("environment.name", self.name, NAMES)


class Suite(dm_env.Environment):
    """One task of the suite: actions in [-1, 1], observations in one float32 vector.

    Args:
        config: which task.
        seed: of all randomness.
    """

    def __init__(self, config: ControlSuite, seed: int):
        domain, task = config.name.split("-")
        self._task = _suite().load(domain, task, task_kwargs={"random": seed})
        native = self._task.action_spec()
        self._canonical = Canonical(native.minimum, native.maximum)
        self._reset_next = True

    def reset(self) -> dm_env.TimeStep:
        """Starts a new episode."""
        self._reset_next = False
        return self._flat(self._task.reset())

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        """Steps once; after a LAST the action is ignored and the step is a FIRST."""
        if self._reset_next:
            return self.reset()
        timestep = self._task.step(self._canonical.native(action))
        self._reset_next = timestep.last()
        return self._flat(timestep)

    def _flat(self, timestep: dm_env.TimeStep) -> dm_env.TimeStep:
        parts = [np.ravel(part) for part in timestep.observation.values()]
        return timestep._replace(observation=np.concatenate(parts, dtype=np.float32))

    def observation_spec(self) -> specs.Array:
        """`[D]` float32: the suite's observations in its order, concatenated."""
        parts = self._task.observation_spec().values()
        size = sum(int(np.prod(part.shape)) for part in parts)
        return specs.Array((size,), np.float32, "observation")

    def action_spec(self) -> specs.BoundedArray:
        """`[D]` float32 in [-1, 1]."""
        return self._canonical.spec()

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """`[D]` lower and upper bounds of the suite's own actions."""
        native = self._task.action_spec()
        return native.minimum, native.maximum

    @property
    def episode_steps(self) -> int | None:
        """Steps after which an episode is cut short; None: never."""
        limit = self._task._step_limit  # the suite has no public name for it
        return int(limit) if np.isfinite(limit) else None

    def render(self) -> np.ndarray:
        """`[480, 480, 3]` uint8 picture of the newest timestep, from camera 0."""
        picture: Any = self._task.physics.render(_SIZE, _SIZE, camera_id=0)
        return np.asarray(picture, np.uint8)

    @property
    def frames_per_second(self) -> float:
        """Agent steps in a second of the simulation."""
        return 1.0 / float(self._task.control_timestep())

    def close(self) -> None:
        """Closes the task."""
        self._task.close()


@functools.cache
def _suite() -> Any:
    """Imports the suite, which looks for a rendering library during the import.

    Without EGL it would find a broken library and fail, so rendering is turned off.

    Raises:
        ValueError: the suite is not installed.
    """
    if util.find_spec("dm_control") is None:
        raise ValueError(
            "tasks of the control suite need the package dm-control, which exists for "
            f"CPython 3.10 to 3.12; this is {platform.python_version()}"
        )
    mujoco_library.check()
    blind = "MUJOCO_GL" not in os.environ and find_library("EGL") is None
    if blind:
        os.environ["MUJOCO_GL"] = "off"
    try:
        with warnings.catch_warnings():
            # The suite draws on the screen unless GLFW fails. Without a screen GLFW
            # only warns, with a number; as an error this makes the suite try EGL next.
            warnings.filterwarnings("error", r"\(\d+\)")
            from dm_control import suite
    finally:
        if blind:
            del os.environ["MUJOCO_GL"]
    return suite


def make(
    config: ControlSuite, num_environments: int, seed: int, evaluation: bool = False
) -> vector.Batched:
    """N environments, each with its own seed."""
    seeds = vector.lane_seeds(num_environments, seed)
    return vector.Batched([Suite(config, seed) for seed in seeds])
