"""Batches of Garnets: sizes, policies, errors and their summary."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.tabular import operators, schemes
from experiments.papers import garnets


@pytest.fixture(scope="module")
def mdps():
    return garnets.batch(jax.random.split(jax.random.key(0), 3), 0.9)


def test_a_batch_has_the_papers_sizes(mdps):
    assert mdps.rewards.shape == (3, garnets.STATES, garnets.ACTIONS)
    assert (garnets.STATES, garnets.ACTIONS, garnets.BRANCHING) == (30, 4, 4)


def test_value_iteration_without_noise_converges_to_zero_error(mdps):
    keys = jax.random.split(jax.random.key(1), 3)
    found = garnets.policies(
        schemes.value_iteration(), operators.exact, mdps, keys, (1, 200)
    )
    assert found.shape == (3, 2, garnets.STATES, garnets.ACTIONS)
    errors, gaps = garnets.relative_errors(mdps, found), garnets.worst_gaps(mdps, found)
    assert errors.shape == gaps.shape == (3, 2)
    np.testing.assert_allclose(errors[:, 1], 0, atol=1e-5)
    np.testing.assert_allclose(gaps[:, 1], 0, atol=1e-5)
    assert (errors[:, 0] >= errors[:, 1]).all() and errors[:, 0].max() > 1e-3


def test_summary_is_mean_and_standard_error():
    means, spread = garnets.summary(jnp.array([[1.0, 4.0], [3.0, 4.0]]))
    assert means == [2.0, 4.0] and spread == pytest.approx([1.0, 0.0])
    assert garnets.summary(jnp.array([[5.0]])) == ([5.0], [0.0])


def test_a_seed_draws_its_garnets_and_a_key_of_noise_for_each():
    mdps, keys = garnets.drawn(7, 5, 0.9)
    assert mdps.rewards.shape[0] == len(keys) == 5
    again, other = garnets.drawn(7, 5, 0.9)[0], garnets.drawn(8, 5, 0.9)[0]
    np.testing.assert_array_equal(mdps.transitions, again.transitions)
    assert (mdps.rewards != other.rewards).any()
    assert len({tuple(data) for data in jax.random.key_data(keys).tolist()}) == 5


def test_a_curve_has_the_mean_error_of_each_iteration(mdps):
    keys = jax.random.split(jax.random.key(1), 3)
    arguments = schemes.value_iteration(), operators.exact, mdps, keys, (2, 7)
    errors = garnets.relative_errors(mdps, garnets.policies(*arguments), 0.25)
    for row, several in zip(garnets.curve(*arguments, 0.25), errors.T, strict=True):
        assert row["iteration"] in (2, 7) and row["garnets"] == 3
        assert row["error"] == pytest.approx(np.mean(several))
        assert row["standard_error"] == pytest.approx(np.std(several, ddof=1) / 3**0.5)
