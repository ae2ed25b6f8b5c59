"""Quantile regression by hand, and the network behind it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts import networks, quantiles
from agents.parts.contract import discrete_spec

Z = jnp.array([0.0, 2.0])
FRACTIONS = jnp.array([0.25, 0.8])
TARGETS = jnp.array([1.0, -0.5, 3.5])


def test_huber_loss_by_hand_with_more_targets_than_predictions():
    # Errors of the first: 1, -0.5, 3.5; Huber 0.5, 0.125, 3; weights 0.25, 0.75, 0.25.
    # Errors of the second: -1, -2.5, 1.5; Huber 0.5, 2, 1; weights 0.2, 0.2, 0.8.
    # (0.125 + 0.09375 + 0.75) / 3 + (0.1 + 0.4 + 0.8) / 3 = 0.75625
    loss = quantiles.huber_loss(Z, FRACTIONS, TARGETS)
    np.testing.assert_allclose(loss, 0.75625, rtol=1e-6)


def test_loss_is_summed_over_predictions_and_averaged_over_targets():
    loss = quantiles.huber_loss(Z, FRACTIONS, TARGETS)
    twice = quantiles.huber_loss(
        jnp.tile(Z, 2), jnp.tile(FRACTIONS, 2), jnp.tile(TARGETS, 3)
    )
    np.testing.assert_allclose(twice, 2 * loss, rtol=1e-6)


def test_gradients_reach_predictions_only():
    gradients = jax.grad(quantiles.huber_loss, argnums=(0, 1, 2))(Z, FRACTIONS, TARGETS)
    # Slopes of Huber, -1 to 1 of the error, times the weights, averaged, negated:
    # -(0.25 - 0.375 + 0.25) / 3 and -(-0.2 - 0.2 + 0.8) / 3.
    np.testing.assert_allclose(gradients[0], [-0.125 / 3, -0.4 / 3], rtol=1e-5)
    np.testing.assert_array_equal(gradients[2], np.zeros(3))


@pytest.mark.parametrize("fraction", [0.2, 0.9])
def test_regression_finds_the_quantile(fraction):
    samples = jnp.arange(101.0)  # wide enough for the threshold not to matter
    loss = jax.jit(jax.grad(quantiles.huber_loss))
    z = jnp.array([50.0])
    for _ in range(2_000):
        z -= loss(z, jnp.array([fraction]), samples)
    np.testing.assert_allclose(z, 100 * fraction, atol=2.5)


def test_only_the_actions_taken_are_regressed():
    z = jnp.stack([Z, Z + 99.0, Z - 99.0], axis=-1)[None]
    prediction = quantiles.Quantiles(z, FRACTIONS[None])
    losses = quantiles.regression_loss(prediction, jnp.array([0]), TARGETS[None])
    np.testing.assert_allclose(losses, [0.75625], rtol=1e-6)


@pytest.mark.parametrize(
    ("torso", "shape", "dtype", "hidden"),
    [("mlp", (7,), np.float32, (13, 11)), ("dqn2013", (2, 44, 36), np.uint8, (13,))],
)
def test_network_gives_a_quantile_for_each_fraction(torso, shape, dtype, hidden, key):
    spec = discrete_spec(shape, dtype, 5)
    network = networks.quantile_values(networks.Config(torso, hidden), spec, 9)
    params = network.init(key)
    observation = np.ones((3, *shape), dtype)
    z, fractions = quantiles.sample(network, params, key, observation, 17)
    assert z.shape == (3, 17, 5) and fractions.shape == (3, 17)
    # Equal observations and fractions have equal quantiles, whatever else is in the
    # batch; other fractions have other quantiles.
    alone = network.apply(params, observation[:1], fractions[1:2, 4:6])
    np.testing.assert_allclose(alone[0], z[1, 4:6], rtol=1e-5, atol=1e-6)
    assert not np.allclose(z[1, 4], z[1, 5])
    means = quantiles.values(network, params, key, observation, 17)
    np.testing.assert_allclose(means, z.mean(axis=1), rtol=1e-5, atol=1e-6)


def test_the_network_is_that_of_the_paper(key):
    """IQN, Eq. (4): features times relu(linear(cos(pi i sigma))), i from 1, by hand."""
    spec = discrete_spec((7,), np.float32, 5)
    network = networks.quantile_values(networks.Config("mlp", (13, 11)), spec, 9)
    params = network.init(key)
    random = np.random.default_rng(0)
    observation = random.normal(size=(3, 7)).astype(np.float32)
    fractions = random.uniform(size=(3, 4)).astype(np.float32)

    def layer(inputs, weights):
        return inputs @ np.asarray(weights["kernel"]) + np.asarray(weights["bias"])

    own = params["params"]
    features = np.maximum(layer(observation, own["torso"]["Dense_0"]), 0)
    cosines = np.cos(np.pi * np.arange(1, 10) * fractions[..., None])
    embedded = np.maximum(layer(cosines, own["Dense_0"]), 0)
    hidden = np.maximum(layer(features[:, None] * embedded, own["Dense_1"]), 0)
    expected = layer(hidden, own["Dense_2"])
    found = network.apply(params, observation, fractions)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
