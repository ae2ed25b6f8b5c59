"""Offline learning with a pseudometric.

Dadashi, Rezaeifar, Vieillard, Hussenot, Pietquin and Geist, "Offline Reinforcement
Learning with Pseudometric Learning", ICML 2021, https://arxiv.org/abs/2103.01948. A
first stage learns when two state-action pairs are alike; TD3 then gets a bonus for
actions that are like logged ones. No code of the authors is known.

| symbol | here |
| --- | --- |
| Phi, Psi | networks `metric`, `state_metric` |
| k, beta | `neighbours`, `bonus_sharpness` |
| alpha_a, alpha_c | `actor_coefficient`, `critic_coefficient` |

Deviations (what the paper prints could not be checked, so these are choices):
- The operator averages over uniform actions: a maximum would need a search and be
  overestimated by networks as values are, and follows actions that no one takes. Both
  pairs take the same action, as bisimulation asks; independent actions would part a
  state from itself.
- Nothing follows a pair of transitions of which one or both terminated.
- A pair of transitions is a row of the batch and the row before it.
- Psi fits the online Phi; Phi bootstraps on a target copy of Psi, which holds the
  operator's right-hand side still.
- beta is in units of one over the median distance between the data and uniform
  actions, so that it means the same for any reward: that action's bonus is e^-beta.
- The actor's bonus is in units of the batch's mean |Q|; the critic's in those of the
  reward, which is divided by its range.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks, neighbours, networks, pseudometric, sgd
from agents.parts import continuous_networks as heads
from agents.parts.types import (
    Agent,
    Lookup,
    Metrics,
    Params,
    Spec,
    Storage,
    Transition,
    never_acts,
)
from agents.td3 import critic_error, smoothed  # TEMP


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; TD3's are its reference implementation's, the rest are ours.

    Attributes:
        pretraining_steps: learner steps of the first stage.
        embedding_size: of Phi and Psi.
        uniform_actions: drawn for each pair of states.
        neighbours: k, logged states whose actions an action is compared with.
        bonus_sharpness: beta.
        actor_coefficient: alpha_a, in units of the mean |Q|.
        critic_coefficient: alpha_c, in units of the reward.
        target_noise: standard deviation of the noise on the target policy's actions.
        target_noise_clip: bound on the size of that noise.
        policy_delay: learner steps between those of policy and target copies.
        discount: gamma, of metric and values.
        target_step_size: of the target copies of both stages.
        network: torso and widths of every network.
        optimizer: Adam, of each network.
        batch_size: transitions per update.
    """

    pretraining_steps: int = 100_000
    embedding_size: int = 32
    uniform_actions: int = 4
    neighbours: int = 50
    bonus_sharpness: float = 3.0
    actor_coefficient: float = 1.0
    critic_coefficient: float = 1.0
    target_noise: float = 0.2
    target_noise_clip: float = 0.5
    policy_delay: int = 2
    discount: float = 0.99
    target_step_size: float = 0.005
    network: networks.Config = networks.Config("mlp", (256, 256))
    optimizer: sgd.Adam = sgd.Adam(3e-4, 1e-8)
    batch_size: int = 256

    def __post_init__(self) -> None:
        pass


def bonus(distance: jax.Array, unit: jax.Array, *, sharpness: float) -> jax.Array:
    """Bonus exp(-beta d) of an action, in (0, 1]: 1 where the data has the pair.

    Args:
        distance: `[]` d of the pair from the nearest logged one.
        unit: `[]` of distance.
        sharpness: beta, per unit.
    """
    chex.assert_rank([distance, unit], 0)
    return jnp.exp(-sharpness * distance / unit)


def pretraining(config: Config, spec: Spec) -> Agent:
    """Builds the stage that learns the pseudometric."""
    both = pseudometric.embeddings(config.network, spec, config.embedding_size)
    losses = pseudometric.losses(
        both, spec, discount=config.discount, uniform_actions=config.uniform_actions
    )
    init, update = sgd.learner(
        networks={"metric": both.pair.init, "state_metric": both.state.init},
        losses=losses,
        optimizers={name: config.optimizer.make() for name in losses},
        target_update=sgd.polyak(config.target_step_size),
    )
    storage = Storage(batch_size=config.batch_size)
    return Agent(init, update, never_acts, storage, config.discount)


def make_distance(
    config: Config, spec: Spec
) -> Callable[[Params, jax.Array, Any, jax.Array], jax.Array]:
    """Makes `(params, candidates [B, K, E], observation, action) -> [B]` distances."""
    embed = pseudometric.embeddings(config.network, spec, config.embedding_size).pair

    def distance(
        params: Params, candidates: jax.Array, observation: Any, action: jax.Array
    ) -> jax.Array:
        embedding = embed.apply(params["metric"], observation, action)
        return jax.vmap(pseudometric.distance_to_nearest)(embedding, candidates)

    return distance


def agent(config: Config, spec: Spec) -> Agent:
    """Builds TD3 with the bonus in critic and actor, and the lookup it needs."""
    policy = heads.deterministic(config.network, spec)
    critic = heads.critics(config.network, spec, number=2)
    both = pseudometric.embeddings(config.network, spec, config.embedding_size)
    distance = make_distance(config, spec)
    closeness = jax.vmap(partial(bonus, sharpness=config.bonus_sharpness))

    def critic_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        a_t = smoothed(
            key,
            policy.apply(target_params["policy"], batch.next_observation),
            noise=config.target_noise,
            noise_clip=config.target_noise_clip,
        )
        candidates, unit = batch.extras.next_embedding, batch.extras.unit
        b_t = closeness(distance(params, candidates, batch.next_observation, a_t), unit)
        target_q_t = critic.apply(target_params["critic"], batch.next_observation, a_t)
        q_tm1 = critic.apply(params["critic"], batch.observation, batch.action)
        errors = jax.vmap(critic_error)(
            q_tm1,
            batch.reward,
            config.discount * batch.discount,
            target_q_t + config.critic_coefficient * b_t[:, None],
        )
        loss = jnp.sum(jnp.mean(jnp.square(errors), axis=0))
        return loss, {"q_mean": jnp.mean(q_tm1), "next_bonus": jnp.mean(b_t)}

    def policy_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        action = policy.apply(params["policy"], batch.observation)
        q = critic.apply(params["critic"][:1], batch.observation, action)[:, 0]
        candidates, unit = batch.extras.embedding, batch.extras.unit
        b = closeness(distance(params, candidates, batch.observation, action), unit)
        scale = jax.lax.stop_gradient(jnp.mean(jnp.abs(q)))
        loss = -jnp.mean(q + config.actor_coefficient * scale * b)
        return loss, {"bonus": jnp.mean(b)}

    init, update = sgd.learner(
        networks={
            "critic": critic.init,
            "policy": policy.init,
            "metric": both.pair.init,
            "state_metric": both.state.init,
        },
        losses={"critic": critic_loss, "policy": policy_loss},
        optimizers={name: config.optimizer.make() for name in ("critic", "policy")},
        target_update=sgd.every(
            config.policy_delay, sgd.polyak(config.target_step_size)
        ),
        periods={"policy": config.policy_delay},
    )

    def build(params: Params, transitions: Transition) -> neighbours.Tables:
        return neighbours.build(
            partial(both.pair.apply, params["metric"]),
            partial(both.state.apply, params["state_metric"]),
            transitions,
            config.neighbours,
        )

    def act(
        params: Params, key: jax.Array, observation: Any, steps: Any, evaluation: Any
    ) -> jax.Array:
        return policy.apply(params["policy"], observation)

    storage = Storage(batch_size=config.batch_size)
    lookup = Lookup(build, neighbours.read)
    return Agent(init, update, act, storage, config.discount, lookup)
