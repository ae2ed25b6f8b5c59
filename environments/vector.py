"""N environments that are stepped together, each in its own lane.

Every lane follows dm_env's protocol: FIRST, MID, ..., LAST, then FIRST again. The step
after a LAST ignores that lane's action and returns its FIRST. Lanes are independent:
one may be FIRST while another is LAST.
"""

from collections.abc import Sequence
from typing import Protocol

import dm_env
import numpy as np
from dm_env import specs


class VectorEnvironment(Protocol):
    """N environments under dm_env's protocol, one lane each.

    Attributes:
        num_environments: N.
        action_repeat: frames of the game per agent step.
        frame_stack: size of the leading axis of an observation, oldest frame first; 1
            if observations are not stacked and have no such axis.
        reward_clip: bound that rewards given to a learner are clipped to, in both
            directions, or None; timesteps always carry raw rewards.
    """

    num_environments: int
    action_repeat: int
    frame_stack: int
    reward_clip: float | None

    def reset(self) -> dm_env.TimeStep:
        """Starts a new episode in every lane; fields as those of `step`."""

    def step(self, actions: np.ndarray) -> dm_env.TimeStep:
        """Steps every lane once.

        Args:
            actions: `[N]` or `[N, D]`; ignored in lanes whose last step was LAST.

        Returns:
            A TimeStep of new arrays, never written to again: step_type `[N]` int32,
            reward `[N]` float32 raw, discount `[N]` float32, observation `[N, ...]`.
            The discount is 0 at a termination and 1 at a truncation; FIRST lanes have
            reward 0 and discount 1.
        """

    def observation_spec(self) -> specs.Array:
        """Observation of one environment."""

    def action_spec(self) -> specs.Array:
        """Action of one environment."""

    def reward_spec(self) -> specs.Array:
        """Reward of one environment."""

    def discount_spec(self) -> specs.BoundedArray:
        """Discount of one environment."""

    def close(self) -> None:
        """Frees the resources of the environments."""


def reward_spec() -> specs.Array:
    """Reward of one lane: `[]` float32, raw."""
    return specs.Array((), np.float32, "reward")


def discount_spec() -> specs.BoundedArray:
    """Discount of one lane: `[]` float32 in [0, 1]."""
    return specs.BoundedArray((), np.float32, 0.0, 1.0, "discount")


def lane_seeds(num_environments: int, seed: int) -> list[int]:
    """One seed below 2**31 for each lane, a function of `seed` and the lane only."""
    states = np.random.SeedSequence(seed).generate_state(num_environments)
    return [int(state >> 1) for state in states]


class Batched:
    """A vector of single environments of one kind, stepped one after the other.

    An agent step lasts one frame.

    Args:
        environments: at least one.
        reward_clip: bound of the rewards given to a learner; None: they stay raw.
    """

    action_repeat = 1
    frame_stack = 1

    def __init__(
        self,
        environments: Sequence[dm_env.Environment],
        reward_clip: float | None = None,
    ):
        if not environments:
            raise ValueError("environments must hold at least 1, got none")
        self.num_environments = len(environments)
        self.reward_clip = reward_clip
        self._environments = tuple(environments)
        self._steps = tuple(environment.step for environment in environments)

    def reset(self) -> dm_env.TimeStep:
        """Starts a new episode in every lane."""
        return _stack([environment.reset() for environment in self._environments])

    def step(self, actions: np.ndarray) -> dm_env.TimeStep:
        """Steps every lane once; see `VectorEnvironment.step`.

        Raises:
            ValueError: if there is not exactly one action for each lane.
        """
        actions = np.asarray(actions)
        if len(actions) != self.num_environments:
            raise ValueError(
                f"need an action for each of {self.num_environments} environments, got "
                f"{len(actions)}"
            )
        return _stack(
            [step(action) for step, action in zip(self._steps, actions, strict=True)]
        )

    def observation_spec(self) -> specs.Array:
        """Observation of one environment."""
        return self._environments[0].observation_spec()

    def action_spec(self) -> specs.Array:
        """Action of one environment."""
        return self._environments[0].action_spec()

    def reward_spec(self) -> specs.Array:
        """Reward of one environment, `[]` float32."""
        return reward_spec()

    def discount_spec(self) -> specs.BoundedArray:
        """Discount of one environment, `[]` float32."""
        return discount_spec()

    def close(self) -> None:
        """Closes every environment."""
        for environment in self._environments:
            environment.close()


def _stack(timesteps: list[dm_env.TimeStep]) -> dm_env.TimeStep:
    """One TimeStep of `[N, ...]` arrays from N single ones."""
    step_types, rewards, discounts, observations = zip(*timesteps, strict=True)
    # Single environments have neither reward nor discount at FIRST, lanes have both.
    return dm_env.TimeStep(
        step_type=np.array(step_types, np.int32),
        reward=np.array([r if r is not None else 0.0 for r in rewards], np.float32),
        discount=np.array([d if d is not None else 1.0 for d in discounts], np.float32),
        observation=np.array(observations),
    )


class Single(dm_env.Environment):
    """Unwraps the only environment of a vector of one."""

    def __init__(self, vector: VectorEnvironment):
        if vector.num_environments != 1:
            raise ValueError(
                f"the vector must have 1 environment, got {vector.num_environments}"
            )
        self._vector = vector

    def reset(self) -> dm_env.TimeStep:
        """Starts a new episode."""
        return _squeeze(self._vector.reset())

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        """Steps once; after a LAST the action is ignored and the step is a FIRST."""
        return _squeeze(self._vector.step(np.asarray(action)[np.newaxis]))

    def observation_spec(self) -> specs.Array:
        """The vector's."""
        return self._vector.observation_spec()

    def action_spec(self) -> specs.Array:
        """The vector's."""
        return self._vector.action_spec()

    def reward_spec(self) -> specs.Array:
        """The vector's, `[]` float32."""
        return self._vector.reward_spec()

    def discount_spec(self) -> specs.BoundedArray:
        """The vector's, `[]` float32."""
        return self._vector.discount_spec()

    def close(self) -> None:
        """Closes the vector."""
        self._vector.close()


def _squeeze(timestep: dm_env.TimeStep) -> dm_env.TimeStep:
    """The single lane, without reward and discount at FIRST as dm_env has it."""
    step_type = dm_env.StepType(int(timestep.step_type[0]))
    if step_type is dm_env.StepType.FIRST:
        return dm_env.restart(timestep.observation[0])
    return dm_env.TimeStep(
        step_type=step_type,
        reward=timestep.reward[0],
        discount=timestep.discount[0],
        observation=timestep.observation[0],
    )
