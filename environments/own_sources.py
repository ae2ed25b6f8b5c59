"""The two interfaces of users' environments, gymnasium's and dm_env's, as one."""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import dm_env
import numpy as np

from environments import own_spaces
from environments.checks import summary

_FRAMES_PER_SECOND = 30.0  # if the environment does not say
_API = (
    "step must return (observation, reward, terminated, truncated, info), as gymnasium "
    "has it; the retired gym returned 4 values: the package shimmy converts them"
)
_RESET = "reset must be defined as reset(self, *, seed=None, options=None)"


class Broken(Exception):
    """The environment breaks a rule of its interface; the message says which."""


class Step(NamedTuple):
    """The result of a step, before it is converted.

    Attributes:
        observation: the environment's own.
        reward: unchecked.
        discount: 0 at a termination.
        last: whether the episode ends.
    """

    observation: Any
    reward: Any
    discount: Any
    last: bool


class OfGymnasium:
    """A gymnasium environment; `seed` is that of its first reset."""

    TO_RENDER = (
        "its metadata must list rgb_array under render_modes, its constructor must "
        "take render_mode, and render must return a picture"
    )

    def __init__(self, environment: Any, seed: int):
        self._environment = environment
        self._seed: int | None = seed

    def observations(self) -> own_spaces.Observations:
        """How its observations are converted."""
        return own_spaces.observations_of_space(self._environment.observation_space)

    def actions(self) -> own_spaces.Actions:
        """How actions are converted to its own."""
        return own_spaces.actions_of_space(self._environment.action_space)

    def reset(self) -> Any:
        """Starts an episode; returns the observation. Raises `Broken`."""
        try:
            result = self._environment.reset(seed=self._seed)
        except TypeError as error:
            if "argument 'seed'" in str(error):
                raise Broken(f"{_RESET}: {summary(error)}") from error
            raise
        self._seed = None
        if not isinstance(result, tuple) or len(result) != 2:
            got = type(result).__name__
            raise Broken(f"reset must return (observation, info), got {got}; {_RESET}")
        return result[0]

    def step(self, action: Any) -> Step:
        """Steps once with an action in the environment's form. Raises `Broken`."""
        try:
            result = self._environment.step(action)
        except ValueError as error:  # of a wrapper, which unpacks the values
            if "expected 5, got 4" in str(error):
                raise Broken(_API) from error
            raise
        if not isinstance(result, tuple) or len(result) != 5:
            got = f"{len(result)} values" if isinstance(result, tuple) else repr(result)
            raise Broken(f"{_API}; got {got}")
        observation, reward, terminated, truncated, _ = result
        for name, flag in (("terminated", terminated), ("truncated", truncated)):
            if np.shape(flag) != () or np.asarray(flag).dtype.kind not in "biu":
                raise Broken(f"{name} must be true or false, got {flag!r}")
        discount = 0.0 if terminated else 1.0
        return Step(observation, reward, discount, bool(terminated or truncated))

    def renders(self) -> bool:
        """Whether it can be rendered."""
        modes = self._environment.metadata.get("render_modes") or ()
        return "rgb_array" in modes and self._environment.render_mode == "rgb_array"

    def render(self) -> Any:
        """The picture that it returns, unchecked."""
        # pygame draws: without a screen and without its greeting.
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
        return self._environment.render()

    def frames_per_second(self) -> float:
        """Agent steps per second at its intended playback speed."""
        given = self._environment.metadata.get("render_fps")
        return float(given or _FRAMES_PER_SECOND)


class OfDmEnv:
    """A dm_env environment; its constructor got the seed."""

    TO_RENDER = "it must have a method render, which returns a picture"

    def __init__(self, environment: Any, seed: int):
        self._environment = environment

    def observations(self) -> own_spaces.Observations:
        """How its observations are converted."""
        return own_spaces.observations_of_spec(self._environment.observation_spec())

    def actions(self) -> own_spaces.Actions:
        """How actions are converted to its own."""
        return own_spaces.actions_of_spec(self._environment.action_spec())

    def reset(self) -> Any:
        """Starts an episode; returns the observation. Raises `Broken`."""
        timestep = self._timestep("reset", self._environment.reset())
        if not timestep.first():
            raise Broken(f"reset must return a FIRST, got {timestep.step_type!r}")
        return timestep.observation

    def step(self, action: Any) -> Step:
        """Steps once with an action in the environment's form. Raises `Broken`."""
        timestep = self._timestep("step", self._environment.step(action))
        if timestep.first():
            raise Broken("step must not return a FIRST before a LAST")
        observation, last = timestep.observation, timestep.last()
        return Step(observation, timestep.reward, timestep.discount, bool(last))

    def _timestep(self, what: str, given: Any) -> dm_env.TimeStep:
        if not isinstance(given, dm_env.TimeStep):
            raise Broken(f"{what} must return a dm_env.TimeStep, got {given!r}")
        return given

    def _picture(self) -> Callable[[], Any] | None:
        physics = getattr(self._environment, "physics", None)  # of dm_control
        if physics is not None:
            return lambda: physics.render(480, 480, camera_id=0)
        return getattr(self._environment, "render", None)

    def renders(self) -> bool:
        """Whether it can be rendered."""
        return callable(self._picture())

    def render(self) -> Any:
        """The picture that it returns, unchecked."""
        picture = self._picture()
        assert picture is not None
        return picture()

    def frames_per_second(self) -> float:
        """Agent steps per second at its intended playback speed."""
        period = getattr(self._environment, "control_timestep", None)  # of dm_control
        return 1.0 / float(period()) if callable(period) else _FRAMES_PER_SECOND
