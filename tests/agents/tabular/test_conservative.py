import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.tabular import conservative, operators, schemes, solvers
from agents.tabular.conservative import conservative_policy_iteration as cpi
from agents.tabular.mdp import MDP

LARGEST_REWARD = 1.0  # of a Garnet


@pytest.fixture
def start(mdp):
    return jnp.arange(1.0, 8.0) / 28


def run(scheme, mdp, key, iterations=60, model=operators.exact, q=None):
    q = conservative.start_values(mdp) if q is None else q
    return schemes.run(scheme, model(mdp), key, iterations, q)


def performance(mdp, log_policies, start):
    """`[1 + K]` <mu, v> of the uniform policy, then of the given policies."""
    uniform = jnp.full((1, 7, 3), -jnp.log(3.0))
    policies = jnp.exp(jnp.concatenate([uniform, log_policies]))
    values = jax.vmap(solvers.state_values, (None, 0))(mdp, policies)
    return values @ start


def test_the_direction_is_the_vertex_of_frank_wolfe(mdp, key, start):
    policy = jax.nn.softmax(jax.random.normal(key, (7, 3), "float64"))
    gradient = jax.grad(lambda pi: start @ solvers.state_values(mdp, pi))(policy)
    plans = jnp.array(list(itertools.product(range(3), repeat=7)))  # all 3^7 vertices
    linear = jnp.sum(jax.nn.one_hot(plans, 3) * gradient[None], axis=(1, 2))
    vertex = jax.nn.one_hot(plans[jnp.argmax(linear)], 3)
    step = cpi(conservative.constant(0.25)).step
    before = schemes.start(solvers.action_values(mdp, policy))
    after = step(before._replace(log_policy=jnp.log(policy)), mdp)
    direction = (jnp.exp(after.log_policy) - 0.75 * policy) / 0.25
    np.testing.assert_allclose(direction, vertex, atol=1e-8)


def test_rate_one_is_policy_iteration(mdp, key):
    q = conservative.start_values(mdp)
    one = run(cpi(conservative.constant(1.0)), mdp, key, 5)
    other = schemes.run(schemes.policy_iteration(), operators.exact(mdp), key, 5, q)
    np.testing.assert_allclose(one.q, other.q, atol=1e-8)
    # With one evaluation it is value iteration, under noise as well.
    one = run(
        cpi(conservative.constant(1.0), evaluations=1), mdp, key, 30, operators.sampled
    )
    sampled = operators.sampled(mdp)
    other = schemes.run(schemes.value_iteration(), sampled, key, 30, q)
    np.testing.assert_allclose(one.q, other.q, atol=1e-8)


@pytest.mark.parametrize("rate", [0.03, 0.2, 0.7])
def test_constant_rates_mix_and_converge(mdp, key, rate):
    found = run(cpi(conservative.constant(rate)), mdp, key, 300)
    policies = jnp.exp(found.log_policy)
    np.testing.assert_allclose(policies.sum(-1), 1, atol=1e-12)
    # The weight of the uniform policy after k mixtures.
    np.testing.assert_allclose(policies[4].min(), (1 - rate) ** 5 / 3, rtol=1e-9)
    best = solvers.optimal_action_values(mdp)
    np.testing.assert_allclose(found.q[-1], best, atol=1e-2 if rate == 0.03 else 1e-8)


def test_the_bound_of_conservative_policy_iteration_holds(mdp, key, start):
    found = run(cpi(conservative.adaptive(start, LARGEST_REWARD)), mdp, key)
    grown = np.diff(performance(mdp, found.log_policy, start))
    gains = advantages(mdp, found, start)
    assert (grown > 0).all()
    assert (grown >= (1 - 0.85) * gains**2 / (8 * LARGEST_REWARD)).all()


def test_the_bound_of_safe_policy_iteration_holds(mdp, key, start):
    found = run(cpi(conservative.safe(start)), mdp, key)
    value = performance(mdp, found.log_policy, start)
    assert (np.diff(value) >= -1e-10).all()
    best = jnp.max(solvers.optimal_action_values(mdp), axis=-1) @ start
    cautious = run(cpi(conservative.adaptive(start, LARGEST_REWARD)), mdp, key)
    slow = performance(mdp, cautious.log_policy, start)
    assert value[0] < slow[-1] < value[-1] <= best + 1e-9
    uniform = jnp.full((7, 3), 1 / 3)
    q = solvers.action_values(mdp, uniform)
    target = jnp.exp(operators.greedy(q))
    gain = conservative.advantage(mdp, uniform, target, q, start)
    span = np.ptp(np.asarray(((target - uniform) * q).sum(-1)))
    distance = 4 / 3  # of a vertex from the uniform policy of three actions
    rate = conservative.safe(start)(mdp, uniform, target, q)
    assert rate == pytest.approx(0.15 * gain / (0.85 * distance * span)) and rate < 1
    assert value[1] - value[0] >= gain**2 / (2 * 0.85 * distance * span)


def advantages(mdp, found, start):
    """`[K]` gain of each step's direction, from the uniform policy on."""
    uniform = jnp.full((1, 7, 3), 1 / 3)
    policies = jnp.concatenate([uniform, jnp.exp(found.log_policy[:-1])])

    def gain(policy):
        q = solvers.action_values(mdp, policy)
        target = jnp.exp(operators.greedy(q))
        return conservative.advantage(mdp, policy, target, q, start)

    return np.asarray(jax.vmap(gain)(policies))


def test_the_advantage_is_the_slope_of_performance(mdp, key, start):
    policy = jax.nn.softmax(jax.random.normal(key, (7, 3), "float64"))
    q = solvers.action_values(mdp, policy)
    target = jnp.exp(operators.greedy(q))
    slope = jax.grad(
        lambda a: start @ solvers.state_values(mdp, (1 - a) * policy + a * target)
    )(0.0)
    gain = conservative.advantage(mdp, policy, target, q, start)
    np.testing.assert_allclose(slope, gain / (1 - 0.85), rtol=1e-10)


def test_rates_are_finite_at_the_optimum(mdp, key, start):
    best = solvers.optimal_action_values(mdp)
    policy = jnp.exp(operators.greedy(best))
    for rate in (
        conservative.safe(start),
        conservative.adaptive(start, LARGEST_REWARD),
    ):
        assert 0 <= rate(mdp, policy, policy, best) <= 1


def test_rates_are_zero_where_the_advantage_is_negative(mdp, start):
    # Under noise <d, <target - pi, q>> of an old q may be negative.
    q = conservative.start_values(mdp)
    worst = jnp.exp(operators.greedy(-q))
    uniform = jnp.full((7, 3), 1 / 3)
    assert conservative.adaptive(start, 1.0)(mdp, uniform, worst, q) == 0
    assert conservative.safe(start)(mdp, uniform, worst, q) == 0


def test_the_adaptive_rate_by_hand():
    """One state that lasts, rewards 0 and 2, gamma 0.75: v of (1/2, 1/2) is 4."""
    process = MDP(jnp.ones((1, 2, 1)), jnp.array([[0.0, 2.0]]), jnp.asarray(0.75))
    policy, start = jnp.array([[0.5, 0.5]]), jnp.ones(1)
    q = solvers.action_values(process, policy)
    np.testing.assert_allclose(q, [[3.0, 5.0]])
    target = jnp.array([[0.0, 1.0]])  # A = 5 - 4 = 1
    for largest, expected in ((2.0, 1 / 16 / 8), (0.01, 1.0)):
        rate = conservative.adaptive(start, largest)(process, policy, target, q)
        np.testing.assert_allclose(rate, expected)
