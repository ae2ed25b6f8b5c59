"""TD3-CVAE: TD3 penalised for actions that a model of the dataset cannot rebuild.

Rezaeifar et al., "Offline Reinforcement Learning as Anti-Exploration", AAAI 2022,
https://arxiv.org/abs/2106.06431. Algorithm: the first author's research code, from
which the defaults differ in the fields of `RESEARCH_CODE`.

| symbol | here |
| --- | --- |
| b | the bonus, see `make_bonus` |
| alpha | `coefficient`, of the bonus in policy and critic alike |
| sigma tilde | `target_noise` |
| c | `target_noise_clip` |
| d | `policy_delay` |
| gamma | `discount` |
| tau | `target_step_size` |
| critics, policy | networks `critic`, `policy` |
| CVAE | network `cvae`, learned before the others |

Deviations ("the code" is the first author's):
- The paper's coefficients for each task are unknown to us; the default is the code's.
- Networks and learning rates are TD3's, and target actions stay in [-1, 1].
- The bonus is a mean over action dimensions; the code divides that mean by their number
  again (`divide_twice`).
- The critic's target is charged for the target policy's action; in the code, for that
  action with its noise (`charge_noise`), so that each step costs 0.04 `coefficient`,
  which no policy can avoid.
- The CVAE's last weights are kept; the code keeps its best ones.
- Observations are normalised; in the code that is an option.
- Weights are initialised as by Glorot and Bengio; in the code the last layers start
  within 0.003.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp

from agents.anti_exploration import autoencoder as cvae
from agents.parts import checks, networks, sgd, twin_critics
from agents.parts import continuous_exploration as exploration
from agents.parts import continuous_networks as heads
from agents.parts.contract import (
    Agent,
    Metrics,
    Params,
    Spec,
    Stage,
    Storage,
    Transition,
)

RESEARCH_CODE = {
    "divide_twice": True,
    "charge_noise": True,
    "clip_target_action": False,
    "network": networks.Config("mlp", (400, 300)),
    "optimizer": sgd.Optimizer(1e-4, 1e-8),
}


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; see the module for where the defaults are from.

    Attributes:
        coefficient: alpha >= 0 of the bonus, in units of the prepared reward.
        bonus_in: which losses are charged.
        divide_twice: whether the bonus is divided by the number of dimensions again.
        charge_noise: whether the critic is charged for the target action with noise.
        clip_target_action: whether target actions with noise stay in [-1, 1].
        target_noise: standard deviation of the noise on the target policy's actions.
        target_noise_clip: bound on the size of that noise.
        policy_delay: learner steps for each update of policy and target copies.
        discount: gamma.
        target_step_size: tau, the step size of the target copies.
        network: torso and widths of the policy and of each critic.
        optimizer: Adam, of critic and policy.
        batch_size: transitions per update.
        autoencoder: shape of the CVAE, and how it learns.
        pretraining_steps: learner steps of the CVAE; by default 50 epochs of a million
            transitions.
    """

    coefficient: float = 1.0
    bonus_in: Literal["both", "critic", "actor"] = "both"
    divide_twice: bool = False
    charge_noise: bool = False
    clip_target_action: bool = True
    target_noise: float = 0.2
    target_noise_clip: float = 0.5
    policy_delay: int = 2
    discount: float = 0.99
    target_step_size: float = 0.005
    network: networks.Config = networks.Config("mlp", (256, 256))
    optimizer: sgd.Optimizer = sgd.Optimizer(3e-4, 1e-8)
    batch_size: int = 256
    autoencoder: cvae.Config = cvae.Config()
    pretraining_steps: int = 500_000

    def __post_init__(self) -> None:
        twin_critics.check(self)
        checks.at_least("coefficient", self.coefficient, 0)
        for name in ("batch_size", "pretraining_steps"):
            checks.at_least(name, getattr(self, name), 1)


def make_bonus(config: Config, spec: Spec) -> Callable[..., jax.Array]:
    """Builds b as `(params, key, observation [B, ...], action [B, D]) -> [B]`.

    `key` draws the latents and is consumed. Gradients flow through the action twice:
    as the CVAE's input, and as the action that its output is compared with.
    """
    model = cvae.make(config.autoencoder, spec)
    divisor = heads.action_size(spec) if config.divide_twice else 1

    def bonus(
        params: Params, key: jax.Array, observation: Any, action: jax.Array
    ) -> jax.Array:
        rebuilt, _ = cvae.rebuild(model, params["cvae"], key, observation, action)
        return jnp.mean(jnp.square(rebuilt - action), axis=-1) / divisor

    return bonus


def pretraining(config: Config, spec: Spec) -> Agent:
    """Builds the stage that learns the CVAE from the dataset."""
    return cvae.stage(config.autoencoder, spec, name="cvae", discount=config.discount)


def stages(config: Config, spec: Spec) -> list[Stage]:
    """The CVAE learns first; the agent's bonus then reads it."""
    first = Stage(
        pretraining(config, spec), config.pretraining_steps, "dataset", "pretraining"
    )
    return [first, Stage(agent(config, spec), source="dataset")]


def agent(config: Config, spec: Spec) -> Agent:
    """Builds TD3-CVAE for an environment with continuous actions."""
    policy = heads.deterministic(config.network, spec)
    critic = heads.critics(config.network, spec, number=2)
    bonus = make_bonus(config, spec)

    def charge(
        params: Params, key: jax.Array, batch: Transition, action: jax.Array
    ) -> jax.Array:
        return -config.coefficient * bonus(params, key, batch.next_observation, action)

    def policy_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        action = policy.apply(params["policy"], batch.observation)
        q = critic.apply(params["critic"][:1], batch.observation, action)
        b = jnp.mean(bonus(params, key, batch.observation, action))
        weight = 0.0 if config.bonus_in == "critic" else config.coefficient
        return weight * b - jnp.mean(q), {"bonus": b}

    critic_loss = twin_critics.critic_loss(
        config,
        policy,
        critic,
        bonus=None if config.bonus_in == "actor" else charge,
        noisy_bonus=config.charge_noise,
        limit=1.0 if config.clip_target_action else jnp.inf,
    )
    act = exploration.never_exploring(
        lambda params, observation: policy.apply(params["policy"], observation)
    )
    init, update = twin_critics.learner(
        config,
        policy=policy,
        critic=critic,
        losses={"critic": critic_loss, "policy": policy_loss},
        frozen={"cvae": cvae.make(config.autoencoder, spec).init},
        policy_metrics=("bonus",),
    )
    storage = Storage(batch_size=config.batch_size)
    return Agent(init, update, act, storage, config.discount)
