"""f-softargmax against exact algorithms; its loss, gradients, limits and measures."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from agents.parts.language import f_softargmax as operators

N, V = 5, 23
NAMES = ["kl", "reverse_kl", "jensen_shannon", "squared_hellinger", "chi_squared"]
ALL = [(name, 1.0) for name in NAMES] + [("alpha", a) for a in (0.4, 1.3, 1.5, 2.5)]
MEASURES = {
    "ones": 1.0,
    "uniform": 1 / V,
    "ragged": jnp.linspace(0.2, 1.9, V),
}


def scores(seed=0, rows=N):
    return 2 * jax.random.normal(jax.random.key(seed), (rows, V))


def distribution(seed):
    return jax.nn.softmax(scores(seed))


def sparsemax(z):
    """Projection onto the simplex by sorting: Martins and Astudillo, Algorithm 1."""
    z = np.asarray(z, np.float64)
    ordered = np.sort(z)[::-1]
    k = np.arange(1, len(z) + 1)
    size = k[1 + k * ordered > np.cumsum(ordered)][-1]
    return np.maximum(z - (ordered[:size].sum() - 1) / size, 0)


def entmax15(z):
    """Exact 1.5-entmax by sorting: Peters, Niculae and Martins, Algorithm 2."""
    z = np.asarray(z, np.float64) / 2
    ordered = np.sort(z)[::-1]
    k = np.arange(1, len(z) + 1)
    mean = np.cumsum(ordered) / k
    spread = np.cumsum(ordered**2) - k * mean**2
    tau = mean - np.sqrt(np.maximum((1 - spread) / k, 0))
    size = k[tau <= ordered][-1]
    return np.maximum(z - tau[size - 1], 0) ** 2


@pytest.mark.parametrize(
    ("alpha", "exact"), [(1.5, entmax15), (2.0, sparsemax)], ids=["entmax", "sparsemax"]
)
def test_probabilities_equal_the_exact_algorithm(alpha, exact):
    theta = scores(rows=40)
    found = operators.softargmax(operators.alpha_divergence(alpha), theta)
    wanted = np.stack([exact(row) for row in theta])
    assert np.any(wanted == 0) and np.any((wanted > 0) & (wanted < 1))
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    # Tsallis' entropy of the exact distribution gives the value of softmax_f.
    entropy = (1 - (wanted**alpha).sum(axis=-1)) / (alpha * (alpha - 1))
    value = (wanted * np.asarray(theta)).sum(axis=-1) + entropy
    found = operators.softmax(operators.alpha_divergence(alpha), theta)
    np.testing.assert_allclose(found, value, atol=1e-6)


def test_sparsemax_by_hand():
    """Scores 1, 0.5, 0: tau is 0.25, with a support of two."""
    chi_squared = operators.named("chi_squared")
    theta = jnp.array([1.0, 0.5, 0.0])
    p = operators.softargmax(chi_squared, theta)
    np.testing.assert_allclose(p, [0.75, 0.25, 0], atol=1e-7)
    # softmax_f = (p, theta) - (sum p^2 - 1) / 2 = 0.875 + 0.1875
    assert operators.softmax(chi_squared, theta) == pytest.approx(1.0625)
    # Against token 1: 1.0625 + 0 - 0.5
    label = operators.loss_of_labels(chi_squared, theta, jnp.array(1))
    assert label == pytest.approx(0.5625)


def test_kl_is_softmax_and_cross_entropy():
    theta, labels = scores(), jnp.array([3, 0, 22, 7, 7])
    p = operators.softargmax(operators.KL, theta)
    np.testing.assert_allclose(p, jax.nn.softmax(theta), atol=1e-6)
    value = operators.softmax(operators.KL, theta)
    np.testing.assert_allclose(value, jax.nn.logsumexp(theta, axis=-1), rtol=1e-6)
    found = operators.loss_of_labels(operators.KL, theta, labels)
    wanted = optax.softmax_cross_entropy_with_integer_labels(theta, labels)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("alpha", [1.0, 1.001, 0.999])
def test_alpha_near_one_is_softmax_and_cross_entropy(alpha):
    theta, y = scores(), distribution(1)
    near = operators.alpha_divergence(alpha)
    p = operators.softargmax(near, theta)
    np.testing.assert_allclose(p, jax.nn.softmax(theta), atol=2e-3)
    found = operators.loss(near, theta, y)
    entropy = -(y * jnp.log(y)).sum(axis=-1)
    wanted = optax.softmax_cross_entropy(theta, y) - entropy
    np.testing.assert_allclose(found, wanted, rtol=0.01, atol=2e-3)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(("name", "alpha"), ALL)
def test_the_maximum_is_attained_by_a_distribution(name, alpha, measure):
    """First-order condition, and the value is (p, theta) - D_f(p, q)."""
    f, q = operators.named(name, alpha), np.broadcast_to(MEASURES[measure], V)
    theta = scores()
    p = np.asarray(operators.softargmax(f, theta, q), np.float64)
    np.testing.assert_allclose(p.sum(axis=-1), 1, atol=1e-6)
    assert np.all(p >= 0)
    distance = (q * np.asarray(f.value(p / q))).sum(axis=-1)
    wanted = (p * np.asarray(theta)).sum(axis=-1) - distance
    found = operators.softmax(f, theta, q)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    for seed in (5, 6):  # no other distribution is better
        other = 0.9 * p + 0.1 * np.asarray(distribution(seed))
        distance = (q * np.asarray(f.value(other / q))).sum(axis=-1)
        assert np.all((other * np.asarray(theta)).sum(axis=-1) - distance < found)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(("name", "alpha"), ALL)
def test_gradients(name, alpha, measure):
    """softargmax - y by the formula, and a derivative of softargmax by differences."""
    f, q = operators.named(name, alpha), MEASURES[measure]
    theta, y, direction = scores(), distribution(1), scores(2)
    gradient = jax.grad(lambda x: operators.loss(f, x, y, q).sum())(theta)
    p, slope = jax.jvp(lambda x: operators.softargmax(f, x, q), (theta,), (direction,))
    np.testing.assert_allclose(gradient, p - y, atol=1e-5)
    step = 2e-3
    ahead, behind = (
        operators.softargmax(f, theta + sign * step * direction, q) for sign in (1, -1)
    )
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * step), atol=4e-3)
    np.testing.assert_allclose(slope.sum(axis=-1), 0, atol=1e-5)


@pytest.mark.parametrize(("name", "alpha"), ALL)
def test_the_loss_is_least_where_the_target_is_attained(name, alpha):
    f, theta = operators.named(name, alpha), scores()
    p = operators.softargmax(f, theta)
    np.testing.assert_allclose(operators.loss(f, theta, p), 0, atol=2e-5)
    assert np.all(operators.loss(f, theta, distribution(1)) > 0.01)


@pytest.mark.parametrize(("name", "alpha"), ALL)
def test_labels_are_one_hot_targets(name, alpha):
    f, q, labels = operators.named(name, alpha), MEASURES["ragged"], jnp.arange(N) * 4
    found = operators.loss_of_labels(f, scores(), labels, q)
    wanted = operators.loss(f, scores(), jax.nn.one_hot(labels, V), q)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_a_uniform_measure_is_a_smaller_scale():
    """entmax of theta V^(1 - alpha): more tokens get a probability."""
    theta, alpha = scores(), 1.5
    f = operators.alpha_divergence(alpha)
    uniform = operators.softargmax(f, theta, 1 / V)
    np.testing.assert_allclose(
        uniform, operators.softargmax(f, theta * V ** (1 - alpha)), atol=1e-6
    )
    ones = operators.softargmax(f, theta)
    assert jnp.sum(uniform > 0) > 2 * jnp.sum(ones > 0)


def test_the_scale_of_the_measure_does_not_matter_for_kl():
    theta, q = scores(), MEASURES["ragged"]
    found = operators.softargmax(operators.KL, theta, 17 * q)
    np.testing.assert_allclose(found, jax.nn.softmax(theta + jnp.log(q)), atol=1e-6)


@pytest.mark.parametrize(("name", "alpha"), ALL)
def test_tokens_of_measure_zero_are_excluded(name, alpha):
    """Even the most likely one; gradients stay finite."""
    f = operators.named(name, alpha)
    theta = scores().at[:, 4].set(30.0)
    q = jnp.ones(V).at[4].set(0)
    p = operators.softargmax(f, theta, q)
    kept = np.delete(np.arange(V), 4)
    wanted = operators.softargmax(f, theta[:, kept])
    np.testing.assert_allclose(p[:, kept], wanted, atol=1e-6)
    assert np.all(p[:, 4] == 0)
    gradient = jax.grad(lambda x: operators.softmax(f, x, q).sum())(theta)
    np.testing.assert_allclose(gradient, p, atol=1e-6)


def test_equal_and_far_scores():
    f = operators.alpha_divergence(1.5)
    np.testing.assert_allclose(operators.softargmax(f, jnp.zeros(V)), 1 / V, rtol=1e-5)
    far = jnp.array([1e4, 0.0, -1e4]) + 1e5
    np.testing.assert_allclose(operators.softargmax(f, far), [1, 0, 0])
    assert operators.loss_of_labels(f, far, jnp.array(0)) == 0
    assert operators.loss_of_labels(f, far, jnp.array(2)) == pytest.approx(2e4)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="alpha must be above 0, got 0"):
        operators.named("alpha", 0.0)
