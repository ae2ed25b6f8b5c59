"""Munchausen DQN: soft Q-learning that adds the scaled log-policy to the reward.

Vieillard, Pietquin and Geist, "Munchausen Reinforcement Learning", NeurIPS 2020,
https://arxiv.org/abs/2007.14430. Reference implementation: google-research,
`munchausen_rl/agents/m_dqn.py`.

| symbol | here |
| --- | --- |
| tau | `temperature` |
| alpha | `munchausen` |
| l_0 | `log_policy_floor` |
| gamma | `discount` |
| theta, theta bar | `params`, `target_params` |

The added term is implicitly a KL penalty of weight alpha tau between consecutive
policies, plus an entropy bonus of weight (1 - alpha) tau (Theorem 1).

Two limits are registered by name: at alpha = 0 the algorithm is Soft-DQN; at tau -> 0
it is Advantage Learning, with an action gap that is not clipped, as in the authors'
`al_dqn.py`.

Deviations:
- tau ln pi is clipped from above at 0 as in the paper, where the reference clips at 1;
  neither bound is ever reached.
- Convolutions have no padding, as in the Nature paper; the reference pads them, as the
  torso `nature_padded` does.
- With n-step returns only the first step gets the log-policy, as in the reference.
"""

import functools
import math
from dataclasses import dataclass
from typing import Any

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks, equations, exploration, networks, sgd
from agents.parts.contract import Agent, Metrics, Params, Spec, Storage, Transition
from agents.parts.exploration import Acting, EpsilonGreedy
from agents.parts.value_based import assemble


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; defaults: the authors' `train.py` and `configs/atari.gin`.

    Attributes:
        temperature: tau >= 0, in units of the clipped reward; 0 is the limit.
        munchausen: alpha in [0, 1]; 0 is soft DQN.
        log_policy_floor: l_0 <= 0, lower clip of tau ln pi.
        discount: gamma.
        loss: regression of the TD error.
        target_update_period: learner steps between copies of the target network.
        network: torso and widths.
        optimizer: Adam.
        exploration: epsilon-greedy schedule, in actor steps.
        storage: replay, batch size, n-step.
        acting: greedy: the action of the largest value; stochastic: softmax(q / tau),
            also in evaluation; either with epsilon.
    """

    temperature: float = 0.03
    munchausen: float = 0.9
    log_policy_floor: float = -1.0
    discount: float = 0.99
    loss: equations.Regression = "huber"
    target_update_period: int = 2_000
    network: networks.Config = networks.Config()
    optimizer: sgd.Optimizer = sgd.Optimizer()
    exploration: EpsilonGreedy = EpsilonGreedy()
    storage: Storage = Storage()
    acting: Acting = "greedy"

    def __post_init__(self) -> None:
        checks.at_least("temperature", self.temperature, 0)
        if self.acting == "stochastic":
            checks.above("temperature", self.temperature, 0)
        checks.between("munchausen", self.munchausen, 0, 1)
        checks.between("log_policy_floor", self.log_policy_floor, -math.inf, 0)
        checks.between("discount", self.discount, 0, 1)


SOFT_DQN = {"munchausen": 0.0}
ADVANTAGE_LEARNING = {"temperature": 0.0, "log_policy_floor": -math.inf}


def td_error(
    q_tm1: jax.Array,
    a_tm1: jax.Array,
    r_t: jax.Array,
    discount_t: jax.Array,
    target_q_tm1: jax.Array,
    target_q_t: jax.Array,
    *,
    temperature: float,
    munchausen: float,
    log_policy_floor: float,
) -> jax.Array:
    """Munchausen TD error of one transition.

    The policies at time t-1 and at time t are both those of the target network.

    Args:
        q_tm1: `[A]` online action values at time t-1.
        a_tm1: `[]` action taken at time t-1.
        r_t: `[]` reward.
        discount_t: `[]` gamma, or 0 if the episode terminated.
        target_q_tm1: `[A]` target action values at time t-1.
        target_q_t: `[A]` target action values at time t.
        temperature: tau.
        munchausen: alpha.
        log_policy_floor: l_0, lower clip of tau ln pi.

    Returns:
        `[]` target minus prediction; gradients flow through `q_tm1` only.

    Source: M-VI, Eq. (3), sampled; the bootstrap <pi, q - tau ln pi> is a log-sum-exp.
    """
    chex.assert_rank([q_tm1, a_tm1, r_t, discount_t], [1, 0, 0, 0])
    chex.assert_rank([target_q_tm1, target_q_t], 1)
    bonus = equations.log_policy_bonus(
        target_q_tm1, a_tm1, temperature=temperature, floor=log_policy_floor
    )
    soft_v_t = equations.soft_value(target_q_t, temperature)
    target = r_t + munchausen * bonus + discount_t * soft_v_t
    return jax.lax.stop_gradient(target) - q_tm1[a_tm1]


def agent(config: Config, spec: Spec) -> Agent:
    """Builds M-DQN for an environment with discrete actions."""
    q_network = networks.action_values(config.network, spec)
    error = functools.partial(
        td_error,
        temperature=config.temperature,
        munchausen=config.munchausen,
        log_policy_floor=config.log_policy_floor,
    )

    def q_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        del key
        q_tm1 = q_network.apply(params["q"], batch.observation)
        errors = jax.vmap(error)(
            q_tm1=q_tm1,
            a_tm1=batch.action,
            r_t=batch.reward,
            discount_t=config.discount * batch.discount,
            target_q_tm1=q_network.apply(target_params["q"], batch.observation),
            target_q_t=q_network.apply(target_params["q"], batch.next_observation),
        )
        loss = jnp.mean(equations.regression_loss(errors, config.loss))
        return loss, equations.value_metrics(q_tm1)

    def q_values(params: Params, key: jax.Array, observation: Any) -> jax.Array:
        del key
        return q_network.apply(params["q"], observation)

    choose = exploration.greedy(q_values)
    if config.acting == "stochastic":
        choose = exploration.softmax(q_values, config.temperature)
    act = exploration.acting(choose, spec.num_actions, config.exploration)
    return assemble(config, networks={"q": q_network}, losses={"q": q_loss}, act=act)
