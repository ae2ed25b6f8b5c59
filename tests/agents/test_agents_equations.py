"""Equations of all papers give the same numbers plain, compiled and vectorised."""

import functools

import jax
import numpy as np
import pytest

from agents import (
    bc,
    deep_cpi,
    dqn,
    implicit_q,
    iqn,
    mdqn,
    miqn,
    mirror_descent,
    momentum_dqn,
    sac,
    td3_bc,
    variance_weighting,
)
from agents.parts import equations, quantiles, twin_critics
from agents.ploff import agent as ploff
from agents.ploff import metric

ROWS, A, C, D, N, M = 7, 5, 2, 3, 6, 4
ACTION = "action"  # in place of a shape: an integer below A
POSITIVE = "positive"  # in place of a shape: a positive number

MUNCHAUSEN = {"temperature": 0.3, "munchausen": 0.9, "log_policy_floor": -1.0}
ACTORS = {
    "policy_error direct": mirror_descent.DIRECT,
    "policy_error indirect": mirror_descent.INDIRECT,
    "policy_error averaging": mirror_descent.AVERAGING,
}

# Each equation of one transition, with the shapes of its arguments.
EQUATIONS = {
    "dqn": (dqn.td_error, [(A,), ACTION, (), (), (A,)]),
    "mdqn": (
        functools.partial(mdqn.td_error, **MUNCHAUSEN),
        [(A,), ACTION, (), (), (A,), (A,)],
    ),
    "iqn": (iqn.targets, [(), (), (M, A), (A,)]),
    "miqn": (
        functools.partial(miqn.targets, temperature=0.3),
        [(), (), (), (M, A), (A,)],
    ),
    "quantile huber_loss": (quantiles.huber_loss, [(N,), (N,), (M,)]),
    "deep_cpi mixture": (deep_cpi.mixture, [(A,), (A,), ()]),
    "deep_cpi greedy_advantage": (deep_cpi.greedy_advantage, [(A,), (A,)]),
    "deep_cpi adaptive_rate": (
        functools.partial(deep_cpi.adaptive_rate, factor=0.5),
        [(), POSITIVE],
    ),
    "momentum_dqn q_target": (momentum_dqn.q_target, [(), (), (A,), (A,)]),
    "momentum_dqn h_target": (momentum_dqn.h_target, [(A,), (A,), ()]),
    "dvw weights": (
        functools.partial(variance_weighting.weights, floor=0.1),
        [POSITIVE, ()],
    ),
    "dvw scale_error": (
        lambda variance, log_scale: variance_weighting.scale_error(
            variance**2 + 0.1, log_scale
        ),
        [(N,), ()],
    ),
    "iq": (functools.partial(implicit_q.td_error, **MUNCHAUSEN), [()] * 6),
    "sac critic_error": (sac.critic_error, [(C,), (), (), (C,), (), POSITIVE]),
    "td3 critic_error": (twin_critics.critic_error, [(C,), (), (), (C,)]),
    "td3_bc policy_objective": (
        functools.partial(td3_bc.policy_objective, value_weight=2.5),
        [(N,), (N, D), (N, D)],
    ),
    "bc squared_error": (bc.squared_error, [(D,), (D,)]),
    "ploff bonus": (
        functools.partial(ploff.bonus, sharpness=0.7),
        [POSITIVE, POSITIVE],
    ),
    "ploff distance": (metric.distance, [(D,), (D,)]),
    "ploff distance_to_nearest": (metric.distance_to_nearest, [(D,), (N, D)]),
    "ploff pair_error": (metric.pair_error, [(), (2,), (2,), ()]),
    "ploff state_error": (metric.state_error, [(), (N,)]),
    "scaled_log_softmax": (
        functools.partial(equations.scaled_log_softmax, temperature=0.3),
        [(A,)],
    ),
    "soft_value": (functools.partial(equations.soft_value, temperature=0.3), [(A,)]),
    "log_policy_bonus": (
        functools.partial(equations.log_policy_bonus, temperature=0.3, floor=-1.0),
        [(A,), ACTION],
    ),
    "regularized_value": (
        functools.partial(equations.regularized_value, kl_weight=0.2, temperature=0.3),
        [(A,), (A,), (A,)],
    ),
    "regression_loss": (
        functools.partial(equations.regression_loss, kind="huber"),
        [()],
    ),
} | {
    name: (
        functools.partial(
            mirror_descent.policy_error, config=mirror_descent.Config(**settings)
        ),
        [(A,), (A,), (A,)],
    )
    for name, settings in ACTORS.items()
}


def drawn(rng, shape):
    """Arguments of ROWS transitions, `[ROWS, ...]`."""
    if shape == ACTION:
        return rng.integers(0, A, ROWS).astype(np.int32)
    if shape == POSITIVE:
        return rng.uniform(0.1, 2.0, ROWS).astype(np.float32)
    return rng.normal(size=(ROWS, *shape)).astype(np.float32)


@pytest.mark.parametrize("name", EQUATIONS)
def test_equation_is_the_same_plain_compiled_and_vectorised(name):
    equation, shapes = EQUATIONS[name]
    rng = np.random.default_rng(3)
    rows = [drawn(rng, shape) for shape in shapes]
    plain = [
        equation(*(jax.numpy.asarray(row[i]) for row in rows)) for i in range(ROWS)
    ]
    compiled = jax.jit(equation)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
    close([compiled(*(row[i] for row in rows)) for i in range(ROWS)], plain)
    close(jax.vmap(equation)(*rows), plain)
    close(jax.jit(jax.vmap(equation))(*rows), plain)
    assert np.ptp(np.asarray(plain), axis=0).max() > 1e-3  # inputs matter
