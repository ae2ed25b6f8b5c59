"""Acting: a policy for N environments at once, and the loop that drives it."""

from collections.abc import Callable, Sequence
from typing import Any

import dm_env
import jax
import numpy as np

from agents.parts.contract import Act, Others, Params
from environments.vector import VectorEnvironment
from launch import finite, staleness
from launch.replay import Adder
from launch.runs.logs import Episode

# Plain numbers: comparing an array with an enumeration's member takes much longer.
_FIRST, _LAST = int(dm_env.StepType.FIRST), int(dm_env.StepType.LAST)


class Actor:
    """Chooses actions for N environments in one policy call, and records experience.

    It has the methods of `acme.core.Actor` (see `launch/roles/acme_interfaces.py`).
    Observations and timesteps have a leading axis `[N]`.

    Attributes:
        actor_steps: decisions taken so far by all actors, for exploration schedules;
            counts only this actor's own unless the caller sets it.
    """

    def __init__(
        self,
        act: Act,
        variables: Callable[[], Params],
        seed: int,
        *,
        adder: Adder | None = None,
        version: Callable[[], int] | None = None,
        reward_clip: float | None = None,
        evaluation: bool = False,
    ):
        """Builds an actor.

        Args:
            act: an agent's `act`.
            variables: returns the newest parameters.
            seed: of exploration.
            adder: where experience goes; None if nothing is stored.
            version: the learner step of the parameters that `variables` returned last;
                stored with the extras, see `launch.staleness`. None: not stored.
            reward_clip: bound on the size of stored rewards; None stores them raw.
            evaluation: passed on to `act`.
        """
        self.reseed(seed, actor_steps=0)
        self._variables = variables
        self._adder = adder
        self._version = version
        self._reward_clip = reward_clip
        self._evaluation = evaluation
        self._extras: Any = ()
        plays = np.bool_(evaluation)

        # The key of a call is derived inside the compiled function: splitting it
        # outside costs as much as a small policy. Each argument costs time as well, so
        # there are few.
        def policy(
            params: Params, key: jax.Array, counts: jax.Array, observation: Any
        ) -> tuple[jax.Array, Any]:
            calls, steps = counts
            return act(
                params, jax.random.fold_in(key, calls), observation, steps, plays
            )

        self._policy = jax.jit(policy)

    def reseed(self, seed: int, actor_steps: int) -> None:
        """Starts exploration afresh, `actor_steps` into the run."""
        self.actor_steps = actor_steps
        self._key = jax.random.key(seed)
        self._calls = 0

    def select_action(self, observation: Any) -> np.ndarray:
        """Actions `[N]` for observations `[N, ...]`; `observe` stores their extras."""
        counts = np.array((self._calls, self.actor_steps), np.int32)
        params = self._variables()
        actions, self._extras = self._policy(params, self._key, counts, observation)
        self._calls += 1
        if self._version is not None:
            versions = np.full(len(observation), self._version(), np.int32)
            self._extras = staleness.stored_extras(self._extras, versions)
        return np.asarray(actions)

    def score_others(self, score: Callable[[np.ndarray], np.ndarray]) -> None:
        """Scores the further actions that `select_action` left in the extras, if any.

        Nothing learns from those of an evaluation, so they are not scored.

        Args:
            score: `actions [N, K, ...] -> [N, K]`, of the environment.

        Raises:
            NotFinite: a score is NaN or infinite.
        """
        if self._adder is None or self._evaluation:
            return

        def scored(leaf: Any) -> Any:
            if not isinstance(leaf, Others):
                return leaf
            rewards = score(np.asarray(leaf.actions))
            finite.check_scores(rewards, self.actor_steps)
            return leaf._replace(rewards=rewards)

        self._extras = jax.tree.map(
            scored, self._extras, is_leaf=lambda leaf: isinstance(leaf, Others)
        )

    def skip_action(self) -> None:
        """Counts a call of the policy whose actions would be ignored."""
        self._calls += 1

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Records the first timestep of all lanes."""
        if self._adder is not None:
            self._adder.observe_first(timestep)

    def observe(self, action: np.ndarray, next_timestep: dm_env.TimeStep) -> None:
        """Records the last actions, their extras, and the timestep that follows."""
        if self._adder is None:
            return
        if self._reward_clip is not None:
            bound = self._reward_clip
            reward = np.clip(next_timestep.reward, -bound, bound)
            next_timestep = next_timestep._replace(reward=reward)
        self._adder.observe(action, next_timestep, self._extras)

    def update(self, wait: bool = False) -> None:
        """Does nothing: each call of the policy asks for the newest parameters."""


class Loop:
    """Steps N environments with an actor and keeps the score of each.

    Attributes:
        frames: environment frames so far.
        actor_steps: decisions so far.
    """

    def __init__(
        self, environment: VectorEnvironment, actor: Actor, actor_steps: int = 0
    ):
        """Starts at an episode boundary, `actor_steps` into the run."""
        self._environment = environment
        self._score = getattr(environment, "score", None)  # of a language task
        self._actor = actor
        self._timestep: dm_env.TimeStep | None = None
        self._all_ended = False  # then actions are ignored
        self._returns = [0.0] * environment.num_environments
        self._steps = 0  # of this loop, including those at which lanes begin
        self._begun = [0] * environment.num_environments  # the step of the last FIRST
        self.actor_steps = actor_steps

    @property
    def frames(self) -> int:
        """Environment frames so far."""
        return self.actor_steps * self._environment.action_repeat

    def reset(self) -> None:
        """Begins a new episode in every lane and forgets unfinished ones."""
        self._timestep = self._environment.reset()
        finite.check_timestep(self._timestep, self.actor_steps)
        self._all_ended = False
        self._returns = [0.0] * len(self._returns)
        self._begun = [self._steps] * len(self._begun)
        self._actor.observe_first(self._timestep)

    def step(self) -> Sequence[tuple[int, Episode]]:
        """Decides once in every lane; returns `(lane, episode)` of ended episodes."""
        if self._timestep is None:
            self.reset()
        assert self._timestep is not None
        if self._all_ended:
            self._actor.skip_action()
        else:
            self._action = self._actor.select_action(self._timestep.observation)
            if self._score is not None:
                self._actor.score_others(self._score)
        timestep = self._environment.step(self._action)
        # Plain numbers: with few lanes one operation of numpy costs more than all this.
        types = timestep.step_type.tolist()
        begun = types.count(_FIRST)  # lanes that took no decision: actions ignored
        decided = len(types) - begun
        # Before it is stored: each resumed run would load a NaN of the replay again.
        finite.check_timestep(timestep, self.actor_steps + decided)
        self._actor.observe(self._action, timestep)
        self._timestep = timestep
        self._steps += 1
        rewards = timestep.reward.tolist()
        self._returns = [x + y for x, y in zip(self._returns, rewards, strict=True)]
        self._all_ended = types.count(_LAST) == len(types)
        self.actor_steps += decided
        self._actor.actor_steps += decided
        return self._turned(types) if begun or _LAST in types else []

    def _turned(self, types: Sequence[int]) -> Sequence[tuple[int, Episode]]:
        """Resets the score of lanes at a FIRST; returns episodes of lanes at a LAST."""
        ended = []
        for lane, step_type in enumerate(types):
            if step_type == _FIRST:
                self._returns[lane] = 0.0
                self._begun[lane] = self._steps
            elif step_type == _LAST:
                length = self._steps - self._begun[lane]
                ended.append((lane, Episode(self._returns[lane], length)))
        return ended
