"""One environment of a user as a dm_env environment that checks every step.

Each error names the environment, its lane, and the step of its episode.
"""

import sys
from collections.abc import Callable
from typing import Any

import dm_env
import gymnasium
import numpy as np
from dm_env import specs

from environments.checks import USER_ERRORS, EnvironmentFailed, summary
from environments.own_sources import Broken, OfDmEnv, OfGymnasium

_LONG_EPISODE = 100_000  # steps after which a missing time limit is suspected
_told_of_long_episodes: set[str] = set()  # names: one line, not one for each lane


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
        of_gymnasium = isinstance(environment, gymnasium.Env)
        kind = OfGymnasium if of_gymnasium else OfDmEnv
        try:
            self._source = kind(environment, seed)
            self.observations = self._source.observations()
            self.actions = self._source.actions()
        except USER_ERRORS as error:
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
        except Broken as error:
            raise self._failed(str(error)) from error.__cause__
        except USER_ERRORS as error:
            raise self._failed(f"{what} raised {summary(error)}") from error

    def _seen(self, observation: Any) -> np.ndarray:
        try:
            seen = self.observations.convert(observation)
        except USER_ERRORS as error:
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

    def _unsupported(self, error: BaseException) -> EnvironmentFailed:
        said = str(error) if isinstance(error, ValueError) else summary(error)
        return EnvironmentFailed(f"{self._name}: {' '.join(said.split())}")

    def _warn_of_a_long_episode(self) -> None:
        if self._step == _LONG_EPISODE and self._name not in _told_of_long_episodes:
            _told_of_long_episodes.add(self._name)
            _tell(
                f"{self._name} in lane {self._lane} has played {self._step:,} steps of "
                "one episode: evaluations wait for the end; set "
                "--environment.episode_steps if the environment has no time limit"
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
        """Closes the environment; see `close`."""
        close(self._environment, self._name, self._lane)


def close(environment: Any, name: str, lane: int) -> None:
    """Closes a user's environment; an error of it is told, and ends nothing."""
    try:
        environment.close()
    except USER_ERRORS as error:
        said = f"was not closed: close raised {summary(error)}"
        _tell(f"{name} in lane {lane} {said}")


def _tell(what: str) -> None:
    print(f"munchausen: {what}", file=sys.stderr, flush=True)
