"""Gradient descent: order of losses, and targets."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from agents.parts import sgd

ONE = {"a": jnp.array(1.0), "b": jnp.array(10.0)}


@pytest.mark.parametrize("square_decay", [0.999, 0.99])
def test_an_outlier_gradient_moves_a_weight_as_documented(square_decay):
    adam = sgd.Optimizer(0.5, 1e-12, square_decay).make()

    def step(carry, gradient):
        weight, state = carry
        change, state = adam.update(gradient, state, weight)
        return (weight + change, state), None

    gradients = jnp.zeros(20_000).at[15_000].set(7.0)
    start = jnp.array(0.0)
    (weight, _), _ = jax.lax.scan(step, (start, adam.init(start)), gradients)
    # The k-th later step is 0.1 * 0.9^k / sqrt((1 - b) * b^k) of the step size.
    sizes = (1 / (1 - 0.9 / square_decay**0.5), (1 - square_decay) ** -0.5)
    assert float(weight) == pytest.approx(-0.5 * 0.1 * sizes[0] * sizes[1], rel=1e-4)


@pytest.mark.parametrize("square_decay", [-0.1, 1.0, float("nan")])
def test_adam_refuses_a_square_decay_outside_zero_to_one(square_decay):
    with pytest.raises(
        ValueError, match="square_decay must be at least 0 and below 1, got"
    ):
        sgd.Optimizer(square_decay=square_decay)


def test_rmsprop_is_tensorflows_centred_one():
    """By hand: squares average from 1, gradients from 0, epsilon inside the root."""
    optimizer = sgd.Optimizer(0.5, 0.01, 0.75, "rmsprop").make()
    weight, state = jnp.array(3.0), optimizer.init(jnp.array(3.0))
    mean, square, expected = 0.0, 1.0, 3.0
    for gradient in (2.0, -1.0, 0.5):
        change, state = optimizer.update(jnp.array(gradient), state, weight)
        weight = weight + change
        mean = 0.75 * mean + 0.25 * gradient
        square = 0.75 * square + 0.25 * gradient**2
        expected -= 0.5 * gradient / (square - mean**2 + 0.01) ** 0.5
        assert float(weight) == pytest.approx(expected, rel=1e-6)


def test_dopamines_rmsprop():
    """Its first step: 2.5e-4 g / sqrt(0.95 + 0.05 g^2 - (0.05 g)^2 + 1e-5)."""
    assert sgd.RMSPROP == sgd.Optimizer(2.5e-4, 1e-5, 0.95, "rmsprop")
    optimizer = sgd.RMSPROP.make()
    change, _ = optimizer.update(jnp.array(4.0), optimizer.init(jnp.array(0.0)))
    assert float(change) == pytest.approx(-1e-3 / (1.75 - 0.04 + 1e-5) ** 0.5, rel=1e-6)


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="method must be one of adam, rmsprop, got 's"):
        sgd.Optimizer(method="sgd")


def two_networks(target_update):
    """Both losses are a * b: with step size 1, a -= b, then b -= the new a."""

    def product(params, target_params, batch, key):
        del target_params, batch, key
        return params["a"] * params["b"], {}

    return sgd.learner(
        networks={
            name: (lambda key, value=value: value) for name, value in ONE.items()
        },
        losses={"a": product, "b": product},
        optimizers={"a": optax.sgd(1.0), "b": optax.sgd(1.0)},
        target_update=target_update,
    )


def test_losses_run_in_order_and_move_their_own_network(key):
    init, update = two_networks(sgd.periodic(1))
    state, metrics = update(init(key), None)
    assert float(state.params["a"]) == 1.0 - 10.0
    assert float(state.params["b"]) == 10.0 - (1.0 - 10.0)
    assert float(metrics["a_loss"]) == 10.0 and float(metrics["b_loss"]) == -90.0


def test_targets_start_equal_and_are_copied_on_the_period(key):
    init, update = two_networks(sgd.periodic(3))
    state = init(key)
    assert state.target_params == state.params
    for step in (1, 2, 3):
        state, _ = update(state, None)
        copied = float(state.target_params["a"]) == float(state.params["a"])
        assert copied == (step == 3)
        assert int(state.steps) == step


def test_without_an_update_of_targets_there_are_none(key):
    init, update = two_networks(None)
    state = init(key)
    assert state.target_params == {}
    state, _ = update(state, None)
    assert float(state.params["a"]) == 1.0 - 10.0 and state.target_params == {}


@pytest.mark.parametrize("target_update", [sgd.polyak(0.25), sgd.periodic(1)])
def test_a_network_without_a_loss_is_constant_and_has_no_target(key, target_update):
    init, update = sgd.learner(
        networks={name: (lambda key, name=name: ONE[name]) for name in ("a", "b")},
        losses={
            "a": lambda params, targets, batch, key: (params["a"] * params["b"], {})
        },
        optimizers={"a": optax.sgd(1.0)},
        target_update=target_update,
    )
    state = init(key)
    assert set(state.target_params) == set(state.opt_state) == {"a"}
    state, _ = update(state._replace(params={**state.params, "b": 3.0}), None)
    assert float(state.params["a"]) == 1.0 - 3.0 and state.params["b"] == 3.0


def test_targets_may_hold_more_than_copies(key):
    init, update = sgd.learner(
        networks={"a": lambda key: ONE["a"]},
        losses={"a": lambda params, targets, batch, key: (params["a"], {})},
        optimizers={"a": optax.sgd(1.0)},
        target_update=sgd.every(
            2, lambda params, targets, steps: {**params, "before": targets["a"]}
        ),
        first_targets=lambda params: {**params, "before": params["a"] - 5.0},
    )
    state, seen = init(key), []
    for _ in range(5):
        targets = state.target_params
        seen.append((float(targets["a"]), float(targets["before"])))
        state, _ = update(state, None)
    # a falls by 1 a step, and is copied after the second and the fourth.
    assert seen == [(1, -4), (1, -4), (-1, 1), (-1, 1), (-3, -1)]


def test_polyak_moves_a_fraction(key):
    init, update = two_networks(sgd.polyak(0.25))
    state, _ = update(init(key), None)
    # a: 1 -> -9; the target moves a quarter of the way.
    np.testing.assert_allclose(state.target_params["a"], 1.0 + 0.25 * (-9.0 - 1.0))


def test_polyak_with_a_period_moves_at_every_kth_step_only(key):
    init, update = two_networks(sgd.every(2, sgd.polyak(0.25)))
    state = init(key)
    for step in (1, 2):
        before, (state, _) = state, update(state, None)
        moved = float(state.target_params["a"]) != float(before.target_params["a"])
        assert moved == (step == 2)
    expected = 1.0 + 0.25 * (float(state.params["a"]) - 1.0)
    np.testing.assert_allclose(state.target_params["a"], expected)


def test_target_updates_out_of_range_are_refused():
    with pytest.raises(
        ValueError, match=r"target_step_size must be above 0 .*, got 1\.5"
    ):
        sgd.polyak(1.5)
    with pytest.raises(
        ValueError, match="target_update_period must be at least 1, got 0"
    ):
        sgd.every(0, sgd.polyak(0.5))


def test_every_update_consumes_the_key(key):
    init, update = two_networks(sgd.periodic(1))
    state = init(key)
    following, _ = update(state, None)
    assert not jnp.array_equal(
        jax.random.key_data(state.key), jax.random.key_data(following.key)
    )
