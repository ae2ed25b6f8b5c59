"""Twin critics and a deterministic policy, for TD3 and the papers built on it.

Source: Fujimoto, van Hoof and Meger, "Addressing Function Approximation Error in
Actor-Critic Methods", ICML 2018, and its reference implementation, sfujim/TD3.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks, sgd
from agents.parts.continuous_networks import Critic, Policy
from agents.parts.contract import (
    Init,
    Metrics,
    NetworkParams,
    Params,
    Transition,
    Update,
)
from agents.parts.delays import Delay

# (params, key, batch, action [B, D] at time t) -> [B], added to the target values;
# `key` is consumed.
TargetBonus = Callable[[Params, jax.Array, Transition, jax.Array], jax.Array]


class Settings(Protocol):
    """Fields that the configuration of each of these papers has."""

    @property
    def target_noise(self) -> float:
        """Standard deviation of the noise on the target policy's actions."""

    @property
    def target_noise_clip(self) -> float:
        """Bound on the size of that noise."""

    @property
    def policy_delay(self) -> int:
        """Learner steps for each update of the policy and the target copies."""

    @property
    def discount(self) -> float:
        """Gamma."""

    @property
    def target_step_size(self) -> float:
        """Tau, the step size of the target copies."""

    @property
    def optimizer(self) -> sgd.Optimizer:
        """Optimiser of both networks, with a separate state for each."""


def check(config: Settings) -> None:
    """Raises InvalidSetting if a setting is out of range or not among its choices."""
    checks.choices(config)
    for name in ("target_noise", "target_noise_clip"):
        checks.at_least(name, getattr(config, name), 0)
    checks.steps("policy_delay", config.policy_delay, 1)
    checks.between("discount", config.discount, 0, 1)
    checks.fraction("target_step_size", config.target_step_size)


def critic_error(
    q_tm1: jax.Array, r_t: jax.Array, discount_t: jax.Array, target_q_t: jax.Array
) -> jax.Array:
    """Clipped double-Q TD errors of the critics at one transition.

    Args:
        q_tm1: `[C]` online values of the action taken at time t-1.
        r_t: `[]` reward.
        discount_t: `[]` gamma, or 0 if the episode terminated.
        target_q_t: `[C]` target values of the smoothed target action at time t.

    Returns:
        `[C]` target minus predictions; gradients flow through `q_tm1` only.
    """
    chex.assert_rank([q_tm1, r_t, discount_t, target_q_t], [1, 0, 0, 1])
    return jax.lax.stop_gradient(r_t + discount_t * jnp.min(target_q_t)) - q_tm1


def smoothed(
    key: jax.Array,
    action: jax.Array,
    *,
    noise: float,
    noise_clip: float,
    limit: float = 1.0,
) -> jax.Array:
    """Target actions `[B, D]` with clipped noise; `key` is consumed.

    Args:
        key: of the noise.
        action: `[B, D]` of the target policy.
        noise: standard deviation.
        noise_clip: bound on the size of the noise.
        limit: bound on the size of the result; if infinite, actions may leave the box.
    """
    drawn = noise * jax.random.normal(key, action.shape, action.dtype)
    return jnp.clip(action + jnp.clip(drawn, -noise_clip, noise_clip), -limit, limit)


def critic_loss(
    config: Settings,
    policy: Policy,
    critic: Critic,
    *,
    bonus: TargetBonus | None = None,
    noisy_bonus: bool = True,
    limit: float = 1.0,
) -> sgd.Loss:
    """The loss of the network `critic`, summed over its critics.

    Args:
        config: the paper's.
        policy: deterministic; its target copy chooses the actions at time t.
        critic: of C values.
        bonus: added to the target values at time t.
        noisy_bonus: whether the bonus is that of the smoothed action, or of the action
            without noise.
        limit: see `smoothed`.
    """

    def loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        chosen = policy.apply(target_params["policy"], batch.next_observation)
        a_t = smoothed(
            key,
            chosen,
            noise=config.target_noise,
            noise_clip=config.target_noise_clip,
            limit=limit,
        )
        target_q_t = critic.apply(target_params["critic"], batch.next_observation, a_t)
        if bonus is not None:
            # With a separate key, the noise is the same as without a bonus.
            own_key = jax.random.fold_in(key, 1)
            added = bonus(params, own_key, batch, a_t if noisy_bonus else chosen)
            chex.assert_shape(added, batch.reward.shape)
            target_q_t += added[:, None]
        q_tm1 = critic.apply(params["critic"], batch.observation, batch.action)
        errors = jax.vmap(critic_error)(
            q_tm1, batch.reward, config.discount * batch.discount, target_q_t
        )
        value = jnp.sum(jnp.mean(jnp.square(errors), axis=0))
        return value, {"q_mean": jnp.mean(q_tm1)}

    return loss


def learner(
    config: Settings,
    *,
    policy: Policy,
    critic: Critic,
    losses: Mapping[str, sgd.Loss],
    frozen: Mapping[str, Callable[[jax.Array], NetworkParams]] = MappingProxyType({}),
    policy_metrics: tuple[str, ...] = (),
) -> tuple[Init, Update]:
    """`init` and `update` of an agent with a delayed policy and delayed target copies.

    Args:
        config: the paper's.
        policy: the network `policy`.
        critic: the network `critic`.
        losses: of `critic` and `policy`, in this order.
        frozen: `(key) -> params` of further networks, which do not learn.
        policy_metrics: names of the metrics that the loss of `policy` returns.
    """
    return sgd.learner(
        networks={"critic": critic.init, "policy": policy.init, **frozen},
        losses=losses,
        optimizers={name: config.optimizer.make() for name in losses},
        target_update=sgd.every(
            config.policy_delay, sgd.polyak(config.target_step_size)
        ),
        delayed={"policy": Delay(config.policy_delay, policy_metrics)},
    )
