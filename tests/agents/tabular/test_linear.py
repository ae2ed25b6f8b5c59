import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.tabular import linear, operators, schemes, solvers
from agents.tabular.generative import mdvi
from agents.tabular.mdp import hard_linear


@pytest.fixture
def hard(key):
    return hard_linear(key, actions=5, features=4, difference=0.04, discount=0.9)


def one_hot(states, actions):
    pairs = states * actions
    return jnp.eye(pairs).reshape(states, actions, pairs)


def test_the_design_of_one_hot_features_is_uniform():
    design = linear.optimal_design(one_hot(3, 2))
    np.testing.assert_allclose(design, 1 / 6)


def test_the_design_is_optimal(key):
    phi = jax.random.normal(key, (7, 5, 3), "float64")
    design = linear.optimal_design(phi, tolerance=1e-3)
    flat, rho = phi.reshape(-1, 3), design.ravel()
    # Kiefer and Wolfowitz: the largest leverage of an optimal design is D.
    assert 3 - 0.01 < linear.leverages(flat, rho).max() <= 3 * 1.01
    assert rho.min() >= 0 and rho.sum() == pytest.approx(1, abs=0.02)
    assert 3 <= (rho > 0).sum() < 35  # a core set

    def log_determinant(rho):
        return jnp.linalg.slogdet(jnp.einsum("n,nd,ne->de", rho, flat, flat))[1]

    best = log_determinant(rho / rho.sum())
    others = jax.random.dirichlet(key, jnp.full(35, 0.3), (200,))
    assert (jax.vmap(log_determinant)(others) < best).all()


@pytest.mark.parametrize("seed", range(5))
def test_features_that_do_not_span_have_no_design(seed):
    key, other = jax.random.split(jax.random.key(seed))
    line = jnp.einsum("sa,d->sad", jax.random.normal(key, (2, 3)), jnp.arange(1.0, 5.0))
    assert jnp.isnan(linear.optimal_design(line)).all()
    flat = jax.random.normal(other, (3, 5, 4)).at[..., 3].set(0.0)
    assert jnp.isnan(linear.optimal_design(flat)).all()


def test_a_design_by_hand():
    # In the plane: two unit vectors and a short one between them, which does not help.
    phi = jnp.array([[[1.0, 0.0]], [[0.0, 1.0]], [[0.2, 0.2]]])
    design = linear.optimal_design(phi)
    np.testing.assert_allclose(design[:, 0], [0.5, 0.5, 0.0], atol=0.01)


def test_regression_is_weighted_least_squares(key):
    keys = jax.random.split(key, 4)
    phi = jax.random.normal(keys[0], (5, 3, 2), "float64")
    y, design, f = (
        jax.random.uniform(k, (5, 3), "float64", 0.5, 2.0) for k in keys[1:]
    )
    root = np.sqrt(np.asarray(design / f**2)).ravel()
    expected = np.linalg.lstsq(
        np.asarray(phi).reshape(-1, 2) * root[:, None],
        np.asarray(y).ravel() * root,
        rcond=None,
    )[0]
    np.testing.assert_allclose(linear.regression(phi, design, f, y), expected)
    # Linear targets are found whatever the weights.
    theta = jnp.array([0.3, -2.0])
    np.testing.assert_allclose(linear.regression(phi, design, f, phi @ theta), theta)


def test_with_one_hot_features_it_is_mdvi_whatever_the_weights(mdp, key, q):
    phi = one_hot(7, 3)
    f = 1 + jax.random.uniform(key, (7, 3), "float64")
    scheme = linear.weighted_mdvi(phi, jnp.full((7, 3), 1 / 21), f, 0.85)
    model = operators.sampled(mdp, 2)
    one = schemes.run(scheme, model, key, 25, jnp.zeros_like(q))
    other = schemes.run(mdvi(0.85), model, key, 25, jnp.zeros_like(q))
    np.testing.assert_allclose(one.q, other.total, rtol=0, atol=1e-8)


def test_without_noise_it_solves_the_hard_mdp(hard, key):
    mdp, phi = hard
    f = jnp.ones((2, 5))
    scheme = linear.weighted_mdvi(phi, linear.optimal_design(phi), f, 0.9)
    found = schemes.run(scheme, operators.exact(mdp), key, 200, jnp.zeros((2, 5)))
    best = jnp.max(solvers.optimal_action_values(mdp), axis=-1)
    policies = jnp.exp(found.log_policy)
    values = jax.vmap(solvers.state_values, (None, 0))(mdp, policies)
    np.testing.assert_allclose(values[-1], best, rtol=1e-9)
    assert values[0, 0] < best[0]
    # v_k = max phi theta_k - gamma max phi theta_{k-1} tends to v*, too.
    last = jax.tree.map(lambda leaf: leaf[-1], found)
    np.testing.assert_allclose(linear.state_values(phi, last, 0.9), best, rtol=1e-6)


def test_the_variance_is_estimated_from_pairs(hard, key):
    mdp, phi = hard
    values = jnp.array([4.0, 1.0])
    exact = linear.exact_variance(mdp, values)
    keep = mdp.transitions[..., 0]
    np.testing.assert_allclose(exact, 9 * keep * (1 - keep), atol=1e-12)
    # The variance of a linear MDP need not be linear: compare with its projection.
    design = linear.optimal_design(phi)
    projected = phi @ linear.regression(phi, design, jnp.ones((2, 5)), exact)
    found = linear.estimated_variance(key, mdp, phi, design, values, samples=40_000)
    np.testing.assert_allclose(found, projected, atol=0.05)
    assert projected[0].min() > 0.3


def test_the_weighting_is_between_root_horizon_and_horizon():
    variance = jnp.array([[-1.0, 0.0], [4.0, 1e6]])
    f = linear.weighting_of(variance, jnp.asarray(0.75))  # H = 4
    np.testing.assert_allclose(f, [[2.0, 2.0], [4.0, 4.0]])
    f = linear.weighting_of(jnp.array([[1.0]]), jnp.asarray(0.75))
    np.testing.assert_allclose(f, [[3.0]])


@pytest.mark.parametrize("seed", range(3))
def test_leaving_out_pairs_costs_a_design_little(seed):
    """At the default tolerance, in a space in which 150 pairs share six dimensions."""
    phi = jax.random.normal(jax.random.key(seed), (30, 5, 6), "float64")
    design = linear.optimal_design(phi)
    assert 0.98 < design.sum() <= 1 + 1e-9
    assert linear.leverages(phi.reshape(-1, 6), design.ravel()).max() < 6 * 1.03
    assert (design > 0).sum() < 50
