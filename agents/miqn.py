"""Munchausen IQN: a distributional learner that adds the log-policy to the reward.

Vieillard, Pietquin and Geist, "Munchausen Reinforcement Learning", NeurIPS 2020,
https://arxiv.org/abs/2007.14430. Reference implementation: google-research,
`munchausen_rl/agents/m_iqn.py`.

| symbol | here |
| --- | --- |
| tau (of the policy) | `temperature` |
| alpha | `munchausen` |
| l_0 | `log_policy_floor` |
| N | `online_fractions` |
| N' | `target_fractions` |
| K | `policy_fractions` |
| sigma | `fractions` |
| Z | `z`, the quantile function of the return |
| gamma | `discount` |

An update evaluates networks four times: the online network's quantiles at s, the target
network's quantiles at s', and the target network's action values at s and at s', each
with fractions drawn afresh.

Deviations:
- Returns have one step, as in the authors' gin file. A third party takes the paper to
  mean three-step returns: set `storage.n_step` to 3. On CartPole the agent solves
  the task with three steps and not with one (one seed each).
- With n-step returns only the first step gets the log-policy.
- Convolutions have no padding, as in the Nature paper; the reference pads them.
"""

import functools
import math
from dataclasses import dataclass
from typing import Any

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks, equations, exploration, networks, quantiles, sgd
from agents.parts.contract import Agent, Metrics, Params, Spec, Storage, Transition
from agents.parts.exploration import Acting, EpsilonGreedy
from agents.parts.value_based import assemble


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; defaults: the authors' `train.py` and `configs/atari.gin`.

    Attributes:
        temperature: tau > 0, in units of the clipped reward.
        munchausen: alpha in [0, 1].
        log_policy_floor: l_0 <= 0, lower clip of tau ln pi.
        online_fractions: N, quantiles predicted in an update.
        target_fractions: N', samples of the target distribution.
        policy_fractions: K, quantiles averaged into an action value.
        cosines: size of the embedding of a fraction.
        discount: gamma.
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
    online_fractions: int = 64
    target_fractions: int = 64
    policy_fractions: int = 32
    cosines: int = 64
    discount: float = 0.99
    target_update_period: int = 2_000
    network: networks.Config = networks.Config()
    optimizer: sgd.Optimizer = sgd.Optimizer()
    exploration: EpsilonGreedy = EpsilonGreedy()
    storage: Storage = Storage()
    acting: Acting = "greedy"

    def __post_init__(self) -> None:
        checks.above("temperature", self.temperature, 0)
        checks.between("munchausen", self.munchausen, 0, 1)
        checks.between("log_policy_floor", self.log_policy_floor, -math.inf, 0)
        checks.between("discount", self.discount, 0, 1)
        for name in ("online", "target", "policy"):
            checks.at_least(f"{name}_fractions", getattr(self, f"{name}_fractions"), 1)
        checks.at_least("cosines", self.cosines, 1)


def targets(
    bonus: jax.Array,
    r_t: jax.Array,
    discount_t: jax.Array,
    target_z_t: jax.Array,
    target_q_t: jax.Array,
    temperature: float,
) -> jax.Array:
    """Samples of the target distribution of one transition.

    Args:
        bonus: `[]` alpha [tau ln pi(a|s)] clipped, of `equations.log_policy_bonus`.
        r_t: `[]` reward.
        discount_t: `[]` gamma, or 0 if the episode terminated.
        target_z_t: `[N', A]` quantiles of the target network at time t.
        target_q_t: `[A]` action values of the target network at time t; the policy is
            softmax(q / tau) of them.
        temperature: tau.

    Returns:
        `[N']` r + bonus + gamma <pi(s'), Z(s') - tau ln pi(s')>.

    Source: Munchausen RL, the M-IQN target; `m_iqn.py`.
    """
    chex.assert_rank([bonus, r_t, discount_t, target_z_t, target_q_t], [0, 0, 0, 2, 1])
    log_policy = equations.scaled_log_softmax(target_q_t, temperature)
    policy = jnp.exp(log_policy / temperature)
    soft_z_t = jnp.sum((target_z_t - log_policy[None, :]) * policy[None, :], axis=-1)
    return r_t + bonus + discount_t * soft_z_t


def agent(config: Config, spec: Spec) -> Agent:
    """Builds M-IQN for an environment with discrete actions."""
    z_network = networks.quantile_values(config.network, spec, config.cosines)
    log_policy = functools.partial(
        equations.log_policy_bonus,
        temperature=config.temperature,
        floor=config.log_policy_floor,
    )

    def q_values(params: Params, key: jax.Array, observation: Any) -> jax.Array:
        return quantiles.values(
            z_network, params["z"], key, observation, config.policy_fractions
        )

    def z_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        keys = jax.random.split(key, 4)
        sample = functools.partial(quantiles.sample, z_network)
        s_tm1, s_t = batch.observation, batch.next_observation
        z_tm1 = sample(params["z"], keys[0], s_tm1, config.online_fractions)
        z_t = sample(target_params["z"], keys[1], s_t, config.target_fractions).z
        q_tm1 = q_values(target_params, keys[2], s_tm1)

        samples = jax.vmap(functools.partial(targets, temperature=config.temperature))(
            bonus=config.munchausen * jax.vmap(log_policy)(q_tm1, batch.action),
            r_t=batch.reward,
            discount_t=config.discount * batch.discount,
            target_z_t=z_t,
            target_q_t=q_values(target_params, keys[3], s_t),
        )
        losses = quantiles.regression_loss(z_tm1, batch.action, samples)
        return jnp.mean(losses), equations.value_metrics(jnp.mean(z_tm1.z, axis=1))

    choose = exploration.greedy(q_values)
    if config.acting == "stochastic":
        choose = exploration.softmax(q_values, config.temperature)
    act = exploration.acting(choose, spec.num_actions, config.exploration)
    return assemble(config, networks={"z": z_network}, losses={"z": z_loss}, act=act)
