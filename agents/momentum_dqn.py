"""Momentum DQN (deep MoVI): acts greedily on an average of action values.

Vieillard, Scherrer, Pietquin and Geist, "Momentum in Reinforcement Learning", AISTATS
2020, https://arxiv.org/abs/1910.09322; with a fixed average as in Vieillard et al.,
"Leverage the Average", NeurIPS 2020, https://arxiv.org/abs/2003.14089, App. B.2.

| symbol | here |
| --- | --- |
| beta | `averaging` |
| q, h | `q`, `h` |
| gamma | `discount` |

    q_{k+1} = r + gamma P <G(h_k), q_k>,    h_{k+1} = beta h_k + (1 - beta) q_{k+1}

Averaging the values averages out their errors. It is the limit of KL-regularised dual
averaging in which the weight of the KL goes to 0.

Deviations:
- The authors name the online network (Sec. 5) and the target network (App. E.1) as the
  q that h averages; here it is the online one, which stands for q_{k+1}.
- h regresses on all actions, since q has values of all.
- The first paper's schedule of beta was not available. `decaying` is the schedule that
  it imitates: beta_k = k / (k + 1) with k the copies of the target network so far,
  which makes h the plain average of all q. The default, fixed, follows the second
  paper; its value is ours.
"""

import functools
from dataclasses import dataclass
from typing import Any, Literal

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks, equations, exploration, networks, sgd
from agents.parts.contract import Agent, Metrics, Params, Spec, Storage, Transition
from agents.parts.exploration import EpsilonGreedy
from agents.parts.value_based import assemble


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; defaults: DQN's, where the paper adds none.

    Attributes:
        averaging: beta in [0, 1], the weight of the past in h; unused if decaying.
        schedule: fixed: beta is constant; decaying: h is the plain average of all q.
        discount: gamma.
        loss: regression of the errors of q and h.
        target_update_period: learner steps between copies of the target networks.
        network: torso and widths, of each network.
        optimizer: Adam.
        exploration: epsilon-greedy schedule, in actor steps.
        storage: replay, batch size, n-step.
    """

    averaging: float = 0.9
    schedule: Literal["fixed", "decaying"] = "fixed"
    discount: float = 0.99
    loss: equations.Regression = "huber"
    target_update_period: int = 2_000
    network: networks.Config = networks.Config()
    optimizer: sgd.Optimizer = sgd.Optimizer()
    exploration: EpsilonGreedy = EpsilonGreedy()
    storage: Storage = Storage()

    def __post_init__(self) -> None:
        checks.between("averaging", self.averaging, 0, 1)
        checks.between("discount", self.discount, 0, 1)


def q_target(
    r_t: jax.Array, discount_t: jax.Array, target_q_t: jax.Array, target_h_t: jax.Array
) -> jax.Array:
    """Target r + gamma q(s', argmax h(s', .)), `[]`, of one transition.

    Args:
        r_t: `[]` reward.
        discount_t: `[]` gamma, or 0 if the episode terminated.
        target_q_t: `[A]` target action values at time t.
        target_h_t: `[A]` target average at time t.
    """
    chex.assert_rank([r_t, discount_t, target_q_t, target_h_t], [0, 0, 1, 1])
    return r_t + discount_t * target_q_t[jnp.argmax(target_h_t)]


def h_target(q: jax.Array, target_h: jax.Array, averaging: jax.Array) -> jax.Array:
    """Target beta h + (1 - beta) q, in the shape of `q` and `target_h`."""
    chex.assert_equal_shape([q, target_h])
    return jax.lax.stop_gradient(averaging * target_h + (1 - averaging) * q)


def with_averaging(
    config: Config, params: Params, steps: jax.Array | int = 0
) -> Params:
    """The networks and `averaging`, beta_k; k is the number of target copies so far."""
    copies = steps // config.target_update_period
    fixed = config.schedule == "fixed"
    averaging = config.averaging if fixed else copies / (copies + 1)
    return {**params, "averaging": jnp.asarray(averaging, jnp.float32)}


def agent(config: Config, spec: Spec) -> Agent:
    """Builds Momentum DQN for an environment with discrete actions."""
    network = networks.action_values(config.network, spec)

    def q_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        q_tm1 = network.apply(params["q"], batch.observation)
        target = jax.vmap(q_target)(
            r_t=batch.reward,
            discount_t=config.discount * batch.discount,
            target_q_t=network.apply(target_params["q"], batch.next_observation),
            target_h_t=network.apply(target_params["h"], batch.next_observation),
        )
        return equations.q_regression(q_tm1, batch.action, target, config.loss)

    def h_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        h = network.apply(params["h"], batch.observation)
        target = h_target(
            network.apply(params["q"], batch.observation),
            network.apply(target_params["h"], batch.observation),
            target_params["averaging"],
        )
        loss = jnp.mean(equations.regression_loss(target - h, config.loss))
        return loss, {"averaging": target_params["averaging"]}

    def h_values(params: Params, key: jax.Array, observation: Any) -> jax.Array:
        del key
        return network.apply(params["h"], observation)

    greedy = exploration.greedy(h_values)
    return assemble(
        config,
        networks={"q": network, "h": network},
        losses={"q": q_loss, "h": h_loss},
        act=exploration.acting(greedy, spec.num_actions, config.exploration),
        copy=lambda params, targets, steps: with_averaging(config, params, steps),
        first_targets=functools.partial(with_averaging, config),
    )
