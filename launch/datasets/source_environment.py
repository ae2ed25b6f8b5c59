"""Facts about environments that dataset files lack or record differently."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from environments import Config
from environments.action_scaling import Canonical

if TYPE_CHECKING:
    from environments import ControlSuite
    from environments.own import Gymnasium


class Native(NamedTuple):
    """An environment as it is when data are logged outside of this project.

    Attributes:
        name: gymnasium's, if that is the same environment; else None.
        low: `[D]` lower bounds of native actions; None: -1.
        high: `[D]` upper bounds of native actions; None: 1.
        episode_steps: steps after which an episode is cut short; None: unknown.
        exact: whether no logged episode is longer; human demonstrations of the hand
            tasks are.
    """

    name: str | None = None
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    episode_steps: int | None = None
    exact: bool = False

    @property
    def actions(self) -> Canonical | None:
        """The map between native actions and [-1, 1]; None: they are the same."""
        if self.low is None or self.high is None:
            return None
        return Canonical(self.low, self.high)


def family(environment: Config) -> str | None:
    """Gymnasium's name of an environment without its version; None if it has none."""
    from environments import Adroit, Locomotion  # late: a run may have no dataset

    if isinstance(environment, Locomotion):
        return environment.name.rpartition("-v")[0]
    if isinstance(environment, Adroit):
        return f"AdroitHand{environment.name.capitalize()}"
    return None


def describe(environment: Config) -> Native:
    """Looks up the facts about an environment; imports gymnasium only if needed.

    The hand tasks have no gymnasium name: their rewards and ends of episodes are
    D4RL's, not those of gymnasium-robotics.
    """
    from environments import ControlSuite, Gymnasium, Locomotion
    from environments.adroit import EPISODE_STEPS, Adroit

    if isinstance(environment, Adroit):
        return Native(episode_steps=EPISODE_STEPS[environment.name])
    if isinstance(environment, Gymnasium):
        return _describe_own(environment)
    if isinstance(environment, ControlSuite):
        return _describe_suite(environment)
    if not isinstance(environment, Locomotion):
        return Native()
    import gymnasium

    made = gymnasium.make(environment.name, disable_env_checker=True)
    try:
        space = made.action_space
        assert isinstance(space, gymnasium.spaces.Box)
        limit = made.spec.max_episode_steps if made.spec is not None else None
        return Native(environment.name, space.low, space.high, limit, exact=True)
    finally:
        made.close()


def _describe_suite(config: "ControlSuite") -> Native:
    from environments import control_suite

    made = control_suite.Suite(config, seed=0)
    try:
        return Native(None, *made.bounds, made.episode_steps, exact=True)
    finally:
        made.close()


def _describe_own(config: "Gymnasium") -> Native:
    """Facts about a user's environment.

    It has a name if gymnasium alone makes an environment with the same observations.
    """
    from environments import own

    made = own.make_one(config, seed=0)
    try:
        low, high = made.actions.bounds or (None, None)
        plain = ":" not in config.id and not config.kwargs and made.observations.same
        name = config.id if plain else None
        return Native(name, low, high, made.episode_steps, exact=True)
    finally:
        made.close()
