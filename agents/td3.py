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
- The defaults are those of the authors' code of today; `td3_2018` has those of the
  paper and of its published curves.
- Weights are initialised as by Glorot and Bengio; the authors' as by PyTorch.
- Actions are random for the first 10,000 actor steps on every task, as in the paper on
  HalfCheetah and Ant; the paper has 1,000 on the others, the authors' code 25,000.
"""

import dataclasses
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from agents.parts import continuous_exploration as exploration
from agents.parts import continuous_networks as heads
from agents.parts import networks, sgd, twin_critics
from agents.parts.continuous_exploration import UPDATE_EACH_STEP, GaussianNoise
from agents.parts.contract import Agent, Metrics, Params, Spec, Storage, Transition


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; defaults: the reference implementation's.

    Attributes:
        target_noise: standard deviation of the noise on the target policy's actions.
        target_noise_clip: bound on the size of that noise.
        policy_delay: learner steps for each update of policy and target copies.
        discount: gamma.
        target_step_size: tau, the step size of the target copies.
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
    optimizer: sgd.Optimizer = sgd.Optimizer(3e-4, 1e-8)
    exploration: GaussianNoise = GaussianNoise()
    storage: Storage = UPDATE_EACH_STEP

    def __post_init__(self) -> None:
        twin_critics.check(self)


# What the published learning curves were made with: `TD3.py` before September 2019. The
# authors took an episode's updates after it; here each step has its update.
ORIGINAL = {
    "network": networks.Config("mlp", (400, 300)),
    "optimizer": sgd.Optimizer(1e-3, 1e-8),
    "storage": dataclasses.replace(
        UPDATE_EACH_STEP, batch_size=100, samples_per_insert=100.0
    ),
}


def agent(config: Config, spec: Spec) -> Agent:
    """Builds TD3 for an environment with continuous actions."""
    policy = heads.deterministic(config.network, spec)
    critic = heads.critics(config.network, spec, number=2)

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
    init, update = twin_critics.learner(
        config,
        policy=policy,
        critic=critic,
        losses={
            "critic": twin_critics.critic_loss(config, policy, critic),
            "policy": policy_loss,
        },
    )
    return Agent(init, update, act, config.storage, config.discount)
