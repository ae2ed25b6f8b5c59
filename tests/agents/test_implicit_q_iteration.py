"""IQ on a table: its iteration is entropy- and KL-regularised value iteration."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.special import logsumexp

from agents import implicit_q
from agents.parts.double_precision import double_precision

STATES, ACTIONS, DISCOUNT = 7, 5, 0.9


def random_mdp(seed=0):
    rng = np.random.default_rng(seed)
    transitions = rng.dirichlet(np.ones(STATES), size=(STATES, ACTIONS))
    return rng.normal(size=(STATES, ACTIONS)), transitions


@functools.partial(jax.jit, static_argnames=("temperature", "munchausen"))
def td_errors(log_policy_tm1, v_tm1, r_t, policy, v_t, *, temperature, munchausen):
    """`[S, A]` TD errors of all states and actions."""
    error = functools.partial(
        implicit_q.td_error,
        munchausen=munchausen,
        log_policy_floor=-np.inf,
    )
    arrays = (
        log_policy_tm1,
        jnp.broadcast_to(v_tm1[:, None], r_t.shape),
        r_t,
        jnp.full_like(r_t, DISCOUNT),
        jnp.log(policy),
        v_t,
        jnp.full_like(r_t, temperature),
    )
    return jax.vmap(error)(*map(jnp.ravel, arrays)).reshape(r_t.shape)


def iq_step(mdp, policy, value, temperature, munchausen):
    """The log-policy and value at which every TD error of IQ is zero."""
    rewards, transitions = mdp

    def errors(log_policy_tm1, v_tm1):
        return td_errors(
            log_policy_tm1,
            v_tm1,
            rewards,
            policy,
            transitions @ value,
            temperature=temperature,
            munchausen=munchausen,
        )

    target = errors(jnp.zeros_like(rewards), jnp.zeros(STATES))
    v = temperature * logsumexp(target / temperature, axis=-1)
    log_policy = (target - v[:, None]) / temperature
    np.testing.assert_allclose(errors(log_policy, jnp.asarray(v)), 0, atol=1e-12)
    return np.exp(np.asarray(log_policy)), v


def objective(policy, q, previous, entropy_weight, kl_weight):
    """Returns `[S]` <pi, q> + w_H H(pi) - w_KL KL(pi || previous)."""
    entropy = -(policy * np.log(policy)).sum(-1)
    divergence = (policy * np.log(policy / previous)).sum(-1)
    return (policy * q).sum(-1) + entropy_weight * entropy - kl_weight * divergence


def vi_step(mdp, policy, value, entropy_weight, kl_weight):
    """Regularised value iteration: the greedy policy and its regularised value."""
    rewards, transitions = mdp
    q = rewards + DISCOUNT * transitions @ value
    total = entropy_weight + kl_weight
    unnormalised = (kl_weight * np.log(policy) + q) / total
    unnormalised -= unnormalised.max(axis=-1, keepdims=True)
    greedy = np.exp(unnormalised)
    greedy /= greedy.sum(axis=-1, keepdims=True)
    values = objective(greedy, q, policy, entropy_weight, kl_weight)
    # The closed form is the maximum: no other policy is better.
    others = np.random.default_rng(1).dirichlet(np.ones(ACTIONS), size=(50, STATES))
    assert np.all(
        objective(others, q, policy, entropy_weight, kl_weight) < values + 1e-12
    )
    return greedy, values


def iterate(step, iterations):
    policy = np.full((STATES, ACTIONS), 1 / ACTIONS)
    history = [(policy, np.zeros(STATES))]
    for _ in range(iterations):
        history.append(step(*history[-1]))
    return history


@pytest.mark.parametrize("temperature", [0.3, 1.5])
@pytest.mark.parametrize("munchausen", [0.0, 0.7])
def test_iteration_is_entropy_and_kl_regularised_value_iteration(
    temperature, munchausen
):
    mdp = random_mdp()
    weights = ((1 - munchausen) * temperature, munchausen * temperature)
    with double_precision():
        ours = iterate(lambda p, v: iq_step(mdp, p, v, temperature, munchausen), 60)
    theirs = iterate(lambda p, v: vi_step(mdp, p, v, *weights), 60)
    for (policy, value), (expected_policy, expected_value) in zip(
        ours, theirs, strict=True
    ):
        np.testing.assert_allclose(policy, expected_policy, atol=1e-8)
        np.testing.assert_allclose(value, expected_value, atol=1e-8)


def test_the_fixed_point_depends_on_the_entropy_weight_only():
    """It is that of temperature (1 - alpha) tau, for any alpha."""
    mdp, entropy_weight = random_mdp(), 0.2
    soft, value = iterate(lambda p, v: vi_step(mdp, p, v, entropy_weight, 0.0), 400)[-1]
    for munchausen in (0.0, 0.5, 0.9):
        temperature = entropy_weight / (1 - munchausen)
        with double_precision():
            history = iterate(
                lambda p, v, t=temperature, m=munchausen: iq_step(mdp, p, v, t, m), 400
            )
        np.testing.assert_allclose(history[-1][0], soft, atol=1e-8)
        np.testing.assert_allclose(history[-1][1], value, atol=1e-7)


def test_a_larger_kl_weight_makes_policy_steps_smaller():
    mdp, first_steps = random_mdp(), []
    for munchausen in (0.0, 0.5, 0.9):
        temperature = 0.2 / (1 - munchausen)  # equal entropy weights
        with double_precision():
            (before, _), (after, _) = iterate(
                lambda p, v, t=temperature, m=munchausen: iq_step(mdp, p, v, t, m), 1
            )
        first_steps.append((after * np.log(after / before)).sum(-1).mean())
    # KL penalties of 0, 0.2 and 1.8, with the same entropy bonus of 0.2.
    assert first_steps[0] > 1.2 * first_steps[1] > 3 * first_steps[2]


BINS = (2 * np.arange(31) + 1) / 31 - 1
TEMPERATURE, MUNCHAUSEN, BEST = 0.3, 0.9, 0.6


def regressed_policy(floor, scale):
    """The fixed point of IQ at one state with one action, regressed on all actions.

    Action values are -scale (a - 0.6)^2. The preferences are quadratic, as are those of
    the agent's policy, and can represent these values exactly.

    Returns:
        Probabilities of the bins.
    """
    basis = np.polynomial.legendre.legvander(BINS, 2)
    values = -scale * (BINS - BEST) ** 2
    error = jax.vmap(
        functools.partial(
            implicit_q.td_error,
            munchausen=MUNCHAUSEN,
            log_policy_floor=floor,
        )
    )

    def log_ratio(coefficients):
        logits = basis[:, 1:] @ coefficients[1:] / TEMPERATURE
        return logits - logsumexp(logits) + np.log(31)

    @jax.jit
    def errors(coefficients, target_log_ratio):
        zeros = jnp.zeros(31)
        # The prediction, tau ln pi + V, is linear in the coefficients.
        given = (zeros, basis @ coefficients, jnp.asarray(values), zeros)
        return error(*given, target_log_ratio, zeros, zeros + TEMPERATURE)

    jacobian = jax.jit(jax.jacobian(errors))
    found = np.zeros(3)
    for _ in range(300):
        target = log_ratio(found)
        found = least_squares(errors, found, jacobian, args=(target,)).x
    return np.exp(log_ratio(found)) / 31


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0, 30.0])
@pytest.mark.parametrize("floor", [implicit_q.Config().floor, -np.inf, -1.0])
def test_a_floor_does_not_move_the_policy(floor, scale):
    """The fixed point is softmax(q / ((1 - alpha) tau)), although clipped targets are
    too high: once an advantage is below (1 - alpha) floor.

    If predictions were pulled up to clipped targets, whose kink no parabola follows,
    the median would be 0.97 for a floor of -10 and a scale of 1 or 3.
    """
    with double_precision():
        policy = regressed_policy(floor, scale)
    exact = np.exp(-scale * (BINS - BEST) ** 2 / ((1 - MUNCHAUSEN) * TEMPERATURE))
    np.testing.assert_allclose(policy, exact / exact.sum(), atol=1e-4)


@pytest.mark.parametrize("advantage", [-3.0, -700.0, -20_000.0])
def test_the_floor_bounds_the_targets_of_the_worst_actions(advantage):
    """At the fixed point tau ln pi = A / (1 - alpha): 10 A for an alpha of 0.9.

    So a target of 9 A without a floor, and at least 0.9 * -10 with a floor of -10.
    """
    zero, log_policy = jnp.zeros(()), jnp.asarray(10 * advantage / TEMPERATURE)
    errors = {
        floor: implicit_q.td_error(
            *(zero, zero, zero, zero, log_policy, zero, zero + TEMPERATURE),
            munchausen=MUNCHAUSEN,
            log_policy_floor=floor,
        )
        for floor in (-np.inf, -10.0)
    }
    np.testing.assert_allclose(errors[-np.inf], 9 * advantage, rtol=1e-6)
    np.testing.assert_allclose(errors[-10.0], -9.0, rtol=1e-6)
