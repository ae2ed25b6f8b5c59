"""Offline learning with a pseudometric.

Dadashi, Rezaeifar, Vieillard, Hussenot, Pietquin and Geist, "Offline Reinforcement
Learning with Pseudometric Learning", ICML 2021, https://arxiv.org/abs/2103.01948. A
first stage learns a distance between state-action pairs; TD3 then gets a bonus for
actions close to logged ones. No code of the authors is known. The first stage is
`agents.ploff.metric.pretraining`.

| symbol | here |
| --- | --- |
| Phi, Psi | networks `metric`, `state_metric` |
| k, beta | `neighbours`, `bonus_sharpness` |
| alpha_a, alpha_c | `actor_coefficient`, `critic_coefficient` |

Deviations (the paper's text could not be checked, so these are choices):
- The operator averages over uniform actions: a maximum would need a search, and
  networks overestimate maxima. The action is the same in both next states, as in
  bisimulation; independent ones would give a state a distance from itself.
- The next states of a pair of transitions count only if neither terminated.
- A pair of transitions is a row of the batch and the row before it.
- Psi fits the online Phi; Phi bootstraps on a target copy of Psi, which keeps the
  operator's right-hand side fixed.
- beta is in units of one over the median distance between the data and uniform
  actions, so that it does not depend on the scale of rewards: an action at the median
  distance has bonus e^-beta. With 1 the bonus has a slope wherever a policy may be; a
  sharper bonus is flat far from the data, so that a policy does not come back.
- The actor's bonus is in units of the batch's mean |Q|; the critic's is in units of
  the reward, which is divided by its range.
"""

from dataclasses import dataclass
from functools import partial

import chex
import jax
import jax.numpy as jnp

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
from agents.ploff import metric, neighbours


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; defaults: ours; TD3's: its reference implementation's.

    Attributes:
        pretraining_steps: learner steps of the first stage.
        embedding_size: size of the embeddings Phi and Psi.
        uniform_actions: number of actions drawn for each pair of states.
        neighbours: k, nearest logged states, whose actions a policy's is compared with.
        bonus_sharpness: beta.
        actor_coefficient: alpha_a, in units of the mean |Q|.
        critic_coefficient: alpha_c, in units of the reward.
        target_noise: standard deviation of the noise on the target policy's actions.
        target_noise_clip: bound on the size of that noise.
        policy_delay: learner steps for each update of policy and target copies.
        target_step_size: step size of the target copies, in both stages.
        discount: gamma, of metric and values.
        network: torso and widths of every network.
        optimizer: Adam, of each network.
        batch_size: transitions per update.
    """

    pretraining_steps: int = 100_000
    embedding_size: int = 32
    uniform_actions: int = 4
    neighbours: int = 50
    bonus_sharpness: float = 1.0
    actor_coefficient: float = 2.0
    critic_coefficient: float = 1.0
    target_noise: float = 0.2
    target_noise_clip: float = 0.5
    policy_delay: int = 2
    discount: float = 0.99
    target_step_size: float = 0.005
    network: networks.Config = networks.Config("mlp", (256, 256))
    optimizer: sgd.Optimizer = sgd.Optimizer(3e-4, 1e-8)
    batch_size: int = 256

    def __post_init__(self) -> None:
        for name in ("pretraining_steps", "embedding_size", "uniform_actions"):
            checks.at_least(name, getattr(self, name), 1)
        for name in ("neighbours", "batch_size"):
            checks.at_least(name, getattr(self, name), 1)
        for name in ("actor_coefficient", "critic_coefficient"):
            checks.at_least(name, getattr(self, name), 0)
        checks.above("bonus_sharpness", self.bonus_sharpness, 0)
        twin_critics.check(self)


def bonus(distance: jax.Array, unit: jax.Array, *, sharpness: float) -> jax.Array:
    """Returns `[]` exp(-beta d) in (0, 1], of a pair at distance `[]` d from the data.

    `unit []` is the unit of distance of the metric; `sharpness` is beta, per unit.
    """
    chex.assert_rank([distance, unit], 0)
    return jnp.exp(-sharpness * distance / unit)


def stages(config: Config, spec: Spec) -> list[Stage]:
    """The metric learns first; the agent's bonus then reads it."""
    learned = metric.pretraining(config, spec)
    first = Stage(learned, config.pretraining_steps, "dataset", "pretraining")
    return [first, Stage(agent(config, spec), source="dataset")]


def agent(config: Config, spec: Spec) -> Agent:
    """Builds TD3 with the bonus in critic and actor, and the tables that it reads."""
    policy = heads.deterministic(config.network, spec)
    critic = heads.critics(config.network, spec, number=2)
    both = metric.embeddings(config, spec)
    distance = metric.make_distance(config, spec)
    bonuses = jax.vmap(partial(bonus, sharpness=config.bonus_sharpness))

    def next_bonus(
        params: Params, key: jax.Array, batch: Transition, action: jax.Array
    ) -> jax.Array:
        candidates = batch.extras.next_embedding
        apart = distance(params, candidates, batch.next_observation, action)
        return config.critic_coefficient * bonuses(apart, batch.extras.unit)

    def policy_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        action = policy.apply(params["policy"], batch.observation)
        q = critic.apply(params["critic"][:1], batch.observation, action)
        apart = distance(params, batch.extras.embedding, batch.observation, action)
        mean_bonus = jnp.mean(bonuses(apart, batch.extras.unit))
        weight = config.actor_coefficient * jax.lax.stop_gradient(jnp.mean(jnp.abs(q)))
        return -jnp.mean(q) - weight * mean_bonus, {"bonus": mean_bonus}

    critic_loss = twin_critics.critic_loss(config, policy, critic, bonus=next_bonus)
    init, update = twin_critics.learner(
        config,
        policy=policy,
        critic=critic,
        losses={"critic": critic_loss, "policy": policy_loss},
        frozen={"metric": both.pair.init, "state_metric": both.state.init},
        policy_metrics=("bonus",),
    )
    act = exploration.never_exploring(
        lambda params, observation: policy.apply(params["policy"], observation)
    )
    storage = Storage(batch_size=config.batch_size)
    tables = neighbours.dataset_tables(both, config.neighbours)
    return Agent(init, update, act, storage, config.discount, tables)
