"""Mirror descent and dual averaging value iteration: KL and entropy with an actor.

Vieillard et al., "Leverage the Average: an Analysis of KL Regularization in RL",
NeurIPS 2020, https://arxiv.org/abs/2003.14089.

| symbol | here |
| --- | --- |
| lambda | `kl_weight`, or by `averaging` |
| tau | `temperature` |
| beta = lambda / (lambda + tau) | `averaging`, or by `kl_weight` |
| Pi_phi | network `policy`, whose outputs are logits |
| H_phi | network `policy`, whose outputs are h; the logits are h / tau |
| Q_theta | network `q` |
| gamma | `discount` |

There are three actors:
- `direct` (MD-dir) maximises the regularised value.
- `indirect` (MD-ind) imitates the closed form of its maximiser,
  pi^beta exp(q / (lambda + tau)).
- `averaging` (DA) regresses h on beta h + (1 - beta) q.

Deviations:
- In the critic's target, the policy is the online one (pi_{k+1}) and its reference the
  target network's.
- The policy takes its step before the critic; `critic_first` has the paper's order.
- h averages the q of the target network, as in App. E.1; in Sec. 5 it is the online q.
- Actor and critic learn from the same batch; the paper samples one for each.
- h regresses on all actions.
- The optimiser is Adam also on Atari, where the paper has RMSProp, `sgd.RMSPROP`.
- The best weights cannot be read off the paper's figures; M-DQN's settings imply the
  defaults (Theorem 1 of Munchausen RL).
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

DIRECT = {"actor": "direct"}
INDIRECT = {"actor": "indirect"}
AVERAGING = {"actor": "averaging"}


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; defaults: DQN's, where the paper adds none.

    Attributes:
        actor: how the policy is fitted.
        kl_weight: lambda >= 0.
        temperature: tau >= 0.
        regularized_evaluation: whether the critic's target has KL and entropy ("w/").
        discount: gamma.
        loss: regression of the TD error.
        target_update_period: learner steps between copies of the target networks.
        network: torso and widths, of each network.
        optimizer: Adam.
        exploration: how often a random action replaces the policy's.
        storage: replay, batch size, n-step.
        critic_first: whether the critic takes its step before the policy, as in
            Algorithm 2; its target then has the policy of before that step.
        averaging: beta in [0, 1), as the paper's grids have it: lambda is then
            tau beta / (1 - beta) instead of `kl_weight`; none: `kl_weight` is used.
    """

    actor: Literal["direct", "indirect", "averaging"] = "direct"
    kl_weight: float = 0.027
    temperature: float = 0.003
    regularized_evaluation: bool = True
    discount: float = 0.99
    loss: equations.Regression = "squared"
    target_update_period: int = 2_000
    network: networks.Config = networks.Config()
    optimizer: sgd.Optimizer = sgd.Optimizer()
    exploration: EpsilonGreedy = EpsilonGreedy()
    storage: Storage = Storage()
    critic_first: bool = False
    averaging: float | None = None

    def __post_init__(self) -> None:
        checks.at_least("kl_weight", self.kl_weight, 0)
        checks.at_least("temperature", self.temperature, 0)
        if self.averaging is not None and not 0 <= self.averaging < 1:
            wanted = "at least 0 and below 1"
            raise checks.InvalidSetting("averaging", self.averaging, wanted)
        if self.actor == "averaging" or self.averaging:  # lambda is a multiple of tau
            checks.above("temperature", self.temperature, 0)
        elif self.actor == "indirect" and self.weight_of_kl == 0:
            checks.above("temperature", self.temperature, 0)
        checks.between("discount", self.discount, 0, 1)

    @property
    def weight_of_kl(self) -> float:
        """Lambda."""
        if self.averaging is None:
            return self.kl_weight
        return self.temperature * self.averaging / (1 - self.averaging)

    @property
    def beta(self) -> float:
        """Beta, the weight of the past average."""
        if self.averaging is not None:
            return self.averaging
        if self.kl_weight == 0:
            return 0.0  # also without entropy
        return self.kl_weight / (self.kl_weight + self.temperature)

    @property
    def critic_weights(self) -> tuple[float, float]:
        """Weights of KL divergence and entropy in the critic's target."""
        if self.regularized_evaluation:
            return self.weight_of_kl, self.temperature
        return 0.0, 0.0


def policy_error(
    outputs: jax.Array, target_outputs: jax.Array, target_q: jax.Array, config: Config
) -> jax.Array:
    """Loss of the policy network at one state, `[]`.

    Args:
        outputs: `[A]` of the online policy network: logits, or h if averaging.
        target_outputs: `[A]` of the target policy network.
        target_q: `[A]` target action values.
        config: selects the loss and its weights.
    """
    chex.assert_rank([outputs, target_outputs, target_q], 1)
    if config.actor == "averaging":
        average = config.beta * target_outputs + (1 - config.beta) * target_q
        return jnp.mean(jnp.square(average - outputs))
    log_probs, reference = map(jax.nn.log_softmax, (outputs, target_outputs))
    if config.actor == "indirect":
        scaled = target_q / (config.weight_of_kl + config.temperature)
        goal = jax.nn.log_softmax(config.beta * reference + scaled)
        return jnp.sum(jnp.exp(goal) * (goal - log_probs))
    return -equations.regularized_value(
        target_q, log_probs, reference, config.weight_of_kl, config.temperature
    )


def agent(config: Config, spec: Spec) -> Agent:
    """Builds the agent for an environment with discrete actions."""
    network = networks.action_values(config.network, spec)
    scale = config.temperature if config.actor == "averaging" else 1.0

    def log_probs(params: Params, observation: Any) -> jax.Array:
        return jax.nn.log_softmax(network.apply(params["policy"], observation) / scale)

    def policy_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        losses = jax.vmap(functools.partial(policy_error, config=config))(
            network.apply(params["policy"], batch.observation),
            network.apply(target_params["policy"], batch.observation),
            network.apply(target_params["q"], batch.observation),
        )
        return jnp.mean(losses), {}

    def q_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        v_t = jax.vmap(equations.regularized_value, (0, 0, 0, None, None))(
            network.apply(target_params["q"], batch.next_observation),
            log_probs(params, batch.next_observation),
            log_probs(target_params, batch.next_observation),
            *config.critic_weights,
        )
        target = batch.reward + config.discount * batch.discount * v_t
        q_tm1 = network.apply(params["q"], batch.observation)
        return equations.q_regression(q_tm1, batch.action, target, config.loss)

    losses = [("policy", policy_loss), ("q", q_loss)]
    sampled = exploration.sampled(log_probs)
    return assemble(
        config,
        networks={"policy": network, "q": network},
        losses=dict(reversed(losses)) if config.critic_first else dict(losses),
        act=exploration.acting(sampled, spec.num_actions, config.exploration),
    )
