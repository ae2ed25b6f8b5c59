"""Double DQN: the online network chooses the action that the target network values.

van Hasselt, Guez and Silver, "Deep Reinforcement Learning with Double Q-learning", AAAI
2016, https://arxiv.org/abs/1509.06461, Eq. (4).
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from agents.parts import checks, equations, exploration, networks, sgd
from agents.parts.contract import Agent, Metrics, Params, Spec, Storage, Transition
from agents.parts.exploration import EpsilonGreedy
from agents.parts.value_based import assemble


@dataclass(frozen=True)
class Config:
    """Hyper-parameters.

    Attributes:
        mixture: share of the double target; the rest is DQN's.
        discount: gamma.
        target_update_period: learner steps between copies of the target network.
        network: torso and widths.
        optimizer: Adam.
        exploration: epsilon-greedy schedule, in actor steps.
        storage: replay, batch size, n-step.
    """

    mixture: float = 1.0
    discount: float = 0.99
    target_update_period: int = 100
    network: networks.Config = networks.Config("mlp", (32,))
    optimizer: sgd.Optimizer = sgd.Optimizer(learning_rate=1e-3)
    exploration: EpsilonGreedy = EpsilonGreedy()
    storage: Storage = Storage(capacity=10_000, min_size=100)

    def __post_init__(self) -> None:
        checks.between("mixture", self.mixture, 0, 1)


HASTY = {"target_update_period": 5}


def agent(config: Config, spec: Spec) -> Agent:
    """Builds double DQN for an environment with discrete actions."""
    q_network = networks.action_values(config.network, spec)

    def q_loss(
        params: Params, targets: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        q_tm1 = q_network.apply(params["q"], batch.observation)
        online = q_network.apply(params["q"], batch.next_observation)
        target = q_network.apply(targets["q"], batch.next_observation)
        rows = jnp.arange(len(target))
        double = target[rows, jnp.argmax(online, axis=1)]
        value = config.mixture * double + (1 - config.mixture) * target.max(axis=1)
        wanted = batch.reward + config.discount * batch.discount * value
        errors = jax.lax.stop_gradient(wanted) - q_tm1[rows, batch.action]
        return jnp.mean(equations.regression_loss(errors, "huber")), {}

    def q_values(params: Params, key: jax.Array, observation: Any) -> jax.Array:
        return q_network.apply(params["q"], observation)

    act = exploration.acting(
        exploration.greedy(q_values), spec.num_actions, config.exploration
    )
    return assemble(config, networks={"q": q_network}, losses={"q": q_loss}, act=act)
