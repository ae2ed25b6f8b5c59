"""A gymnasium environment as a dm_env environment."""

from collections.abc import Callable

import dm_env
import gymnasium
import numpy as np
from dm_env import specs

# (float64 observation, reward, terminated) -> (reward, terminated)
Revision = Callable[[np.ndarray, float, bool], tuple[float, bool]]


class Gym(dm_env.Environment):
    """Adapts one gymnasium environment, whose time limit is a truncation.

    Termination is a LAST of discount 0, truncation a LAST of discount 1; a step that is
    both is a termination. Observations are float32; their spec has no bounds, because
    environments exceed the bounds that they declare.

    Args:
        environment: with a Box observation space, and a Discrete or Box action space; a
            bounded Box takes actions in [-1, 1].
        seed: of the first reset; later resets continue with the same generator.
        scaling: factor and offset, `[D]` float32 each, applied to observations; None:
            no scaling.
        revise: corrects each step's reward and termination, given the raw
            observation.
    """

    def __init__(
        self,
        environment: gymnasium.Env,
        seed: int,
        scaling: tuple[np.ndarray, np.ndarray] | None = None,
        revise: Revision | None = None,
    ):
        self._environment = environment
        self._step = environment.step
        self._seed: int | None = seed
        self._scaling = scaling
        self._revise = revise
        self._reset_next = True
        self._native, self._action_spec = _actions(environment.action_space)

    def reset(self) -> dm_env.TimeStep:
        """Starts a new episode."""
        self._reset_next = False
        observation, _ = self._environment.reset(seed=self._seed)
        self._seed = None
        return dm_env.restart(self._seen(observation))

    def step(self, action: np.ndarray | int) -> dm_env.TimeStep:
        """Steps once; after a LAST the action is ignored and the step is a FIRST."""
        if self._reset_next:
            return self.reset()
        step = self._step(self._native(action))
        observation, reward, terminated, truncated, _ = step
        if self._revise is not None:
            reward, terminated = self._revise(observation, float(reward), terminated)
        observation = self._seen(observation)
        if terminated:
            self._reset_next = True
            return dm_env.termination(float(reward), observation)
        if truncated:
            self._reset_next = True
            return dm_env.truncation(float(reward), observation)
        return dm_env.transition(float(reward), observation)

    def _seen(self, observation: np.ndarray) -> np.ndarray:
        seen = np.asarray(observation, np.float32)
        if self._scaling is None:
            return seen
        factor, offset = self._scaling
        return factor * seen + offset

    def observation_spec(self) -> specs.Array:
        """Float32 of the shape of the observation space."""
        shape = self._environment.observation_space.shape
        return specs.Array(shape, np.float32, "observation")

    def action_spec(self) -> specs.Array:
        """`[]` int32 if actions are discrete, else float32 in [-1, 1]."""
        return self._action_spec

    def render(self) -> np.ndarray:
        """`[H, W, 3]` uint8 picture of the newest timestep; needs a render mode."""
        return np.asarray(self._environment.render(), np.uint8)

    @property
    def frames_per_second(self) -> float:
        """Agent steps per second at the environment's intended playback speed."""
        return float(self._environment.metadata["render_fps"])

    def close(self) -> None:
        """Closes the gymnasium environment."""
        self._environment.close()


def _actions(space: gymnasium.Space) -> tuple[Callable, specs.Array]:
    """A function that converts an action to the environment's own, and its spec."""
    if isinstance(space, gymnasium.spaces.Discrete) and space.start == 0:
        return int, specs.DiscreteArray(int(space.n), np.int32, "action")
    if isinstance(space, gymnasium.spaces.Box):
        from environments.action_scaling import Canonical  # others need no scaling

        canonical = Canonical(space.low, space.high)
        return canonical.native, canonical.spec()
    raise ValueError(f"action space must be a Box, or Discrete from 0, got {space}")
