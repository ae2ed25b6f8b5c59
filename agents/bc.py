"""Behavioural cloning: a deterministic policy that imitates the actions of a dataset.

No paper defines it; papers that learn from a dataset compare with it. Reference
implementation: tinkoff-ai/CORL, `algorithms/offline/any_percent_bc.py`, on all data.

Deviations:
- Weights are initialised as by Glorot and Bengio; the reference's as by PyTorch.
"""

from dataclasses import dataclass

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks, networks, sgd
from agents.parts import continuous_exploration as exploration
from agents.parts import continuous_networks as heads
from agents.parts.contract import Agent, Metrics, Params, Spec, Storage, Transition


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; defaults: the reference implementation's.

    Attributes:
        discount: gamma; learning does not depend on it.
        network: torso and widths of the policy.
        optimizer: Adam.
        batch_size: transitions per update.
    """

    discount: float = 0.99
    network: networks.Config = networks.Config("mlp", (256, 256))
    optimizer: sgd.Optimizer = sgd.Optimizer(3e-4, 1e-8)
    batch_size: int = 256

    def __post_init__(self) -> None:
        checks.between("discount", self.discount, 0, 1)
        checks.at_least("batch_size", self.batch_size, 1)


def squared_error(action: jax.Array, dataset_action: jax.Array) -> jax.Array:
    """Squared error of imitation at one observation.

    Args:
        action: `[D]` of the policy.
        dataset_action: `[D]` to imitate.

    Returns:
        `[]` mean over dimensions.
    """
    chex.assert_rank([action, dataset_action], 1)
    chex.assert_equal_shape([action, dataset_action])
    return jnp.mean(jnp.square(action - dataset_action))


def agent(config: Config, spec: Spec) -> Agent:
    """Builds behavioural cloning for an environment with continuous actions."""
    policy = heads.deterministic(config.network, spec)

    def policy_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        action = policy.apply(params["policy"], batch.observation)
        return jnp.mean(jax.vmap(squared_error)(action, batch.action)), {}

    act = exploration.never_exploring(
        lambda params, observation: policy.apply(params["policy"], observation)
    )
    init, update = sgd.learner(
        networks={"policy": policy.init},
        losses={"policy": policy_loss},
        optimizers={"policy": config.optimizer.make()},
    )
    storage = Storage(batch_size=config.batch_size)
    return Agent(init, update, act, storage, config.discount)
