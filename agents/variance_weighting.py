"""Deep variance weighting: regression weighted by the inverse variance of its target.

Kitamura et al., "Regularization and Variance-Weighted Regression Achieves Minimax
Optimality in Linear MDPs: Theory and Practice", ICML 2023,
https://arxiv.org/abs/2305.13185. Reference implementation: the authors' MinAtar code,
`dqn_minatar.py`.

| symbol | here |
| --- | --- |
| tau | `temperature` |
| alpha | `munchausen` |
| l_0 | `log_policy_floor` |
| f^2 | exp of the network `variance`, plus `variance_floor` |
| eta | exp of the network `scale` |
| gamma | `discount` |

The weighting is applied to M-DQN; with temperature and munchausen 0, to DQN. The
variance of a target is estimated from how far it moved between the previous target
network and the current one.

Deviations:
- Network weights are initialised as by Glorot and Bengio; the authors' as by PyTorch.
"""

import functools
import math
from dataclasses import dataclass
from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax

from agents.parts import checks, equations, exploration, networks, sgd
from agents.parts.contract import (
    Agent,
    Metrics,
    NetworkParams,
    Params,
    Spec,
    Storage,
    Transition,
)
from agents.parts.exploration import EpsilonGreedy
from agents.parts.networks import Network
from agents.parts.value_based import assemble

DVW_DQN = {"temperature": 0.0, "munchausen": 0.0}


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; defaults: M-DQN's on Atari; the first three: the authors'.

    Attributes:
        variance_floor: added to every variance.
        weight_floor: least weight of a transition.
        scale_rate: Adam's learning rate for log eta.
        temperature: tau >= 0; 0 is the limit.
        munchausen: alpha in [0, 1].
        log_policy_floor: l_0 <= 0, lower clip of tau ln pi.
        discount: gamma.
        target_update_period: learner steps between copies of the target networks.
        network: torso and widths, of action values and of variances.
        optimizer: Adam, of both.
        exploration: epsilon-greedy schedule, in actor steps.
        storage: replay, batch size, n-step.
    """

    variance_floor: float = 0.1
    weight_floor: float = 0.1
    scale_rate: float = 1e-3
    temperature: float = 0.03
    munchausen: float = 0.9
    log_policy_floor: float = -1.0
    discount: float = 0.99
    target_update_period: int = 2_000
    network: networks.Config = networks.Config()
    optimizer: sgd.Optimizer = sgd.Optimizer()
    exploration: EpsilonGreedy = EpsilonGreedy()
    storage: Storage = Storage()

    def __post_init__(self) -> None:
        for name in ("variance_floor", "scale_rate"):
            checks.above(name, getattr(self, name), 0)
        for name in ("weight_floor", "temperature"):
            checks.at_least(name, getattr(self, name), 0)
        checks.between("munchausen", self.munchausen, 0, 1)
        checks.between("log_policy_floor", self.log_policy_floor, -math.inf, 0)
        checks.between("discount", self.discount, 0, 1)


def weights(variance: jax.Array, log_scale: jax.Array, floor: float) -> jax.Array:
    """max(eta / variance, floor), in the shape of `variance`; no gradient flows."""
    return jax.lax.stop_gradient(jnp.maximum(jnp.exp(log_scale) / variance, floor))


def scale_error(variance: jax.Array, log_scale: jax.Array) -> jax.Array:
    """(mean of eta / variance - 1)^2, `[]`, minimal where weights have mean 1."""
    chex.assert_rank([variance, log_scale], [1, 0])
    return jnp.square(jnp.mean(jnp.exp(log_scale) / variance) - 1)


def taken(network: Network, params: NetworkParams, batch: Transition) -> jax.Array:
    """Outputs `[B]` of a network for the actions of a batch."""
    return equations.taken(network.apply(params, batch.observation), batch.action)


def targets(
    config: Config, network: Network, q_params: NetworkParams, batch: Transition
) -> jax.Array:
    """M-DQN's targets `[B]`, of the action values with parameters `q_params`."""
    bonus_of = functools.partial(
        equations.log_policy_bonus,
        temperature=config.temperature,
        floor=config.log_policy_floor,
    )
    q_tm1 = network.apply(q_params, batch.observation)
    q_t = network.apply(q_params, batch.next_observation)
    bonus = config.munchausen * jax.vmap(bonus_of)(q_tm1, batch.action)
    soft_v_t = equations.soft_value(q_t, config.temperature)
    return batch.reward + bonus + config.discount * batch.discount * soft_v_t


def variances(
    config: Config, network: Network, params: NetworkParams, batch: Transition
) -> jax.Array:
    """f^2 `[B]` of the actions of a batch, above the floor."""
    return jnp.exp(taken(network, params, batch)) + config.variance_floor


def make_variance_loss(config: Config, network: Network) -> sgd.Loss:
    """Builds the loss of the network `variance`."""

    def variance_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        previous = targets(config, network, target_params["previous_q"], batch)
        seen = jnp.square(previous - taken(network, target_params["q"], batch))
        errors = seen - variances(config, network, params["variance"], batch)
        return jnp.mean(equations.regression_loss(errors, "huber")), {}

    return variance_loss


def make_scale_loss(config: Config, network: Network) -> sgd.Loss:
    """Builds the loss of the network `scale`, log eta."""

    def scale_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        variance = variances(config, network, target_params["variance"], batch)
        log_scale = params["scale"]["log"]
        return scale_error(variance, log_scale), {"log_scale": log_scale}

    return scale_loss


def make_q_loss(config: Config, network: Network) -> sgd.Loss:
    """Builds the loss of the network `q`, a weighted regression."""

    def q_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        variance = variances(config, network, target_params["variance"], batch)
        weight = weights(variance, params["scale"]["log"], config.weight_floor)
        q_tm1 = network.apply(params["q"], batch.observation)
        target = targets(config, network, target_params["q"], batch)
        errors = target - equations.taken(q_tm1, batch.action)
        loss = jnp.mean(weight * jnp.square(errors))
        metrics = equations.value_metrics(q_tm1) | {"weight_mean": jnp.mean(weight)}
        return loss, metrics

    return q_loss


def agent(config: Config, spec: Spec) -> Agent:
    """Builds DVW for an environment with discrete actions."""
    network = networks.action_values(config.network, spec)

    def q_values(params: Params, key: jax.Array, observation: Any) -> jax.Array:
        del key
        return network.apply(params["q"], observation)

    greedy = exploration.greedy(q_values)
    return assemble(
        config,
        networks={
            "variance": network,
            "scale": networks.scalars({"log": 1.0}),
            "q": network,
        },
        losses={
            "variance": make_variance_loss(config, network),
            "scale": make_scale_loss(config, network),
            "q": make_q_loss(config, network),
        },
        act=exploration.acting(greedy, spec.num_actions, config.exploration),
        optimizers={"scale": optax.adam(config.scale_rate)},
        copy=lambda params, targets, steps: {**params, "previous_q": targets["q"]},
        first_targets=lambda params: {**params, "previous_q": params["q"]},
    )
