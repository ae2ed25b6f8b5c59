"""TD3+BC: TD3 whose policy also imitates the actions of the dataset.

Fujimoto and Gu, "A Minimalist Approach to Offline Reinforcement Learning", NeurIPS
2021, https://arxiv.org/abs/2106.06860. Reference implementation: sfujim/TD3_BC.

| symbol | here |
| --- | --- |
| alpha | `value_weight` |
| lambda | `value_weight` over the mean size of Q1 in the batch |
| sigma tilde, c | `target_noise`, `target_noise_clip` |
| d | `policy_delay`, of the policy and of all target copies |
| gamma, tau | `discount`, `target_step_size` |
| theta_1 and theta_2, phi | networks `critic`, `policy` |

Observations are standardised with the dataset's mean and deviation.

Deviations:
- Weights are initialised as by Glorot and Bengio; the authors' as by PyTorch.
"""

from dataclasses import dataclass

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks, networks, sgd, twin_critics
from agents.parts import continuous_exploration as exploration
from agents.parts import continuous_networks as heads
from agents.parts.contract import Agent, Metrics, Params, Spec, Storage, Transition


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; defaults: the reference implementation's.

    Attributes:
        value_weight: alpha >= 0, weight of the value relative to imitation; 0: only
            imitation.
        target_noise: standard deviation of the noise on the target policy's actions.
        target_noise_clip: bound on the size of that noise.
        policy_delay: learner steps for each update of policy and target copies.
        discount: gamma.
        target_step_size: tau, the step size of the target copies.
        network: torso and widths of the policy and of each critic.
        optimizer: Adam, of each network.
        batch_size: transitions per update.
    """

    value_weight: float = 2.5
    target_noise: float = 0.2
    target_noise_clip: float = 0.5
    policy_delay: int = 2
    discount: float = 0.99
    target_step_size: float = 0.005
    network: networks.Config = networks.Config("mlp", (256, 256))
    optimizer: sgd.Optimizer = sgd.Optimizer(3e-4, 1e-8)
    batch_size: int = 256

    def __post_init__(self) -> None:
        twin_critics.check(self)
        checks.at_least("value_weight", self.value_weight, 0)
        checks.at_least("batch_size", self.batch_size, 1)


def policy_objective(
    q: jax.Array, action: jax.Array, dataset_action: jax.Array, *, value_weight: float
) -> jax.Array:
    """Loss of the policy on a batch.

    Args:
        q: `[B]` values of the policy's actions, of the first critic.
        action: `[B, D]` of the policy.
        dataset_action: `[B, D]` to imitate.
        value_weight: alpha.

    Returns:
        `[]` squared error, mean over batch and dimensions, minus lambda times the mean
        value; no gradient flows through lambda.
    """
    chex.assert_rank([q, action, dataset_action], [1, 2, 2])
    chex.assert_equal_shape([action, dataset_action])
    scale = value_weight / jax.lax.stop_gradient(jnp.mean(jnp.abs(q)))
    return jnp.mean(jnp.square(action - dataset_action)) - scale * jnp.mean(q)


def agent(config: Config, spec: Spec) -> Agent:
    """Builds TD3+BC for an environment with continuous actions."""
    policy = heads.deterministic(config.network, spec)
    critic = heads.critics(config.network, spec, number=2)

    def policy_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        action = policy.apply(params["policy"], batch.observation)
        q = critic.apply(params["critic"][:1], batch.observation, action)[:, 0]
        loss = policy_objective(
            q, action, batch.action, value_weight=config.value_weight
        )
        return loss, {"imitation": jnp.mean(jnp.square(action - batch.action))}

    init, update = twin_critics.learner(
        config,
        policy=policy,
        critic=critic,
        losses={
            "critic": twin_critics.critic_loss(config, policy, critic),
            "policy": policy_loss,
        },
        policy_metrics=("imitation",),
    )
    act = exploration.never_exploring(
        lambda params, observation: policy.apply(params["policy"], observation)
    )
    storage = Storage(batch_size=config.batch_size)
    return Agent(init, update, act, storage, config.discount)
