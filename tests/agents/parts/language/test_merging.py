"""Merges of weights by hand: lengths, angles, folds and their limits."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts.language import merging
from tests.agents.parts.language.decoders import random_params

# Task vectors at a right angle in `embed`, at 60 degrees in the layer, equal in `norm`.
BASE = {
    "embed": jnp.zeros((1, 2)),
    "layers": [{"up": jnp.ones(2)}],
    "norm": jnp.ones(3),
}
ONE = {
    "embed": jnp.array([[3.0, 0.0]]),
    "layers": [{"up": jnp.array([2.0, 1.0])}],
    "norm": jnp.array([2.0, 1.0, 1.0]),
}
TWO = {
    "embed": jnp.array([[0.0, 4.0]]),
    "layers": [{"up": 1 + jnp.array([0.5, np.sqrt(0.75)])}],
    "norm": jnp.array([2.0, 1.0, 1.0]),
}


def vector(params, base):
    return jax.tree.map(lambda a, b: a - b, params, base)


def test_cosines_by_hand():
    found = merging.cosines(BASE, ONE, TWO)
    assert list(found) == ["embed", "layers/0", "norm"]
    assert [*map(float, found.values())] == pytest.approx([0, 0.5, 1], abs=1e-6)


def test_slerp_by_hand():
    """At 90 degrees both weigh sin 45; at 60 sin 30 / sin 60; equal ones are kept."""
    merged = merging.slerp(BASE, [ONE, TWO])
    np.testing.assert_allclose(merged["embed"], np.array([[3, 4]]) / np.sqrt(2))
    share = 0.5 / np.sqrt(0.75)
    up = 1 + share * np.array([1.5, np.sqrt(0.75)])
    np.testing.assert_allclose(merged["layers"][0]["up"], up, rtol=1e-6)
    np.testing.assert_allclose(merged["norm"], [2, 1, 1], rtol=1e-6)


@pytest.mark.parametrize("weight", [0.1, 0.5, 0.8])
def test_slerp_keeps_the_length_and_lerp_shortens_it(weight):
    """By the factor sqrt(1 - 2 (1 - cos)(w - w^2)), for vectors of equal length."""
    lengths = {}
    for method in (merging.slerp, merging.lerp):
        merged = vector(method(BASE, [ONE, TWO], weight), BASE)
        lengths[method] = float(jnp.linalg.norm(merged["layers"][0]["up"]))
    assert lengths[merging.slerp] == pytest.approx(1, rel=1e-5)
    shorter = np.sqrt(1 - 2 * (1 - 0.5) * (weight - weight**2))
    assert lengths[merging.lerp] == pytest.approx(shorter, rel=1e-5)


@pytest.mark.parametrize("method", [merging.slerp, merging.lerp])
def test_the_ends_are_the_sources(method):
    base, one, two = (random_params(seed=seed) for seed in (1, 2, 3))
    chex.assert_trees_all_close(method(base, [one, two], 0.0), one, atol=1e-5)
    chex.assert_trees_all_close(method(base, [one, two], 1.0), two, atol=1e-5)
    chex.assert_trees_all_close(method(base, [one]), one, atol=1e-6)


def test_lerp_of_several_is_their_mean_from_any_base():
    base, *tuned = (random_params(seed=seed) for seed in range(5))
    mean = jax.tree.map(lambda *leaves: sum(leaves) / 4, *tuned)
    chex.assert_trees_all_close(merging.lerp(base, tuned), mean, atol=1e-5)
    chex.assert_trees_all_close(merging.lerp(tuned[0], tuned), mean, atol=1e-5)


def test_slerp_of_several_folds_with_falling_weights():
    base, *tuned = (random_params(seed=seed) for seed in range(4))
    pair = merging.slerp(base, tuned[:2], 0.5)
    folded = merging.slerp(base, [pair, tuned[2]], 1 / 3)
    chex.assert_trees_all_close(merging.slerp(base, tuned), folded, atol=1e-5)


@pytest.mark.parametrize("sign", [0.0, 1.0, -1.0])
def test_slerp_of_vectors_without_an_angle_is_linear(sign):
    """Equal, opposite and absent task vectors."""
    other = jax.tree.map(lambda one, base: base + sign * (one - base), ONE, BASE)
    merged = merging.slerp(BASE, [ONE, other], 0.25)
    chex.assert_trees_all_close(
        merged, merging.lerp(BASE, [ONE, other], 0.25), atol=1e-3
    )
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(merged))


def test_towards_goes_a_fraction_of_the_way():
    found = merging.towards(BASE, ONE, 0.25)
    np.testing.assert_allclose(found["embed"], [[0.75, 0]])
    np.testing.assert_allclose(found["norm"], [1.25, 1, 1])
    chex.assert_trees_all_equal(merging.towards(BASE, ONE, 1.0), ONE)


def test_errors_say_how_many_sources_there_must_be():
    with pytest.raises(ValueError, match="at least one run, got none"):
        merging.slerp(BASE, [])
    with pytest.raises(ValueError, match="two runs, got 3"):
        merging.lerp(BASE, [ONE, TWO, ONE], 0.5)
    with pytest.raises(AssertionError):
        merging.slerp(BASE, [{**ONE, "norm": jnp.ones(2)}])
