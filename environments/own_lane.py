"""One environment of a user as a dm_env environment that checks every step.

Each error names the environment, its lane, and the step of its episode.
"""

import os
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import dm_env
import gymnasium
import numpy as np
from dm_env import specs

from environments import own_spaces
from environments.checks import EnvironmentFailed, summary

_LONG_EPISODE = 100_000  # steps after which a missing time limit is suspected
_FRAMES_PER_SECOND = 30.0  # if the environment does not say
_API = (
    "step must return (observation, reward, terminated, truncated, info), as gymnasium "
    "has it; the retired gym returned 4 values: the package shimmy converts them"
)
_RESET = "reset must be defined as reset(self, *, seed=None, options=None)"


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


class Lane(dm_env.Environment):
    """Adapts a user's environment.

    Args:
        environment: a gymnasium.Env or a dm_env.Environment.
        name: its id, for messages.
        seed: of a gymnasium environment's first reset.
        lane: for messages.
        episode_steps: steps after which an episode is truncated; None: no other limit
            than the environment's own.
        rendered: whether `render` must work.

    Raises:
        EnvironmentFailed: its spaces are not supported, or it cannot be rendered.
    """

    def __init__(
        self,
        environment: Any,
        name: str,
        seed: int,
        *,
        lane: int = 0,
        episode_steps: int | None = None,
        rendered: bool = False,
    ):
        self._environment = environment
        self._name, self._lane = name, lane
        self._limit = episode_steps
        self._episode = self._step = 0
        self._reset_next = True
        kind = _Gymnasium if isinstance(environment, gymnasium.Env) else _DmEnv
        try:
            self._source = kind(environment, seed)
            self.observations = self._source.observations()
            self.actions = self._source.actions()
        except Exception as error:
            raise self._unsupported(error) from error
        if rendered and not self._source.renders():
            raise EnvironmentFailed(f"{name} cannot be recorded: {kind.TO_RENDER}")

    @property
    def episode_steps(self) -> int | None:
        """Steps after which an episode is truncated; None: not known."""
        spec = getattr(self._environment, "spec", None)  # of a registered one
        return self._limit or getattr(spec, "max_episode_steps", None)

    def reset(self) -> dm_env.TimeStep:
        """Starts a new episode."""
        self._reset_next = False
        self._episode, self._step = self._episode + 1, 0
        observation = self._ask("reset", self._source.reset)
        return dm_env.restart(self._seen(observation))

    def step(self, action: Any) -> dm_env.TimeStep:
        """Steps once; after a LAST the action is ignored and the step is a FIRST."""
        if self._reset_next:
            return self.reset()
        self._step += 1
        native = self.actions.native(action)
        step = self._ask("step", lambda: self._source.step(native))
        observation = self._seen(step.observation)
        reward = self._number("reward", step.reward)
        discount = self._number("discount", step.discount)
        if not 0 <= discount <= 1:
            raise self._failed(f"discount must be from 0 to 1, got {discount}")
        self._reset_next = step.last or self._step == self._limit
        if not self._reset_next:
            self._warn_of_a_long_episode()
            return dm_env.transition(reward, observation, discount)
        return dm_env.TimeStep(dm_env.StepType.LAST, reward, discount, observation)

    def _ask(self, what: str, call: Callable[[], Any]) -> Any:
        """Calls the environment's code; an exception names this lane and step."""
        try:
            return call()
        except _Broken as error:
            raise self._failed(str(error)) from None
        except Exception as error:
            said = f"{what} raised {summary(error)}"
            if what == "step" and "expected 5, got 4" in str(error):
                said = _API  # a wrapper of gymnasium unpacks the values
            if isinstance(error, TypeError) and "argument 'seed'" in str(error):
                said = f"{_RESET}: {summary(error)}"
            raise self._failed(said) from error

    def _seen(self, observation: Any) -> np.ndarray:
        try:
            seen = self.observations.convert(observation)
        except Exception as error:
            said = str(error)
            if not isinstance(error, ValueError):
                said = f"observation cannot be read: {summary(error)}"
            raise self._failed(f"the {said}") from None
        if seen.dtype.kind == "f" and not np.isfinite(seen).all():
            raise self._failed(f"the observation must be finite, got {observation}")
        return seen

    def _number(self, what: str, value: Any) -> float:
        if np.shape(value) != () or np.asarray(value).dtype.kind not in "fiub":
            shape = np.shape(value)
            got = f"an array of shape {list(shape)}" if shape else repr(value)
            raise self._failed(f"the {what} must be a number, got {got}")
        number = float(value)
        if not np.isfinite(np.float32(number)):
            raise self._failed(f"the {what} must be finite, got {number}")
        return number

    def _failed(self, what: str) -> EnvironmentFailed:
        where = f"{self._name} in lane {self._lane} at step {self._step} of its episode"
        return EnvironmentFailed(f"{where} {self._episode}: {' '.join(what.split())}")

    def _unsupported(self, error: Exception) -> EnvironmentFailed:
        said = str(error) if isinstance(error, ValueError) else summary(error)
        return EnvironmentFailed(f"{self._name}: {' '.join(said.split())}")

    def _warn_of_a_long_episode(self) -> None:
        if self._step == _LONG_EPISODE:
            print(
                f"munchausen: {self._name} in lane {self._lane} has played "
                f"{self._step:,} steps of one episode: evaluations wait for the end; "
                "set --environment.episode_steps if the environment has no time limit",
                file=sys.stderr,
                flush=True,
            )

    def observation_spec(self) -> specs.Array:
        """One array; see `environments.own_spaces`."""
        return self.observations.spec

    def action_spec(self) -> specs.Array:
        """`[]` int32 if actions are discrete, else `[D]` float32 in [-1, 1]."""
        return self.actions.spec

    def render(self) -> np.ndarray:
        """`[H, W, 3]` uint8 picture of the newest timestep."""
        picture = np.asarray(self._ask("render", self._source.render))
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise self._failed(
                "render must return an array [height, width, 3] of uint8, got one of "
                f"shape {list(picture.shape)} and {picture.dtype}"
            )
        return picture

    @property
    def frames_per_second(self) -> float:
        """Agent steps per second at the environment's intended playback speed."""
        return self._source.frames_per_second()

    def close(self) -> None:
        """Closes the environment."""
        self._environment.close()


class _Broken(Exception):
    """The environment breaks a rule of its interface; the message says which."""


class _Gymnasium:
    """Asks a gymnasium environment."""

    TO_RENDER = (
        "its metadata must list rgb_array under render_modes, its constructor must "
        "take render_mode, and render must return a picture"
    )

    def __init__(self, environment: Any, seed: int):
        self._environment = environment
        self._seed: int | None = seed

    def observations(self) -> own_spaces.Observations:
        return own_spaces.observations_of_space(self._environment.observation_space)

    def actions(self) -> own_spaces.Actions:
        return own_spaces.actions_of_space(self._environment.action_space)

    def reset(self) -> Any:
        result = self._environment.reset(seed=self._seed)
        self._seed = None
        if not isinstance(result, tuple) or len(result) != 2:
            got = type(result).__name__
            raise _Broken(f"reset must return (observation, info), got {got}; {_RESET}")
        return result[0]

    def step(self, action: Any) -> Step:
        result = self._environment.step(action)
        if not isinstance(result, tuple) or len(result) != 5:
            got = f"{len(result)} values" if isinstance(result, tuple) else repr(result)
            raise _Broken(f"{_API}; got {got}")
        observation, reward, terminated, truncated, _ = result
        for name, flag in (("terminated", terminated), ("truncated", truncated)):
            if np.shape(flag) != () or np.asarray(flag).dtype.kind not in "biu":
                raise _Broken(f"{name} must be true or false, got {flag!r}")
        discount = 0.0 if terminated else 1.0
        return Step(observation, reward, discount, bool(terminated or truncated))

    def renders(self) -> bool:
        modes = self._environment.metadata.get("render_modes") or ()
        return "rgb_array" in modes and self._environment.render_mode == "rgb_array"

    def render(self) -> Any:
        # pygame draws: without a screen and without its greeting.
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
        return self._environment.render()

    def frames_per_second(self) -> float:
        given = self._environment.metadata.get("render_fps")
        return float(given or _FRAMES_PER_SECOND)


class _DmEnv:
    """Asks a dm_env environment."""

    TO_RENDER = "it must have a method render, which returns a picture"

    def __init__(self, environment: Any, seed: int):
        self._environment = environment

    def observations(self) -> own_spaces.Observations:
        return own_spaces.observations_of_spec(self._environment.observation_spec())

    def actions(self) -> own_spaces.Actions:
        return own_spaces.actions_of_spec(self._environment.action_spec())

    def reset(self) -> Any:
        timestep = self._timestep("reset", self._environment.reset())
        if not timestep.first():
            raise _Broken(f"reset must return a FIRST, got {timestep.step_type!r}")
        return timestep.observation

    def step(self, action: Any) -> Step:
        timestep = self._timestep("step", self._environment.step(action))
        if timestep.first():
            raise _Broken("step must not return a FIRST before a LAST")
        observation, last = timestep.observation, timestep.last()
        return Step(observation, timestep.reward, timestep.discount, bool(last))

    def _timestep(self, what: str, given: Any) -> dm_env.TimeStep:
        if not isinstance(given, dm_env.TimeStep):
            raise _Broken(f"{what} must return a dm_env.TimeStep, got {given!r}")
        return given

    def _picture(self) -> Callable[[], Any] | None:
        physics = getattr(self._environment, "physics", None)  # of dm_control
        if physics is not None:
            return lambda: physics.render(480, 480, camera_id=0)
        return getattr(self._environment, "render", None)

    def renders(self) -> bool:
        return callable(self._picture())

    def render(self) -> Any:
        picture = self._picture()
        assert picture is not None
        return picture()

    def frames_per_second(self) -> float:
        period = getattr(self._environment, "control_timestep", None)  # of dm_control
        return 1.0 / float(period()) if callable(period) else _FRAMES_PER_SECOND
