"""Turns losses into `init` and `update`; the only gradient-descent code."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import chex
import jax
import jax.numpy as jnp
import optax

from agents.parts import checks, delays
from agents.parts.contract import (
    Init,
    Metrics,
    NetworkParams,
    Params,
    TrainingState,
    Transition,
    Update,
)

# (params, target_params, batch, key) -> ([] loss, metrics)
Loss = Callable[
    [Params, Params, Transition, jax.Array],
    tuple[jax.Array, Metrics],
]
# params of the loss's own network -> ([] loss, metrics that include the loss)
OwnLoss = Callable[[NetworkParams], tuple[jax.Array, Metrics]]
# (params, target_params, learner steps done, this one included) -> target_params
TargetUpdate = Callable[[Params, Params, jax.Array], Params]


@dataclass(frozen=True)
class Optimizer:
    """Hyper-parameters of Adam or of centred RMSProp.

    Attributes:
        learning_rate: step size.
        epsilon: for Adam, added to the denominator after bias correction. TensorFlow 1,
            used by the references of DQN and its variants, adds it before bias
            correction: where gradients are as small as epsilon, TensorFlow's first
            thousand steps are shorter. For RMSProp, added to the variance, inside the
            square root.
        square_decay: of the moving average of squared gradients, Adam's beta_2. With
            Adam, a single outlier gradient moves a weight by about learning_rate /
            sqrt(1 - beta_2) in total: 32 steps for 0.999, 10 for 0.99.
        method: adam, or rmsprop: centred, without momentum, as Dopamine has it for DQN
            (`tf.train.RMSPropOptimizer`); see `RMSPROP`.
    """

    learning_rate: float = 5e-5
    epsilon: float = 0.01 / 32
    square_decay: float = 0.999
    method: Literal["adam", "rmsprop"] = "adam"

    def __post_init__(self) -> None:
        if self.method not in ("adam", "rmsprop"):
            raise checks.InvalidSetting(
                "optimizer.method", self.method, "one of adam, rmsprop"
            )
        checks.above("optimizer.learning_rate", self.learning_rate, 0)
        checks.above("optimizer.epsilon", self.epsilon, 0)
        if not 0 <= self.square_decay < 1:
            raise checks.InvalidSetting(
                "optimizer.square_decay", self.square_decay, "at least 0 and below 1"
            )

    def make(self) -> optax.GradientTransformation:
        """Builds the optimiser."""
        if self.method == "rmsprop":
            return optax.rmsprop(
                self.learning_rate,
                self.square_decay,
                self.epsilon,
                initial_scale=1.0,  # TensorFlow's average of squares starts at 1
                centered=True,
            )
        return optax.adam(self.learning_rate, b2=self.square_decay, eps=self.epsilon)


# Dopamine's optimiser of DQN on Atari, which "Momentum in RL", "Deep CPI" and "Leverage
# the Average" use, and the Nature DQN to which Munchausen RL is compared.
# Source: Dopamine, `agents/dqn/configs/dqn.gin`.
RMSPROP = Optimizer(2.5e-4, 1e-5, 0.95, "rmsprop")


def periodic(period: int) -> TargetUpdate:
    """Targets become copies of the online networks every `period` learner steps."""
    return every(
        period, lambda params, targets, steps: _networks_with_targets(params, targets)
    )


def fixed(params: Params, targets: Params, steps: jax.Array) -> Params:
    """Targets stay the networks with which the run began: a `TargetUpdate`."""
    del params, steps
    return targets


def every(period: int, change: TargetUpdate) -> TargetUpdate:
    """Targets change by `change` at every `period`-th learner step only.

    The change is computed at every step, and selected if it is due: a branch copies the
    targets twice on CPUs, and on accelerators it waits for the host.
    """
    checks.steps("target_update_period", period, 1)
    if period == 1:
        return change

    def update(params: Params, targets: Params, steps: jax.Array) -> Params:
        due = steps % period == 0
        return jax.tree.map(
            lambda changed, kept: jnp.where(due, changed, kept),
            change(params, targets, steps),
            targets,
        )

    return update


def polyak(step_size: float) -> TargetUpdate:
    """Targets move a fraction `step_size` towards the online networks at each step.

    This applies to networks with a target; networks that never learn need none.
    """
    checks.fraction("target_step_size", step_size)
    return lambda params, targets, steps: optax.incremental_update(
        _networks_with_targets(params, targets), targets, step_size
    )


def _networks_with_targets(params: Params, targets: Params) -> Params:
    """The online networks that have a target copy."""
    return {name: params[name] for name in targets}


def learner(
    *,
    networks: Mapping[str, Callable[[jax.Array], NetworkParams]],
    losses: Mapping[str, Loss],
    optimizers: Mapping[str, optax.GradientTransformation],
    target_update: TargetUpdate | None = None,
    first_targets: Callable[[Params], Params] | None = None,
    delayed: Mapping[str, delays.Delay] = MappingProxyType({}),
) -> tuple[Init, Update]:
    """Turns losses into the `init` and `update` of an agent.

    Losses run in the order listed; loss `x` is differentiated with respect to
    `params["x"]` only and sees the networks before it already updated.

    Args:
        networks: `(key) -> params` of each network.
        losses: a loss for each network that learns. A network without a loss does not
            change: its parameters come from an earlier stage.
        optimizers: an optimiser for each loss.
        target_update: see `periodic` and `polyak`; None: no network has a target.
        first_targets: computes the initial targets from the online networks; by
            default copies of the networks that learn. For papers whose targets hold
            more than copies.
        delayed: networks that do not learn at every learner step.

    Raises:
        InvalidSetting: a period is below 1.
    """
    for name, delay in delayed.items():
        checks.at_least(f"period of {name}", delay.period, 1)
    delayed = {name: delay for name, delay in delayed.items() if delay.period > 1}
    if target_update is None:
        assert first_targets is None, "targets need an update"
        first_targets, target_update = _no_targets, fixed
    init = _make_init(networks, losses, optimizers, first_targets, delayed)
    return init, _make_update(losses, optimizers, target_update, delayed)


def _no_targets(params: Params) -> Params:
    del params
    return {}


def _make_init(
    networks: Mapping[str, Callable[[jax.Array], NetworkParams]],
    losses: Mapping[str, Loss],
    optimizers: Mapping[str, optax.GradientTransformation],
    first_targets: Callable[[Params], Params] | None,
    delayed: Mapping[str, delays.Delay],
) -> Init:
    """Makes the `init` of `learner`; networks get one key each, in their order."""

    def init(key: jax.Array) -> TrainingState:
        key, *init_keys = jax.random.split(key, 1 + len(networks))
        params = {
            name: network(init_key)
            for init_key, (name, network) in zip(
                init_keys, networks.items(), strict=True
            )
        }
        learned = {name: params[name] for name in losses}
        targets = first_targets(params) if first_targets else learned
        opt_state = {name: optimizers[name].init(params[name]) for name in losses}
        for name, delay in delayed.items():
            opt_state[name] = delays.begin(name, delay, opt_state[name])
        steps = jnp.zeros((), jnp.int32)
        return TrainingState(params, targets, opt_state, steps, key)

    return init


def _make_update(
    losses: Mapping[str, Loss],
    optimizers: Mapping[str, optax.GradientTransformation],
    target_update: TargetUpdate,
    delayed: Mapping[str, delays.Delay],
) -> Update:
    """Makes the `update` of `learner`; losses get one key each, in their order."""

    def update(
        state: TrainingState, batch: Transition
    ) -> tuple[TrainingState, Metrics]:
        key, *loss_keys = jax.random.split(state.key, 1 + len(losses))
        params, opt_state = dict(state.params), dict(state.opt_state)
        metrics: Metrics = {}
        steps = state.steps + 1
        for loss_key, (name, loss) in zip(loss_keys, losses.items(), strict=True):
            own_loss = _loss_of_own_network(
                loss, name, params, state.target_params, batch, loss_key
            )
            params[name], opt_state[name], info = _step(
                own_loss,
                optimizers[name],
                params[name],
                opt_state[name],
                delay=delayed.get(name),
                steps=steps,
            )
            metrics |= info
        targets = target_update(params, state.target_params, steps)
        return TrainingState(params, targets, opt_state, steps, key), metrics

    return update


def _loss_of_own_network(
    loss: Loss,
    name: str,
    params: Params,
    target_params: Params,
    batch: Transition,
    key: jax.Array,
) -> OwnLoss:
    """The loss `name` as a function of the parameters of network `name` only."""

    def own_loss(own: NetworkParams) -> tuple[jax.Array, Metrics]:
        value, info = loss({**params, name: own}, target_params, batch, key)
        chex.assert_rank(value, 0)
        return value, {f"{name}_loss": value, **info}

    return own_loss


def _step(
    own_loss: OwnLoss,
    optimizer: optax.GradientTransformation,
    params: NetworkParams,
    opt_state: Any,
    *,
    delay: delays.Delay | None,
    steps: jax.Array,
) -> tuple[NetworkParams, Any, Metrics]:
    """A learner step of one network: a gradient step, unless its delay forbids it."""

    def descend(before: Any) -> tuple[NetworkParams, Any, Metrics]:
        (_, metrics), gradient = jax.value_and_grad(own_loss, has_aux=True)(params)
        change, after = optimizer.update(gradient, before, params)
        return optax.apply_updates(params, change), after, metrics

    if delay is None:
        return descend(opt_state)
    return delays.step(
        delay,
        steps,
        params,
        opt_state,
        learn=lambda: descend(opt_state.optimizer),
        measure=lambda: own_loss(params)[1],
    )
