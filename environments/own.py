"""Environments of users: what gymnasium can make, and constructors in their modules.

Source of the interfaces: Gymnasium 1, `gymnasium.Env`; dm_env, `dm_env.Environment`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from environments import own_constructors, own_lane, vector
from environments.checks import InvalidSetting
from environments.keywords import Keywords

_TRIED_STEPS = 3


@dataclass(frozen=True)
class Gymnasium:
    """Any environment, by its id or by the function that constructs it.

    Actions must be Discrete, or a Box with finite bounds, which takes actions in
    [-1, 1]. Discrete observations become one-hot vectors; Dict and Tuple observations
    become one vector; images become `[channels, height, width]`.

    Attributes:
        id: what `gymnasium.make` takes, such as `Pendulum-v1` or
            `my_package:MyEnv-v0`; or `my_module:make`, a function or class that returns
            a gymnasium.Env or a dm_env.Environment. It gets the keyword arguments, and
            the seed of its lane if it has an argument `seed`.
        kwargs: keyword arguments of the constructor: true, false, none, numbers, texts,
            or tuples of these.
        episode_steps: steps after which an episode is truncated; none: as the
            environment has it.
    """

    id: str = ""
    kwargs: Mapping[str, Any] = field(default_factory=Keywords)
    episode_steps: int | None = None

    def __post_init__(self) -> None:
        if "render_mode" in self.kwargs:
            raise InvalidSetting(
                "environment.kwargs.render_mode",
                self.kwargs["render_mode"],
                "left out: `record` sets it",
            )
        kept = {name: _plain(name, value) for name, value in self.kwargs.items()}
        object.__setattr__(self, "kwargs", Keywords(kept))
        if self.episode_steps is not None and self.episode_steps < 1:
            wanted = "at least 1"
            raise InvalidSetting(
                "environment.episode_steps", self.episode_steps, wanted
            )


def _plain(name: str, value: Any) -> Any:
    """The value, with tuples for lists.

    Raises:
        InvalidSetting: `config.yaml` could not hold it.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return tuple(_plain(name, item) for item in value)
    wanted = "true, false, none, a number, a text, or a tuple of these"
    raise InvalidSetting(f"environment.kwargs.{name}", value, wanted)


def make(
    config: Gymnasium, num_environments: int, seed: int, evaluation: bool = False
) -> vector.Batched:
    """N environments, each constructed anew, with a seed of its lane.

    Raises:
        EnvironmentFailed: it cannot be constructed, or its spaces are not supported.
    """
    seeds = vector.lane_seeds(num_environments, seed)
    return vector.Batched(
        [make_one(config, seed, lane=lane) for lane, seed in enumerate(seeds)]
    )


def make_one(
    config: Gymnasium, seed: int, *, lane: int = 0, rendered: bool = False
) -> own_lane.Lane:
    """One environment.

    Args:
        config: which environment.
        seed: of all randomness that can be seeded.
        lane: number of the environment among those stepped together, for messages.
        rendered: whether its `render` must work.

    Raises:
        EnvironmentFailed: as `make`; or it cannot be rendered.
    """
    constructed = own_constructors.construct(
        config.id, config.kwargs, seed, config.episode_steps, rendered=rendered
    )
    try:
        return own_lane.Lane(
            constructed,
            config.id,
            seed,
            lane=lane,
            episode_steps=config.episode_steps,
            rendered=rendered,
        )
    except BaseException:
        own_lane.close(constructed, config.id, lane)
        raise


def try_out(config: Gymnasium, seed: int) -> None:
    """Takes a few steps in a separate environment, before a run begins.

    Raises:
        EnvironmentFailed: the environment breaks the rules of its interface.
    """
    environment = make_one(config, seed)
    try:
        environment.reset()
        for _ in range(_TRIED_STEPS):
            environment.step(environment.action_spec().generate_value())
    finally:
        environment.close()
