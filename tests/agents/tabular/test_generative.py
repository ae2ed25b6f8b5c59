import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.tabular import operators, schemes, solvers
from agents.tabular.generative import mdvi


def run(scheme, mdp, key, q, iterations=30, model=operators.sampled):
    return schemes.run(scheme, model(mdp), key, iterations, q)


def test_with_a_temperature_it_is_mirror_descent(mdp, key):
    q, alpha, temperature = jnp.zeros((7, 3)), 0.85, 0.4
    soft = run(mdvi(alpha, temperature), mdp, key, q)
    weights = (alpha * temperature, (1 - alpha) * temperature)
    mirror = run(schemes.mirror_descent(*weights), mdp, key, q)
    np.testing.assert_allclose(soft.q, mirror.q, rtol=0, atol=1e-8)
    # MDVI's policy is the one that the next iteration evaluates.
    np.testing.assert_allclose(
        jnp.exp(soft.log_policy[:-1]), jnp.exp(mirror.log_policy[1:]), rtol=0, atol=1e-8
    )


def test_a_small_temperature_is_the_limit(mdp, key):
    q = jnp.zeros((7, 3))
    hard, soft = (run(mdvi(0.9, t), mdp, key, q) for t in (0.0, 1e-10))
    np.testing.assert_allclose(hard.q, soft.q, rtol=0, atol=1e-8)


def test_without_memory_it_is_value_iteration(mdp, key, q):
    one = run(mdvi(0.0), mdp, key, q)
    other = run(schemes.value_iteration(), mdp, key, q)
    np.testing.assert_allclose(one.q, other.q, rtol=0, atol=1e-8)


def test_two_steps_by_hand(mdp, key):
    found = run(mdvi(0.5), mdp, key, jnp.zeros((7, 3)), 2, operators.exact)
    first = mdp.rewards
    np.testing.assert_allclose(found.q[0], first)
    second = mdp.backup(first.max(-1))
    np.testing.assert_allclose(found.q[1], second)
    np.testing.assert_allclose(found.total[1], second + 0.5 * first)
    assert found.previous[1].tolist() == found.total[0].tolist()


@pytest.mark.parametrize("alpha", [0.85, 0.9775])  # gamma, 1 - (1 - gamma)^2
def test_it_finds_the_optimum_and_beats_value_iteration(mdp, key, alpha):
    best = solvers.optimal_action_values(mdp).max(-1)
    q = jnp.zeros((7, 3))

    def gap(scheme, model=operators.sampled):
        policy = jnp.exp(run(scheme, mdp, key, q, 600, model).log_policy[-50:])
        values = jax.vmap(solvers.state_values, (None, 0))(mdp, policy)
        return jnp.mean(jnp.max(best[None] - values, axis=-1))

    assert gap(mdvi(alpha), operators.exact) < 1e-9
    assert gap(mdvi(alpha)) < gap(schemes.value_iteration()) / 2
