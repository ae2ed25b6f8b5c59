"""Implicit Q-values: one regression of log-policy plus value, and no actor loss.

Vieillard, Andrychowicz, Raichuk, Pietquin and Geist, "Implicitly Regularized RL with
Implicit Q-values", AISTATS 2022, https://arxiv.org/abs/2108.07041.

| symbol | here |
| --- | --- |
| tau | exp of `log_temperature` in the network `q` |
| alpha | `munchausen` |
| gamma | `discount` |
| theta and phi, and their copies | network `q`, of `params` and `target_params` |

Q(s, a) = tau ln pi(a|s) + V(s): value iteration with an entropy bonus of weight
(1 - alpha) tau and a KL penalty of weight alpha tau between consecutive policies.

Deviations:
- The policy of each action dimension is a softmax over bins, of preferences that are
  quadratic in the action. Its log-density is exact at every action of the box, and it
  is linear in the network's outputs, which is what the loss regresses; in the mean of a
  Gaussian it is not.
- tau is learned, as SAC's temperature is: the policy's entropy gets a target. So the
  same settings serve rewards of 1 a step and of 10 a step.
- Policy and value are outputs of one network. `members` of these learn from the same
  targets, which have the least of their values, as in SAC and TD3: a policy prefers
  actions whose value it overestimates. The policy that acts has the mean of their
  preferences.
- The entropy bonus counts from the target entropy: ln pi is relative to a density with
  that entropy, or to uniform actions if tau is fixed. A policy at its target is so
  neither paid nor charged for another step. Relative to uniform actions each step would
  cost (1 - alpha) tau times its divergence from them, and falling would end that cost.
- `log_policy_floor` clips only the target's log-density, and only from below. Clipping
  raises a target, so predictions below a clipped target are no error: a policy that had
  to follow the clipped targets would move to the bounds of the actions.
- In evaluation the agent takes the median action, which was better here than the mode.
- With n-step returns only the first step gets the log-policy.
"""

import functools
import math
from dataclasses import dataclass
from typing import Any, Literal

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks, networks, sgd
from agents.parts import continuous_exploration as exploration
from agents.parts import continuous_networks as heads
from agents.parts.continuous_exploration import UPDATE_EACH_STEP, RandomStart
from agents.parts.contract import (
    Agent,
    Metrics,
    NetworkParams,
    Params,
    Spec,
    Storage,
    Transition,
)

HEADS = {"histogram": heads.histogram_head, "tanh_gaussian": heads.tanh_gaussian_head}


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; the defaults are ours, since the paper's were not available.

    tau is the reward for a nat of ln pi(a|s), with actions in [-1, 1]^D, and scales as
    rewards do. At convergence the entropy has weight
    (1 - alpha) tau: like SAC's temperature, this scales as 1 / D, too.

    Attributes:
        temperature: tau > 0, in units of the reward; its start where it is learned.
        target_entropy: policy entropy that tau aims at, in nats for each action
            dimension, as in SAC; ln 2 is that of uniform actions; none: tau stays as
            it is. The entropy bonus is 0 at the target.
        munchausen: alpha in [0, 1]; 0 is entropy only, 1 is KL only.
        log_policy_floor: lower clip of tau ln pi in the target, at most 0; none clips
            nothing.
        discount: gamma.
        target_step_size: step size of the target copies at each learner step; with
            0.005 the agent learned more slowly.
        members: number M of networks; with one an update takes half of the time, and
            returns on Hopper fell more often.
        shared_torso: whether policy and value are outputs of one network, which saves
            a third of the operations of an update.
        network: torso and widths of the network, or of the policy alone; without layer
            normalisation the agent learned more slowly.
        value_network: torso and widths of the value, if it has its own network.
        policy: histogram: softmax(f / tau) over bins, see the deviations above;
            tanh_gaussian: SAC's, for comparisons; its log-density is not linear in the
            outputs, and on random actions it learned only with a large, fixed tau.
        optimizer: Adam, of networks and temperature; with the usual beta_2
            of 0.999 returns on Hopper ended lower.
        exploration: random actions at the start; then the policy is sampled.
        storage: replay, batch size, n-step.
    """

    temperature: float = 1.0
    target_entropy: float | None = -1.0
    munchausen: float = 0.5
    log_policy_floor: float | None = -10.0
    discount: float = 0.99
    target_step_size: float = 0.02
    members: int = 2
    shared_torso: bool = True
    network: networks.Config = networks.Config("mlp", (256, 256), layer_norm=True)
    value_network: networks.Config = networks.Config("mlp", (256, 256), layer_norm=True)
    policy: Literal["histogram", "tanh_gaussian"] = "histogram"
    optimizer: sgd.Optimizer = sgd.Optimizer(3e-4, 1e-8, square_decay=0.99)
    exploration: RandomStart = RandomStart()
    storage: Storage = UPDATE_EACH_STEP

    def __post_init__(self) -> None:
        checks.above("temperature", self.temperature, 0)
        if self.target_entropy is not None:
            heads.check_target_entropy(self.target_entropy, self.policy)
        checks.between("log_policy_floor", self.floor, -math.inf, 0)
        for name in ("munchausen", "discount"):
            checks.between(name, getattr(self, name), 0, 1)
        checks.fraction("target_step_size", self.target_step_size)
        checks.at_least("members", self.members, 1)

    @property
    def floor(self) -> float:
        """Lower clip of tau ln pi in the target; minus infinity without one."""
        return -math.inf if self.log_policy_floor is None else self.log_policy_floor


def td_error(
    log_policy_tm1: jax.Array,
    v_tm1: jax.Array,
    r_t: jax.Array,
    discount_t: jax.Array,
    target_log_policy_tm1: jax.Array,
    target_v_t: jax.Array,
    temperature: jax.Array,
    *,
    munchausen: float,
    log_policy_floor: float,
) -> jax.Array:
    """Implicit-Q TD error of one member at one transition.

    The bootstrap <pi, q - tau ln pi> at time t is V(s_t): no next action is needed.

    Args:
        log_policy_tm1: `[]` the member's online ln pi of the action taken at time t-1,
            relative to `reference` (see there).
        v_tm1: `[]` its online value of the state at time t-1.
        r_t: `[]` reward.
        discount_t: `[]` gamma, or 0 if the episode terminated.
        target_log_policy_tm1: `[]` ln pi of the same action of the target copies'
            policy.
        target_v_t: `[]` state value at time t, the least of the target copies.
        temperature: `[]` tau.
        munchausen: alpha.
        log_policy_floor: lower clip of tau ln pi in the target.

    Returns:
        `[]` target minus prediction; gradients flow through the online values only. 0
        where the target is clipped and the prediction is below it.
    """
    chex.assert_rank([log_policy_tm1, v_tm1, r_t, discount_t], 0)
    chex.assert_rank([target_log_policy_tm1, target_v_t, temperature], 0)
    prediction = temperature * log_policy_tm1 + v_tm1
    target = r_t + discount_t * target_v_t
    if not munchausen:  # Then the target copy's policy is not computed.
        return jax.lax.stop_gradient(target) - prediction
    scaled = temperature * target_log_policy_tm1
    target = target + munchausen * jnp.maximum(scaled, log_policy_floor)
    error = jax.lax.stop_gradient(target) - prediction
    # The floor has raised a clipped target, so a prediction below it may be right.
    return jnp.where(scaled < log_policy_floor, jnp.minimum(error, 0.0), error)


def reference(target_entropy: float | None, actions: int) -> float:
    """Ln of the density to which ln pi is relative, as a constant in the loss.

    Args:
        target_entropy: of each dimension; none: the density is that of uniform actions.
        actions: D, the number of dimensions.
    """
    return -actions * (math.log(2) if target_entropy is None else target_entropy)


def make_q_loss(
    config: Config, network: heads.PolicyAndValue, actions: int
) -> sgd.Loss:
    """Builds the loss of the network `q`: policies, values and ln tau.

    It is summed over the members. tau falls while the entropy of the policy that acts
    exceeds its target.

    Args:
        config: hyper-parameters.
        network: members of policy and value.
        actions: D, the number of dimensions of an action.
    """
    base = reference(config.target_entropy, actions)
    error = functools.partial(
        td_error, munchausen=config.munchausen, log_policy_floor=config.floor
    )

    def q_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        log_tau = params["q"]["log_temperature"]
        tau = jnp.exp(jax.lax.stop_gradient(log_tau))
        online, target = params["q"]["network"], target_params["q"]["network"]
        policies, v_tm1 = network.apply(online, batch.observation, tau)
        target_policies, _ = network.apply(target, batch.observation, tau)
        _, target_v_t = network.apply(target, batch.next_observation, tau)
        of_batch = jax.vmap(error, in_axes=(0, 0, 0, 0, 0, 0, None))
        errors = jax.vmap(of_batch, in_axes=(0, 0, *[None] * 5))(
            jax.vmap(lambda policy: policy.log_prob(batch.action))(policies) - base,
            v_tm1,
            batch.reward,
            config.discount * batch.discount,
            heads.joint(target_policies).log_prob(batch.action) - base,
            jnp.min(target_v_t, axis=0),
            tau,
        )
        metrics = {"v_mean": jnp.mean(v_tm1)}
        loss = jnp.sum(jnp.mean(jnp.square(errors), axis=1))
        if config.target_entropy is None:
            return loss, metrics
        entropy = jnp.mean(heads.joint(policies).entropy(key))
        metrics |= {"temperature": tau, "entropy": entropy}
        # A term of value 0, whose slope in ln tau is the excess of entropy.
        excess = jax.lax.stop_gradient(entropy - actions * config.target_entropy)
        return loss + excess * (log_tau - jax.lax.stop_gradient(log_tau)), metrics

    return q_loss


def make_network(config: Config, spec: Spec) -> heads.PolicyAndValue:
    """Builds the networks that `params["q"]["network"]` belongs to."""
    one = heads.policy_and_value(
        HEADS[config.policy](spec),
        config.network,
        spec,
        None if config.shared_torso else config.value_network,
    )
    return heads.ensemble(one, config.members)


def agent(config: Config, spec: Spec) -> Agent:
    """Builds IQ for an environment with continuous actions."""
    network = make_network(config, spec)

    def start(key: jax.Array) -> NetworkParams:
        return {
            "network": network.init(key),
            "log_temperature": jnp.log(jnp.float32(config.temperature)),
        }

    def policy(params: Params, observation: Any) -> Any:
        tau = jnp.exp(params["q"]["log_temperature"])
        return heads.joint(network.apply(params["q"]["network"], observation, tau)[0])

    init, update = sgd.learner(
        networks={"q": start},
        losses={"q": make_q_loss(config, network, heads.action_size(spec))},
        optimizers={"q": config.optimizer.make()},
        target_update=sgd.polyak(config.target_step_size),
    )
    act = exploration.sampling(policy, spec, start=config.exploration.start)
    return Agent(init, update, act, config.storage, config.discount)
