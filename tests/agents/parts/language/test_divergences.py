"""Divergences: sums by hand, limits, swapped arguments, gradients, chunks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts.language import divergences

B, T, V = 3, 5, 7
NAMES = ["forward_kl", "reverse_kl", "jsd", "total_variation"]


def logits(seed, *shape):
    return 2 * jax.random.normal(jax.random.key(seed), shape)


def probabilities(scores):
    exp = np.exp(np.asarray(scores, np.float64))
    return exp / exp.sum(axis=-1, keepdims=True)


def kl(p, q):
    return (p * np.log(p / q)).sum(axis=-1)


def test_values_by_hand():
    """P = (1/2, 1/2) of the teacher, Q = (1/4, 3/4) of the student."""
    teacher, student = jnp.zeros(2), jnp.log(jnp.array([1.0, 3.0]))
    forward = divergences.forward_kl(teacher, student)
    assert forward == pytest.approx(np.log(4 / 3) / 2, rel=1e-6)
    reverse = divergences.reverse_kl(teacher, student)
    assert reverse == pytest.approx(3 / 4 * np.log(3) - np.log(2), rel=1e-6)
    assert divergences.total_variation(teacher, student) == pytest.approx(0.25)
    # With beta 1/4: M = (5/16, 11/16).
    by_hand = kl(np.array([0.5, 0.5]), np.array([5 / 16, 11 / 16])) / 4
    by_hand += 3 / 4 * kl(np.array([1 / 4, 3 / 4]), np.array([5 / 16, 11 / 16]))
    jsd = divergences.jsd(teacher, student, beta=0.25)
    assert jsd == pytest.approx(by_hand, rel=1e-5)


def test_sums_over_the_last_axis():
    teacher, student = logits(1, B, T, V), logits(2, B, T, V)
    p, q = probabilities(teacher), probabilities(student)
    m = 0.3 * p + 0.7 * q
    wanted = {
        "forward_kl": kl(p, q),
        "reverse_kl": kl(q, p),
        "jsd": 0.3 * kl(p, m) + 0.7 * kl(q, m),
        "total_variation": np.abs(p - q).sum(axis=-1) / 2,
    }
    for name in NAMES:
        found = divergences.named(name, beta=0.3)(teacher, student)
        assert found.shape == (B, T)
        np.testing.assert_allclose(found, wanted[name], rtol=1e-5, atol=1e-6)


def test_jsd_over_its_small_weight_tends_to_a_kl():
    """And so `jsd` itself tends to 0."""
    teacher, student = logits(1, T, V) / 2, logits(2, T, V) / 2
    for beta, weight, limit in (
        (1e-3, 1e-3, divergences.forward_kl),
        (1 - 1e-3, 1e-3, divergences.reverse_kl),
    ):
        near = divergences.jsd(teacher, student, beta=beta) / weight
        np.testing.assert_allclose(near, limit(teacher, student), rtol=0.03, atol=1e-3)


def test_swapped_arguments_give_another_value():
    """Except for an even mixture and for total variation, which are symmetric."""
    teacher, student = logits(1, V), logits(2, V)
    for name in NAMES:
        divergence = divergences.named(name, beta=0.2)
        change = divergence(teacher, student) - divergence(student, teacher)
        assert (abs(change) > 1e-3) == (name != "total_variation")
    even = divergences.jsd(teacher, student, beta=0.5)
    assert even == pytest.approx(float(divergences.jsd(student, teacher, beta=0.5)))


@pytest.mark.parametrize("name", NAMES)
def test_gradients_equal_finite_differences(name):
    divergence = divergences.named(name, beta=0.8)
    teacher, student = logits(1, V), logits(2, V)
    gradient = jax.jit(jax.grad(divergence, argnums=1))(teacher, student)
    step = 1e-2
    shifts = step * np.concatenate([np.eye(V), -np.eye(V)])
    moved = jnp.asarray(np.asarray(student) + shifts, jnp.float32)
    values = divergence(jnp.broadcast_to(teacher, moved.shape), moved)
    slopes = (values[:V] - values[V:]) / (2 * step)
    np.testing.assert_allclose(gradient, slopes, atol=2e-4)


@pytest.mark.parametrize("name", NAMES)
def test_extreme_logits_stay_finite(name):
    """A teacher that excludes tokens, and one that is certain."""
    teacher = jnp.array([[0.0, -1e4, 3.0], [200.0, 0.0, 0.0]])
    student = jnp.array([[-300.0, 0.0, 1.0], [0.0, 100.0, 1.0]])
    divergence = divergences.named(name)
    value, gradient = jax.value_and_grad(lambda x: divergence(teacher, x).sum())(
        student
    )
    assert np.isfinite(value) and np.all(np.isfinite(gradient))
    np.testing.assert_allclose(divergence(student, student), 0, atol=1e-6)


def test_half_precision_logits_are_widened():
    teacher, student = logits(1, V).astype(jnp.bfloat16), logits(2, V)
    found = divergences.forward_kl(teacher, student.astype(jnp.bfloat16))
    assert found.dtype == jnp.float32


@pytest.mark.parametrize("chunk", [4, 99])
def test_chunks_give_value_and_gradient_of_the_whole(chunk):
    """15 positions; the teacher is wider than the student."""
    wide, narrow = logits(3, B, T, 6), logits(4, B, T, 4)
    teacher_embed, embed = logits(5, V, 6), logits(6, V, 4)
    weights = jnp.arange(15.0).reshape(B, T)
    divergence = functools.partial(divergences.jsd, beta=0.1)

    def whole(embed, narrow):
        values = divergence(wide @ teacher_embed.T, narrow @ embed.T)
        return jnp.sum(weights * values)

    def in_chunks(embed, narrow):
        values = divergences.chunked(
            divergence,
            lambda states: states @ teacher_embed.T,
            lambda states: states @ embed.T,
            wide,
            narrow,
            chunk=chunk,
        )
        return jnp.sum(weights * values)

    arguments = (embed, narrow)
    wanted = jax.value_and_grad(whole, argnums=(0, 1))(*arguments)
    found = jax.jit(jax.value_and_grad(in_chunks, argnums=(0, 1)))(*arguments)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4),
        found,
        wanted,
    )


def test_chunks_never_hold_the_logits_of_all_positions():
    """No intermediate of the gradient has 64 positions times 1,000 tokens."""
    states, embed = jnp.ones((8, 8, 3)), jnp.ones((1_000, 3))

    def total(embed):
        values = divergences.chunked(
            divergences.forward_kl,
            lambda rows: rows @ jnp.ones((3, 1_000)),
            lambda rows: rows @ embed.T,
            states,
            states,
            chunk=4,
        )
        return jnp.sum(values)

    compiled = jax.jit(jax.grad(total)).lower(embed).compile()
    used = compiled.memory_analysis().temp_size_in_bytes
    assert used < 64 * 1_000 * 4


@pytest.mark.parametrize("beta", [0.0, 1.0, -0.5, float("nan")])
def test_beta_at_the_ends_is_refused(beta):
    message = "beta must be above 0 and below 1; at the ends choose forward_kl"
    with pytest.raises(ValueError, match=message):
        divergences.named("jsd", beta)
