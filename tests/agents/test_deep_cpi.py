"""Deep CPI: its mixture and rates by hand, and rate 1, at which it is DQN."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import deep_cpi
from agents.parts import exploration, networks, sgd
from tests.agents.cases import VECTORS, batch_of, make, small, with_head

NO_EXPLORATION = exploration.EpsilonGreedy(evaluation=0.0)
PROBS = jnp.array([0.5, 0.2, 0.3])
Q = jnp.array([1.0, 3.0, 2.0])


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(0.0, [0.5, 0.2, 0.3]), (0.25, [0.375, 0.4, 0.225]), (1.0, [0.0, 1.0, 0.0])],
)
def test_mixture_moves_to_the_greedy_policy(rate, expected):
    result = deep_cpi.mixture(PROBS, Q, jnp.array(rate))
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_advantage_of_the_greedy_policy():
    # 3 - (0.5 + 0.6 + 0.6) = 1.3; none is left once the policy is greedy.
    np.testing.assert_allclose(deep_cpi.greedy_advantage(PROBS, Q), 1.3, rtol=1e-6)
    np.testing.assert_allclose(
        deep_cpi.greedy_advantage(jnp.array([0.0, 1.0, 0.0]), Q), 0.0
    )


@pytest.mark.parametrize(
    ("mean", "largest", "factor", "expected"),
    [(0.5, 2.0, 0.8, 0.2), (0.5, 2.0, 9.0, 1.0), (0.0, 0.0, 1.0, 0.0)],
)
def test_adaptive_rate(mean, largest, factor, expected):
    rate = deep_cpi.adaptive_rate(jnp.array(mean), jnp.array(largest), factor)
    np.testing.assert_allclose(rate, expected, rtol=1e-6)


def test_averages_of_the_advantage_are_exponential(key):
    settings = {"adaptive": True, "averaging_rate": 0.25, "mixing_rate": 1.0}
    agent, batch = make("deep_cpi", **settings), batch_of()
    state = agent.init(key)
    update, means = jax.jit(agent.update), []
    for _ in range(3):
        state, metrics = update(state, batch)
        means.append(float(metrics["advantage"]))  # constant: targets are not copied
    # x, then x + 0.25 (y - x) from 0, three times.
    np.testing.assert_allclose(
        state.params["advantage"]["mean"], means[0] * (1 - 0.75**3), rtol=1e-5
    )
    expected = state.params["advantage"]["mean"] / state.params["advantage"]["largest"]
    np.testing.assert_allclose(metrics["mixing_rate"], expected, rtol=1e-5)
    assert 0 < expected < 1


def test_the_critic_of_a_greedy_policy_is_that_of_dqn(key):
    batch, cpi, dqn = batch_of(), make("deep_cpi"), make("dqn")
    state, plain = cpi.init(key), dqn.init(key)
    q = plain.params["q"]
    params = {"q": q, "policy": with_head(q, lambda leaf: 1e5 * leaf)}
    _, metrics = jax.jit(cpi.update)(
        state._replace(params=params, target_params=params), batch
    )
    _, expected = jax.jit(dqn.update)(plain, batch)
    np.testing.assert_allclose(metrics["q_loss"], expected["q_loss"], rtol=1e-4)


def test_at_rate_one_the_policy_becomes_greedy(key):
    agent = make(
        "deep_cpi",
        mixing_rate=1.0,
        optimizer=sgd.Optimizer(learning_rate=1e-2),
        exploration=NO_EXPLORATION,
    )
    batch = batch_of()
    state, update = agent.init(key), jax.jit(agent.update)
    for _ in range(300):
        state, _ = update(state, batch)
    dqn = make("dqn", exploration=NO_EXPLORATION)
    greedy = {"q": state.target_params["q"]}
    chosen, _ = agent.act(state.params, key, batch.observation, 0, True)
    wanted, _ = dqn.act(greedy, key, batch.observation, 0, True)
    np.testing.assert_array_equal(chosen, wanted)


@pytest.mark.parametrize(
    "settings", [{"mixing_rate": 1.5}, {"mixing_rate": -0.1, "adaptive": True}]
)
def test_errors_name_rates_out_of_range(settings):
    with pytest.raises(ValueError, match="mixing_rate must be"):
        dataclasses.replace(deep_cpi.Config(), **settings)


def test_the_adaptive_rate_is_its_factor_times_the_mean_over_the_largest(key):
    """With averages that are replaced at each step, by hand from the networks."""
    agent = make("deep_cpi", adaptive=True, averaging_rate=1.0, mixing_rate=0.3)
    state, batch = agent.init(key), batch_of()
    network = networks.action_values(small("deep_cpi", VECTORS).network, VECTORS)
    q, logits = (
        np.asarray(network.apply(state.params[name], batch.observation), float)
        for name in ("q", "policy")
    )
    policy = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    advantage = q.max(axis=1) - (policy * q).sum(axis=1)
    _, metrics = jax.jit(agent.update)(state, batch)
    expected = 0.3 * advantage.mean() / advantage.max()
    np.testing.assert_allclose(metrics["mixing_rate"], expected, rtol=1e-4)
