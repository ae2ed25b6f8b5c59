"""Turns vector timesteps into transitions of one step, for both kinds of queues."""

from typing import Any

import dm_env
import jax
import numpy as np

from agents.parts.contract import Spec, Storage, Transition

_FIRST = int(dm_env.StepType.FIRST)
_LAST = int(dm_env.StepType.LAST)


def transition_spec(spec: Spec, extras: Any) -> Transition:
    """Shapes and dtypes of one transition.

    Args:
        spec: of one environment.
        extras: spec of the extras that the policy returns with one action, see
            `launch.build.make_extras_spec`.
    """
    scalar = jax.ShapeDtypeStruct((), np.float32)
    observation = spec.observation
    return Transition(observation, spec.action, scalar, scalar, observation, extras)


class Transitions:
    """The transitions of N environments that step together.

    Attributes:
        spec: of one transition.
    """

    def __init__(
        self, storage: Storage, spec: Spec, num_environments: int, extras: Any
    ):
        """No environment has begun an episode yet.

        Args:
            storage: says whether truncated episodes are stored as terminated.
            spec: of one environment.
            num_environments: N, the number of lanes.
            extras: spec of the extras, see `transition_spec`.
        """
        self.spec = transition_spec(spec, extras)
        self._terminal_at_time_limit = storage.terminal_at_time_limit
        self._before: Any = None  # observations [N, ...]
        self._under_way = np.zeros(num_environments, bool)

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Begins an episode in every lane."""
        self._before = timestep.observation
        self._under_way[:] = True

    def observe(
        self, actions: np.ndarray, timestep: dm_env.TimeStep, extras: Any = ()
    ) -> Transition:
        """The transitions that a step completes, leaves `[n, ...]`, n at most N.

        Args:
            actions: `[N]` or `[N, D]`, ignored in lanes that start an episode.
            timestep: the result of the actions; leaves are `[N, ...]`.
            extras: of the actions; leaves `[N, ...]`.

        Raises:
            ValueError: a lane steps before its first timestep.
        """
        kinds, before = timestep.step_type, self._before
        steps = kinds != _FIRST
        for lane in np.flatnonzero(steps & ~self._under_way):
            raise ValueError(
                f"environment {lane} has step type {kinds[lane]} outside of an "
                f"episode: expected {_FIRST} (FIRST)"
            )
        self._before, self._under_way = timestep.observation, kinds != _LAST
        discount = np.asarray(timestep.discount)
        if self._terminal_at_time_limit:
            discount = np.where(kinds == _LAST, 0, discount)
        whole = Transition(
            before, actions, timestep.reward, discount, timestep.observation, extras
        )
        return jax.tree.map(
            lambda each, column: np.asarray(column)[steps].astype(
                each.dtype, copy=False
            ),
            self.spec,
            whole,
        )
