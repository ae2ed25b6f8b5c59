"""Deep variance weighting: weights by hand, and the base agent as a limit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import variance_weighting
from agents.parts import sgd
from tests.agents.cases import batch_of, make

VARIANCE = jnp.array([0.5, 2.0, 40.0])


def test_weights_by_hand():
    # eta = 2: 4, 1 and 0.05, which the floor lifts.
    weights = variance_weighting.weights(VARIANCE, jnp.log(2.0), 0.1)
    np.testing.assert_allclose(weights, [4.0, 1.0, 0.1], rtol=1e-6)


def test_weights_have_no_gradient():
    gradient = jax.grad(lambda v: variance_weighting.weights(v, 0.0, 0.1).sum())
    np.testing.assert_array_equal(gradient(VARIANCE), np.zeros(3))


def test_the_scale_makes_the_mean_weight_one():
    # 1 / mean(1 / variance) = 1 / 0.841667
    best = -jnp.log(jnp.mean(1 / VARIANCE))
    np.testing.assert_allclose(
        variance_weighting.scale_error(VARIANCE, best), 0.0, atol=1e-9
    )
    # eta = 1: (0.841667 - 1)^2
    error = variance_weighting.scale_error(VARIANCE, jnp.array(0.0))
    np.testing.assert_allclose(error, 0.025069, rtol=1e-4)


# A floor so high that all variances are equal, and weights that it lifts to one.
CONSTANT = {
    "variance_floor": 1e9,
    "weight_floor": 1.0,
    "target_update_period": 3,
    "optimizer": sgd.Optimizer(learning_rate=1e-2),
}


@pytest.mark.parametrize(("name", "base"), [("dvw_dqn", "dqn"), ("dvw_mdqn", "mdqn")])
def test_with_constant_weights_it_is_the_base_agent(name, base, key):
    weighted = make(name, **CONSTANT)
    settings = {k: CONSTANT[k] for k in ("target_update_period", "optimizer")}
    plain = make(base, loss="squared", **settings)
    start, state = plain.init(key), weighted.init(key)
    q = start.params["q"]
    state = state._replace(
        params={**state.params, "q": q},
        target_params={**state.target_params, "q": q, "previous_q": q},
    )
    updates = [jax.jit(agent.update) for agent in (weighted, plain)]
    for step in range(8):
        batch = batch_of(seed=step)
        state, metrics = updates[0](state, batch)
        start, expected = updates[1](start, batch)
        np.testing.assert_allclose(metrics["q_loss"], expected["q_loss"], rtol=1e-4)
        assert metrics["weight_mean"] == 1.0
    for one, other in zip(
        jax.tree.leaves(state.params["q"]),
        jax.tree.leaves(start.params["q"]),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_the_previous_target_network_is_kept(key):
    agent = make("dvw_mdqn", **CONSTANT)
    state, update = agent.init(key), jax.jit(agent.update)
    targets = [state.target_params["q"]]
    for step in range(1, 8):
        state, _ = update(state, batch_of(seed=step))
        if step % 3 == 0:
            targets.append(state.params["q"])
        expected = targets[max(len(targets) - 2, 0)]
        for one, other in zip(
            jax.tree.leaves(state.target_params["previous_q"]),
            jax.tree.leaves(expected),
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)


def test_variance_network_learns_how_far_the_target_moved(key):
    agent = make(
        "dvw_dqn", optimizer=sgd.Optimizer(learning_rate=1e-2), variance_floor=0.1
    )
    state, batch = agent.init(key), batch_of()
    update, losses = jax.jit(agent.update), []
    for _ in range(200):
        state, metrics = update(state, batch)
        losses.append(float(metrics["variance_loss"]))
    assert losses[-1] < 0.05 * losses[0]


def test_weights_fall_with_the_variance(key):
    """Two updates that differ in the target copy of the variance network only."""
    agent, batch = make("dvw_dqn"), batch_of()
    state = agent.init(key)
    values = []
    for offset in (0.0, 2.0):
        frozen = jax.tree.map(
            lambda leaf, offset=offset: leaf + offset * (leaf.shape == (5,)),
            state.target_params["variance"],
        )
        targets = {**state.target_params, "variance": frozen}
        _, metrics = jax.jit(agent.update)(state._replace(target_params=targets), batch)
        values.append(float(metrics["weight_mean"]))
    assert values[1] < 0.5 * values[0]


@pytest.mark.parametrize(
    ("field", "value"),
    [("variance_floor", 0.0), ("scale_rate", 0.0), ("weight_floor", -1.0)],
)
def test_errors_name_values_out_of_range(field, value):
    with pytest.raises(ValueError, match=rf"{field} must be .*, got {value:g}"):
        variance_weighting.Config(**{field: value})
