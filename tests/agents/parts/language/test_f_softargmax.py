"""f-softargmax against exact algorithms; its loss, gradients, limits and measures."""

import functools

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
    "ones": np.ones(V),
    "uniform": np.full(V, 1 / V),
    "ragged": np.linspace(0.2, 1.9, V),
}
STEP = 2e-3


def scores(seed=0, rows=N):
    return np.float32(2) * np.random.default_rng(seed).normal(size=(rows, V)).astype(
        "f"
    )


def distribution(seed):
    exp = np.exp(scores(seed))
    return exp / exp.sum(axis=-1, keepdims=True)


@functools.cache
def results(name, alpha, measure):
    """All operators on `scores()`, compiled once for a divergence."""
    theta, q = jnp.asarray(scores()), MEASURES.get(measure)
    if measure == "without 4":
        theta, q = theta.at[:, 4].set(30.0), np.where(np.arange(V) == 4, 0.0, 1.0)
    found = compiled(name, alpha)(theta, jnp.asarray(q, jnp.float32))
    return jax.tree.map(np.asarray, found)


@functools.cache
def compiled(name, alpha):
    f = operators.named(name, alpha)
    y, direction, labels = distribution(1), scores(2), jnp.arange(N) * 4

    @jax.jit
    def compute(theta, q):
        p, slope = jax.jvp(
            lambda x: operators.softargmax(f, x, q), (theta,), (jnp.asarray(direction),)
        )
        value = jax.vmap(jax.value_and_grad(lambda x: operators.softmax(f, x, q)))
        losses = jax.vmap(jax.value_and_grad(lambda x, y: operators.loss(f, x, y, q)))
        of_loss, gradient = losses(theta, y)
        of_value, value_gradient = value(theta)
        shifted = [
            operators.softargmax(f, theta + sign * STEP * direction, q)
            for sign in (1, -1)
        ]
        return {
            "p": p,
            "slope": slope,
            "value": of_value,
            "value_gradient": value_gradient,
            "loss": of_loss,
            "gradient": gradient,
            "ahead": shifted[0],
            "behind": shifted[1],
            "least": operators.loss(f, theta, p, q),
            "labels": operators.loss_of_labels(f, theta, labels, q),
            "one_hot": operators.loss(f, theta, jax.nn.one_hot(labels, V), q),
        }

    return compute


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
    theta = jnp.asarray(scores(rows=40))
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
    theta, labels = jnp.asarray(scores()), jnp.array([3, 0, 22, 7, 7])
    p = operators.softargmax(operators.KL, theta)
    np.testing.assert_allclose(p, jax.nn.softmax(theta), atol=1e-6)
    value = operators.softmax(operators.KL, theta)
    np.testing.assert_allclose(value, jax.nn.logsumexp(theta, axis=-1), rtol=1e-6)
    found = operators.loss_of_labels(operators.KL, theta, labels)
    wanted = optax.softmax_cross_entropy_with_integer_labels(theta, labels)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("alpha", [1.0, 1.001, 0.999])
def test_alpha_near_one_is_softmax_and_cross_entropy(alpha):
    theta, y = jnp.asarray(scores()), jnp.asarray(distribution(1))
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
    """Its value is (p, theta) - D_f(p, q), and no other distribution has a larger."""
    f, q = operators.named(name, alpha), MEASURES[measure]
    theta, found = scores(), results(name, alpha, measure)
    p = found["p"].astype(np.float64)
    np.testing.assert_allclose(p.sum(axis=-1), 1, atol=1e-6)
    assert np.all(p >= 0)

    def gain(p):
        distance = (q * np.asarray(f.value(jnp.asarray(p / q)))).sum(axis=-1)
        return (p * theta).sum(axis=-1) - distance

    np.testing.assert_allclose(found["value"], gain(p), rtol=1e-4, atol=2e-5)
    for seed in (5, 6):
        assert np.all(gain(0.9 * p + 0.1 * distribution(seed)) < found["value"])


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(("name", "alpha"), ALL)
def test_gradients(name, alpha, measure):
    """The loss's is softargmax - y; softargmax's equals finite differences."""
    found = results(name, alpha, measure)
    np.testing.assert_allclose(
        found["gradient"], found["p"] - distribution(1), atol=1e-5
    )
    ahead, behind = found["ahead"], found["behind"]
    smooth = np.all((ahead > 0) == (behind > 0), axis=-1)  # the same support
    assert np.any(smooth)
    difference = (ahead - behind) / (2 * STEP)
    np.testing.assert_allclose(
        found["slope"][smooth], difference[smooth], rtol=0.02, atol=4e-3
    )
    np.testing.assert_allclose(found["slope"].sum(axis=-1), 0, atol=1e-5)


@pytest.mark.parametrize(("name", "alpha"), ALL)
def test_the_loss_is_least_where_the_target_is_attained(name, alpha):
    found = results(name, alpha, "ones")
    np.testing.assert_allclose(found["least"], 0, atol=2e-5)
    assert np.all(found["loss"] > 0.01)


@pytest.mark.parametrize(("name", "alpha"), ALL)
def test_labels_are_one_hot_targets(name, alpha):
    found = results(name, alpha, "ragged")
    np.testing.assert_allclose(found["labels"], found["one_hot"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "alpha"), ALL)
def test_tokens_of_measure_zero_are_excluded(name, alpha):
    """Even the most likely one, token 4; gradients stay finite."""
    found = results(name, alpha, "without 4")
    p = found["p"]
    np.testing.assert_allclose(p.sum(axis=-1), 1, atol=1e-6)
    assert np.all(p[:, 4] == 0) and np.all(p.max(axis=-1) > 0)
    np.testing.assert_allclose(found["value_gradient"], p, atol=1e-6)
    assert np.all(np.isfinite(found["slope"]))


def test_a_uniform_measure_is_a_smaller_scale():
    """entmax of theta V^(1 - alpha): more tokens get a probability."""
    theta, alpha = jnp.asarray(scores()), 1.5
    f = operators.alpha_divergence(alpha)
    uniform = operators.softargmax(f, theta, 1 / V)
    np.testing.assert_allclose(
        uniform, operators.softargmax(f, theta * V ** (1 - alpha)), atol=1e-6
    )
    ones = operators.softargmax(f, theta)
    assert jnp.sum(uniform > 0) > 2 * jnp.sum(ones > 0)


def test_the_scale_of_the_measure_does_not_matter_for_kl():
    theta, q = scores(), MEASURES["ragged"]
    found = operators.softargmax(operators.KL, jnp.asarray(theta), 17 * q)
    wanted = jax.nn.softmax(jnp.asarray(theta + np.log(q)))
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_equal_and_far_scores():
    f = operators.alpha_divergence(1.5)
    np.testing.assert_allclose(operators.softargmax(f, jnp.zeros(V)), 1 / V, rtol=1e-5)
    far = jnp.array([1e4, 0.0, -1e4]) + 1e5
    np.testing.assert_allclose(operators.softargmax(f, far), [1, 0, 0])
    assert operators.loss_of_labels(f, far, jnp.array(0)) == 0
    assert operators.loss_of_labels(f, far, jnp.array(2)) == pytest.approx(2e4)


@pytest.mark.parametrize(("tokens", "alpha"), [(1_024, 5.0), (20_000, 3.0)])
def test_rare_tokens_and_a_large_alpha_do_not_widen_the_bracket(tokens, alpha):
    """Against a bisection in double precision, of tau between far bounds."""
    f, q = operators.alpha_divergence(alpha), 1 / tokens
    theta = 3 * np.random.default_rng(5).normal(size=tokens)

    def probabilities(tau):
        slope = np.maximum((alpha - 1) * (theta - tau), 0)
        return q * slope ** (1 / (alpha - 1))

    low, high = theta.max() - 1e13, theta.max()
    for _ in range(200):
        tau = (low + high) / 2
        low, high = (tau, high) if probabilities(tau).sum() > 1 else (low, tau)
    found = operators.softargmax(f, jnp.asarray(theta), jnp.full(tokens, q))
    assert np.abs(found - probabilities(tau)).sum() < 1e-4


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="alpha must be above 0, got 0"):
        operators.named("alpha", 0.0)
