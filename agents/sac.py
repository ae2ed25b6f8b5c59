"""Soft actor-critic with a learned temperature.

Haarnoja et al., "Soft Actor-Critic Algorithms and Applications", 2018,
https://arxiv.org/abs/1812.05905.

| symbol | here |
| --- | --- |
| alpha | exp of the network `temperature` |
| H bar | `target_entropy`, for each of the D dimensions of an action |
| gamma | `discount` |
| tau | `target_step_size` |
| theta_1, theta_2 | network `critic` |
| phi | network `policy` |

Deviations:
- The logarithm of alpha is learned, as in the authors' code.
- The policy's standard deviations lie between e^-5 and e^2, bounded smoothly; the
  authors clip them at e^-20 and e^2.
- The order of updates is critic, policy, temperature, each with actions drawn afresh.
"""

from dataclasses import dataclass

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks, networks, sgd
from agents.parts import continuous_exploration as exploration
from agents.parts import continuous_networks as heads
from agents.parts.continuous_exploration import UPDATE_EACH_STEP, RandomStart
from agents.parts.continuous_networks import Critic, Policy
from agents.parts.contract import Agent, Metrics, Params, Spec, Storage, Transition


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; defaults: those of the paper's table 1 in common use today.

    Attributes:
        initial_temperature: alpha > 0 at the start, in units of the reward.
        target_entropy: policy entropy that the temperature aims at, in nats for each
            action dimension, at most ln 2, which uniform actions have.
        discount: gamma.
        target_step_size: tau, the step size of the target copies.
        network: torso and widths of the policy and of each critic.
        optimizer: Adam, of each network and of the temperature.
        exploration: random actions at the start; then the policy is sampled.
        storage: replay, batch size, n-step.
    """

    initial_temperature: float = 1.0
    target_entropy: float = -1.0
    discount: float = 0.99
    target_step_size: float = 0.005
    network: networks.Config = networks.Config("mlp", (256, 256))
    optimizer: sgd.Optimizer = sgd.Optimizer(3e-4, 1e-8)
    exploration: RandomStart = RandomStart()
    storage: Storage = UPDATE_EACH_STEP

    def __post_init__(self) -> None:
        checks.above("initial_temperature", self.initial_temperature, 0)
        heads.check_target_entropy(self.target_entropy)
        checks.between("discount", self.discount, 0, 1)
        checks.fraction("target_step_size", self.target_step_size)


def critic_error(
    q_tm1: jax.Array,
    r_t: jax.Array,
    discount_t: jax.Array,
    target_q_t: jax.Array,
    log_policy_t: jax.Array,
    temperature: jax.Array,
) -> jax.Array:
    """Soft TD errors of the critics at one transition.

    Args:
        q_tm1: `[C]` online values of the action taken at time t-1.
        r_t: `[]` reward.
        discount_t: `[]` gamma, or 0 if the episode terminated.
        target_q_t: `[C]` target values of an action of the policy at time t.
        log_policy_t: `[]` ln pi of that action.
        temperature: `[]` alpha.

    Returns:
        `[C]` target minus predictions; gradients flow through `q_tm1` only.
    """
    chex.assert_rank([q_tm1, target_q_t], 1)
    chex.assert_rank([r_t, discount_t, log_policy_t, temperature], 0)
    soft_v_t = jnp.min(target_q_t) - temperature * log_policy_t
    return jax.lax.stop_gradient(r_t + discount_t * soft_v_t) - q_tm1


def make_critic_loss(config: Config, policy: Policy, critic: Critic) -> sgd.Loss:
    """Builds the loss of the network `critic`, summed over its critics."""

    def critic_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        distribution = policy.apply(params["policy"], batch.next_observation)
        a_t, log_policy_t = distribution.sample_and_log_prob(key)
        target_q_t = critic.apply(target_params["critic"], batch.next_observation, a_t)
        q_tm1 = critic.apply(params["critic"], batch.observation, batch.action)
        errors = jax.vmap(critic_error, in_axes=(0, 0, 0, 0, 0, None))(
            q_tm1,
            batch.reward,
            config.discount * batch.discount,
            target_q_t,
            log_policy_t,
            jnp.exp(params["temperature"]),
        )
        loss = 0.5 * jnp.sum(jnp.mean(jnp.square(errors), axis=0))
        return loss, {"q_mean": jnp.mean(q_tm1)}

    return critic_loss


def make_policy_loss(policy: Policy, critic: Critic) -> sgd.Loss:
    """Builds the loss of the network `policy`: alpha ln pi - Q of its actions."""

    def policy_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        distribution = policy.apply(params["policy"], batch.observation)
        action, log_policy = distribution.sample_and_log_prob(key)
        q = jnp.min(critic.apply(params["critic"], batch.observation, action), axis=-1)
        loss = jnp.mean(jnp.exp(params["temperature"]) * log_policy - q)
        return loss, {"entropy": -jnp.mean(log_policy)}

    return policy_loss


def make_temperature_loss(policy: Policy, target_entropy: float) -> sgd.Loss:
    """Builds the loss of the network `temperature`, which is ln alpha.

    alpha falls while the policy's entropy exceeds `target_entropy`, in nats.
    """

    def temperature_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        distribution = policy.apply(params["policy"], batch.observation)
        _, log_policy = distribution.sample_and_log_prob(key)
        excess = -jnp.mean(log_policy) - target_entropy
        log_temperature = params["temperature"]
        return log_temperature * excess, {"temperature": jnp.exp(log_temperature)}

    return temperature_loss


def agent(config: Config, spec: Spec) -> Agent:
    """Builds SAC for an environment with continuous actions."""
    policy = heads.tanh_gaussian(config.network, spec)
    critic = heads.critics(config.network, spec, number=2)
    target_entropy = config.target_entropy * heads.action_size(spec)

    losses = {
        "critic": make_critic_loss(config, policy, critic),
        "policy": make_policy_loss(policy, critic),
        "temperature": make_temperature_loss(policy, target_entropy),
    }
    init, update = sgd.learner(
        networks={
            "critic": critic.init,
            "policy": policy.init,
            "temperature": lambda key: jnp.log(jnp.float32(config.initial_temperature)),
        },
        losses=losses,
        optimizers={name: config.optimizer.make() for name in losses},
        target_update=sgd.polyak(config.target_step_size),
    )

    act = exploration.sampling(
        lambda params, observation: policy.apply(params["policy"], observation),
        spec,
        start=config.exploration.start,
    )
    return Agent(init, update, act, config.storage, config.discount)
