"""Implicit quantile network: Q-learning of the return's whole distribution.

Dabney, Ostrovski, Silver and Munos, "Implicit Quantile Networks for Distributional
Reinforcement Learning", ICML 2018, https://arxiv.org/abs/1806.06923. Reference
implementation: Dopamine, the baseline of the Munchausen paper, whose settings these
are.

| symbol | here |
| --- | --- |
| N, N', K | `online_fractions`, `target_fractions`, `acting_fractions` |
| tau (of a quantile) | `fractions` |
| Z | `z`, the quantile function of the return |
| gamma | `discount` |

Deviations:
- The cosine embedding has frequencies 1 to 64 as in Dopamine; the paper's are 0 to 63.
- Convolutions have no padding, as in the Nature paper; Dopamine pads them.
"""

import functools
from dataclasses import dataclass
from typing import Any

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks, equations, exploration, networks, quantiles, sgd
from agents.parts.contract import Agent, Metrics, Params, Spec, Storage, Transition
from agents.parts.exploration import EpsilonGreedy
from agents.parts.value_based import assemble


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; defaults: Dopamine's `iqn.gin`.

    Attributes:
        online_fractions: N, quantiles predicted in an update.
        target_fractions: N', samples of the target distribution.
        acting_fractions: K, quantiles averaged into an action value.
        cosines: size of the embedding of a fraction.
        discount: gamma.
        target_update_period: learner steps between copies of the target network; 2,000
            are 8,000 agent steps at one update every 4.
        network: torso and widths.
        optimizer: Adam.
        exploration: epsilon-greedy schedule, in actor steps.
        storage: replay, batch size; 3-step returns.
    """

    online_fractions: int = 64
    target_fractions: int = 64
    acting_fractions: int = 32
    cosines: int = 64
    discount: float = 0.99
    target_update_period: int = 2_000
    network: networks.Config = networks.Config()
    optimizer: sgd.Optimizer = sgd.Optimizer()
    exploration: EpsilonGreedy = EpsilonGreedy()
    storage: Storage = Storage(n_step=3)

    def __post_init__(self) -> None:
        checks.between("discount", self.discount, 0, 1)
        for name in ("online", "target", "acting"):
            checks.at_least(f"{name}_fractions", getattr(self, f"{name}_fractions"), 1)
        checks.at_least("cosines", self.cosines, 1)


def targets(
    r_t: jax.Array, discount_t: jax.Array, target_z_t: jax.Array, target_q_t: jax.Array
) -> jax.Array:
    """Samples of the target distribution of one transition.

    Args:
        r_t: `[]` reward.
        discount_t: `[]` gamma, or 0 if the episode terminated.
        target_z_t: `[N', A]` quantiles of the target network at time t.
        target_q_t: `[A]` action values at time t, of which the largest is followed.

    Returns:
        `[N']` r + gamma Z(s', argmax Q(s', .)).

    Source: IQN, Eq. (2), the distributional Bellman target.
    """
    chex.assert_rank([r_t, discount_t, target_z_t, target_q_t], [0, 0, 2, 1])
    return r_t + discount_t * target_z_t[:, jnp.argmax(target_q_t)]


def agent(config: Config, spec: Spec) -> Agent:
    """Builds IQN for an environment with discrete actions."""
    z_network = networks.quantile_values(config.network, spec, config.cosines)

    def q_values(params: Params, key: jax.Array, observation: Any) -> jax.Array:
        return quantiles.values(
            z_network, params["z"], key, observation, config.acting_fractions
        )

    def z_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        keys = jax.random.split(key, 3)
        sample = functools.partial(quantiles.sample, z_network)
        s_tm1, s_t = batch.observation, batch.next_observation
        z_tm1 = sample(params["z"], keys[0], s_tm1, config.online_fractions)
        z_t = sample(target_params["z"], keys[1], s_t, config.target_fractions).z
        samples = jax.vmap(targets)(
            r_t=batch.reward,
            discount_t=config.discount * batch.discount,
            target_z_t=z_t,
            target_q_t=q_values(target_params, keys[2], s_t),
        )
        losses = quantiles.regression_loss(z_tm1, batch.action, samples)
        return jnp.mean(losses), equations.value_metrics(jnp.mean(z_tm1.z, axis=1))

    greedy = exploration.greedy(q_values)
    act = exploration.acting(greedy, spec.num_actions, config.exploration)
    return assemble(config, networks={"z": z_network}, losses={"z": z_loss}, act=act)
