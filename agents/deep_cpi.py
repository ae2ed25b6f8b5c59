"""Deep Conservative Policy Iteration: a policy that moves to the greedy one in steps.

Vieillard, Pietquin and Geist, "Deep Conservative Policy Iteration", AAAI 2020,
https://arxiv.org/abs/1906.09784.

| symbol | here |
| --- | --- |
| alpha | `mixing_rate` |
| G(q) | the greedy policy |
| pi, q | `policy`, `q` |
| gamma | `discount` |

    pi_{k+1} = (1 - alpha) pi_k + alpha G(q_k),    q_{k+1} = r + gamma P <pi_{k+1}, q_k>

Deviations (only an outline of the paper's body was available):
- The policy imitates the mixture by cross-entropy: KL(mixture || pi), whose gradient is
  bounded wherever the mixture puts its mass.
- pi_k and q_k are the target networks; pi_{k+1} in the critic's target is the online
  policy. With rate 1 and a policy that imitates perfectly, the critic's target is
  DQN's, but the policy is greedy in the target network, where DQN's is greedy in the
  online network.
- The adaptive rate is ours. With A(s) = <G(q) - pi, q>(s), the bound of Kakade and
  Langford (2002) asks for a rate proportional to E[A] / r_max, that of Pirotta et al.
  (2013) for E[A] / max A, both with a factor of the horizon that makes them tiny. Ours
  is c E[A] / max A, clipped to [0, 1], where c is `mixing_rate`; the mean and the
  maximum over a batch are averaged exponentially.
"""

from dataclasses import dataclass
from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax

from agents.parts import checks, equations, exploration, networks, sgd
from agents.parts.contract import Agent, Metrics, Params, Spec, Storage, Transition
from agents.parts.exploration import EpsilonGreedy
from agents.parts.networks import Network
from agents.parts.value_based import assemble


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; defaults: DQN's, where the paper adds none.

    Attributes:
        mixing_rate: alpha in [0, 1]; if adaptive, the factor c >= 0.
        adaptive: whether the rate follows the advantage of the greedy policy.
        averaging_rate: of the exponential averages behind the adaptive rate.
        discount: gamma.
        loss: regression of the TD error.
        target_update_period: learner steps between copies of the target networks.
        network: torso and widths, of each network.
        optimizer: Adam.
        exploration: how often a random action replaces the policy's.
        storage: replay, batch size, n-step.
    """

    mixing_rate: float = 0.1
    adaptive: bool = False
    averaging_rate: float = 0.01
    discount: float = 0.99
    loss: equations.Regression = "huber"
    target_update_period: int = 2_000
    network: networks.Config = networks.Config()
    optimizer: sgd.Optimizer = sgd.Optimizer()
    exploration: EpsilonGreedy = EpsilonGreedy()
    storage: Storage = Storage()

    def __post_init__(self) -> None:
        checks.at_least("mixing_rate", self.mixing_rate, 0)
        if not self.adaptive:
            checks.between("mixing_rate", self.mixing_rate, 0, 1)
        checks.fraction("averaging_rate", self.averaging_rate)
        checks.between("discount", self.discount, 0, 1)


def mixture(probs: jax.Array, q: jax.Array, rate: jax.Array) -> jax.Array:
    """(1 - alpha) pi + alpha G(q), `[A]`, of probabilities and action values `[A]`."""
    chex.assert_rank([probs, q, rate], [1, 1, 0])
    return (1 - rate) * probs + rate * jax.nn.one_hot(jnp.argmax(q), len(q))


def greedy_advantage(probs: jax.Array, q: jax.Array) -> jax.Array:
    """<G(q) - pi, q> >= 0, `[]`, of probabilities and action values `[A]`."""
    chex.assert_rank([probs, q], 1)
    return jnp.max(q) - jnp.sum(probs * q)


def adaptive_rate(mean: jax.Array, largest: jax.Array, factor: float) -> jax.Array:
    """Rate c E[A] / max A in [0, 1], `[]`; 0 if no advantage is left."""
    return jnp.clip(factor * mean / jnp.maximum(largest, 1e-8), 0.0, 1.0)


def probabilities(network: Network, params: Params, observation: Any) -> jax.Array:
    """The policy's probabilities `[B, A]` at observations `[B, ...]`."""
    return jax.nn.softmax(network.apply(params["policy"], observation))


def make_advantage_loss(network: Network) -> sgd.Loss:
    """Builds the loss of the two averages behind the adaptive rate.

    A gradient step of size x on it updates the exponential averages with rate x.
    """

    def advantage_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        advantage = jax.vmap(greedy_advantage)(
            probabilities(network, target_params, batch.observation),
            network.apply(target_params["q"], batch.observation),
        )
        mean, largest = jnp.mean(advantage), jnp.max(advantage)
        averages = params["advantage"]
        loss = optax.l2_loss(averages["mean"], mean)
        return loss + optax.l2_loss(averages["largest"], largest), {"advantage": mean}

    return advantage_loss


def make_policy_loss(config: Config, network: Network) -> sgd.Loss:
    """Builds the loss of the network `policy`: cross-entropy to the mixture."""

    def policy_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        rate = jnp.asarray(config.mixing_rate)
        if config.adaptive:
            rate = adaptive_rate(**params["advantage"], factor=config.mixing_rate)
        goal = jax.vmap(mixture, in_axes=(0, 0, None))(
            probabilities(network, target_params, batch.observation),
            network.apply(target_params["q"], batch.observation),
            rate,
        )
        logits = network.apply(params["policy"], batch.observation)
        loss = optax.softmax_cross_entropy(logits, goal)
        return jnp.mean(loss), {"mixing_rate": rate}

    return policy_loss


def make_q_loss(config: Config, network: Network) -> sgd.Loss:
    """Builds the loss of the network `q`: regression on r + gamma <pi_{k+1}, q_k>."""

    def q_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        q_tm1 = network.apply(params["q"], batch.observation)
        q_t = network.apply(target_params["q"], batch.next_observation)
        policy_t = probabilities(network, params, batch.next_observation)
        v_t = jnp.sum(policy_t * q_t, axis=-1)
        target = batch.reward + config.discount * batch.discount * v_t
        return equations.q_regression(q_tm1, batch.action, target, config.loss)

    return q_loss


def agent(config: Config, spec: Spec) -> Agent:
    """Builds Deep CPI for an environment with discrete actions."""
    network = networks.action_values(config.network, spec)

    parts = {"policy": network, "q": network}
    losses = {
        "policy": make_policy_loss(config, network),
        "q": make_q_loss(config, network),
    }
    if config.adaptive:
        parts["advantage"] = networks.scalars({"mean": 0.0, "largest": 0.0})
        losses = {"advantage": make_advantage_loss(network), **losses}

    def logits(params: Params, observation: Any) -> jax.Array:
        return network.apply(params["policy"], observation)

    sampled = exploration.sampled(logits)
    return assemble(
        config,
        networks=parts,
        losses=losses,
        act=exploration.acting(sampled, spec.num_actions, config.exploration),
        optimizers={"advantage": optax.sgd(config.averaging_rate)},
    )
