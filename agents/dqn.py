"""Deep Q-network: Q-learning with a target network and experience replay.

Mnih et al., "Human-level control through deep reinforcement learning", Nature 518,
2015. Here with Adam, the stronger baseline of the Munchausen paper (Vieillard, Pietquin
and Geist, NeurIPS 2020, https://arxiv.org/abs/2007.14430), whose settings these are.

| symbol | here |
| --- | --- |
| gamma | `discount` |
| theta, theta bar | `params`, `target_params` |

Deviations:
- Adam instead of centred RMSProp, as in the Munchausen authors' DQN (Adam);
  `dqn_rmsprop` has Dopamine's centred RMSProp.
- Convolutions have no padding, as in the Nature paper; the Munchausen authors'
  framework pads them, as the torso `nature_padded` does.
"""

from dataclasses import dataclass
from typing import Any

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks, equations, exploration, networks, sgd
from agents.parts.contract import Agent, Metrics, Params, Spec, Storage, Transition
from agents.parts.exploration import EpsilonGreedy
from agents.parts.value_based import assemble


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; defaults: the authors' `configs/atari.gin` (Adam baseline).

    Attributes:
        discount: gamma.
        loss: regression of the TD error.
        target_update_period: learner steps between copies of the target network; 2,000
            are 8,000 agent steps at one update every 4.
        network: torso and widths.
        optimizer: Adam.
        exploration: epsilon-greedy schedule, in actor steps.
        storage: replay, batch size, n-step.
    """

    discount: float = 0.99
    loss: equations.Regression = "huber"
    target_update_period: int = 2_000
    network: networks.Config = networks.Config()
    optimizer: sgd.Optimizer = sgd.Optimizer()
    exploration: EpsilonGreedy = EpsilonGreedy()
    storage: Storage = Storage()

    def __post_init__(self) -> None:
        checks.between("discount", self.discount, 0, 1)


# The optimiser of Dopamine's DQN, the baseline of most papers' Atari results.
RMSPROP = {"optimizer": sgd.RMSPROP}


def td_error(
    q_tm1: jax.Array,
    a_tm1: jax.Array,
    r_t: jax.Array,
    discount_t: jax.Array,
    target_q_t: jax.Array,
) -> jax.Array:
    """Q-learning TD error of one transition.

    Args:
        q_tm1: `[A]` online action values at time t-1.
        a_tm1: `[]` action taken at time t-1.
        r_t: `[]` reward.
        discount_t: `[]` gamma, or 0 if the episode terminated.
        target_q_t: `[A]` target action values at time t.

    Returns:
        `[]` target minus prediction; gradients flow through `q_tm1` only.
    """
    chex.assert_rank([q_tm1, a_tm1, r_t, discount_t, target_q_t], [1, 0, 0, 0, 1])
    target = r_t + discount_t * jnp.max(target_q_t)
    return jax.lax.stop_gradient(target) - q_tm1[a_tm1]


def agent(config: Config, spec: Spec) -> Agent:
    """Builds DQN for an environment with discrete actions."""
    q_network = networks.action_values(config.network, spec)

    def q_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        del key
        q_tm1 = q_network.apply(params["q"], batch.observation)
        errors = jax.vmap(td_error)(
            q_tm1=q_tm1,
            a_tm1=batch.action,
            r_t=batch.reward,
            discount_t=config.discount * batch.discount,
            target_q_t=q_network.apply(target_params["q"], batch.next_observation),
        )
        loss = jnp.mean(equations.regression_loss(errors, config.loss))
        return loss, equations.value_metrics(q_tm1)

    def q_values(params: Params, key: jax.Array, observation: Any) -> jax.Array:
        del key
        return q_network.apply(params["q"], observation)

    greedy = exploration.greedy(q_values)
    act = exploration.acting(greedy, spec.num_actions, config.exploration)
    return assemble(config, networks={"q": q_network}, losses={"q": q_loss}, act=act)
