"""Twin delayed deep deterministic policy gradient.

Fujimoto, van Hoof and Meger, "Addressing Function Approximation Error in Actor-Critic
Methods", ICML 2018, https://arxiv.org/abs/1802.09477. Reference implementation:
sfujim/TD3, `TD3.py`.

| symbol | here |
| --- | --- |
| sigma tilde, c | `target_noise`, `target_noise_clip` |
| d | `policy_delay`, of the policy and of all target copies |
| gamma, tau | `discount`, `target_step_size` |
| theta_1 and theta_2, phi | networks `critic`, `policy` |

Deviations:
- Weights start as Glorot and Bengio have it; the authors' as PyTorch does.
- Random actions for the first 10,000 actor steps everywhere, as in the paper for
  HalfCheetah and Ant; the paper has 1,000 for the others.
"""

from dataclasses import dataclass

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks, networks, sgd
from agents.parts import continuous_exploration as exploration
from agents.parts import continuous_networks as heads
from agents.parts.continuous_exploration import UPDATE_EACH_STEP, GaussianNoise
from agents.parts.types import Agent, Metrics, Params, Spec, Storage, Transition


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; defaults: the reference implementation's.

    Attributes:
        target_noise: standard deviation of the noise on the target policy's actions.
        target_noise_clip: bound on the size of that noise.
        policy_delay: learner steps between those of policy and target copies.
        discount: gamma.
        target_step_size: tau, of the target copies.
        network: torso and widths of the policy and of each critic.
        optimizer: Adam, of each network.
        exploration: random actions at the start, then noise.
        storage: replay, batch size, n-step.
    """

    target_noise: float = 0.2
    target_noise_clip: float = 0.5
    policy_delay: int = 2
    discount: float = 0.99
    target_step_size: float = 0.005
    network: networks.Config = networks.Config("mlp", (256, 256))
    optimizer: sgd.Adam = sgd.Adam(3e-4, 1e-8)
    exploration: GaussianNoise = GaussianNoise()
    storage: Storage = UPDATE_EACH_STEP

    def __post_init__(self) -> None:
        for name in ("target_noise", "target_noise_clip"):
            checks.at_least(name, getattr(self, name), 0)
        checks.at_least("policy_delay", self.policy_delay, 1)
        checks.between("discount", self.discount, 0, 1)
        checks.between("target_step_size", self.target_step_size, 0, 1)


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
    key: jax.Array, action: jax.Array, *, noise: float, noise_clip: float
) -> jax.Array:
    """Target actions `[B, D]` with clipped noise, within [-1, 1]; `key` is consumed."""
    drawn = noise * jax.random.normal(key, action.shape, action.dtype)
    return jnp.clip(action + jnp.clip(drawn, -noise_clip, noise_clip), -1.0, 1.0)


def agent(config: Config, spec: Spec) -> Agent:
    """Builds TD3 for an environment with continuous actions."""
    policy = heads.deterministic(config.network, spec)
    critic = heads.critics(config.network, spec, number=2)

    def critic_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        a_t = smoothed(
            key,
            policy.apply(target_params["policy"], batch.next_observation),
            noise=config.target_noise,
            noise_clip=config.target_noise_clip,
        )
        q_tm1 = critic.apply(params["critic"], batch.observation, batch.action)
        errors = jax.vmap(critic_error)(
            q_tm1,
            batch.reward,
            config.discount * batch.discount,
            critic.apply(target_params["critic"], batch.next_observation, a_t),
        )
        loss = jnp.sum(jnp.mean(jnp.square(errors), axis=0))
        return loss, {"q_mean": jnp.mean(q_tm1)}

    def policy_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        action = policy.apply(params["policy"], batch.observation)
        q = critic.apply(params["critic"][:1], batch.observation, action)
        return -jnp.mean(q), {}

    def explore(params: Params, key: jax.Array, observation: jax.Array) -> jax.Array:
        action = policy.apply(params["policy"], observation)
        return exploration.add_noise(key, action, config.exploration.scale)

    act = exploration.acting(
        explore,
        lambda params, observation: policy.apply(params["policy"], observation),
        spec,
        start=config.exploration.start,
    )
    init, update = sgd.learner(
        networks={"critic": critic.init, "policy": policy.init},
        losses={"critic": critic_loss, "policy": policy_loss},
        optimizers={name: config.optimizer.make() for name in ("critic", "policy")},
        target_update=sgd.every(
            config.policy_delay, sgd.polyak(config.target_step_size)
        ),
        periods={"policy": config.policy_delay},
    )
    return Agent(init, update, act, config.storage, config.discount)
