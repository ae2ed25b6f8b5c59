"""Computation that is due at some learner steps only."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from agents.parts.contract import Metrics, NetworkParams

# () -> network, its optimiser's state, metrics before the step
Learn = Callable[[], tuple[NetworkParams, Any, Metrics]]


class Delay(NamedTuple):
    """How a network learns that does so at every k-th learner step only.

    Attributes:
        period: k; on the other steps the network, its optimiser and its metrics keep
            their values.
        metrics: names of all metrics that the network's loss returns.
    """

    period: int
    metrics: tuple[str, ...] = ()


class Delayed(NamedTuple):
    """Optimiser state of a network that learns at every k-th learner step, k > 1.

    Attributes:
        optimizer: the state of the network's optimiser.
        metrics: the loss and its metrics, `[]` float32, of the newest step at which the
            network learned; 0 before.
    """

    optimizer: Any
    metrics: Metrics


def begin(name: str, delay: Delay, opt_state: Any) -> Delayed:
    """The state of the network `name` before it has learned."""
    names = (f"{name}_loss", *delay.metrics)
    return Delayed(opt_state, {each: jnp.zeros((), jnp.float32) for each in names})


def step(
    delay: Delay,
    steps: jax.Array,
    params: NetworkParams,
    state: Delayed,
    *,
    learn: Learn,
    measure: Callable[[], Metrics],
) -> tuple[NetworkParams, Delayed, Metrics]:
    """A learner step of a network that learns at every k-th of them only.

    Until the network learns for the first time, its loss is computed at every step;
    then only when it learns. On the other steps the metrics are those of the newest
    step at which it learned.

    Args:
        delay: k.
        steps: `[]` learner steps done, this one included.
        params: the network.
        state: of its optimiser, with its newest metrics.
        learn: takes a gradient step.
        measure: computes the metrics without a gradient step.

    Raises:
        ValueError: the loss does not return the metrics that `delay` names.
    """

    def move() -> tuple[NetworkParams, Delayed, Metrics]:
        learned, opt_state, metrics = learn()
        if metrics.keys() != state.metrics.keys():
            raise ValueError(
                f"the metrics of a delayed network must be {sorted(state.metrics)}, "
                f"got {sorted(metrics)}; name them in its Delay"
            )
        return learned, Delayed(opt_state, metrics), metrics

    def rest() -> tuple[NetworkParams, Delayed, Metrics]:
        metrics = either(steps < delay.period, measure, lambda: state.metrics)
        return params, state, metrics

    return either(steps % delay.period == 0, move, rest)


def either(
    condition: jax.Array, first: Callable[[], Any], second: Callable[[], Any]
) -> Any:
    """`first()` if the condition holds, else `second()`.

    A CPU computes only the branch that it takes. Accelerators compute both and select:
    to branch, an accelerator waits until the host has read the condition, and the host
    waits until everything before the branch is computed.
    """
    return jax.lax.platform_dependent(
        cpu=lambda: jax.lax.cond(condition, first, second),
        default=lambda: jax.tree.map(
            lambda one, other: jnp.where(condition, one, other), first(), second()
        ),
    )
