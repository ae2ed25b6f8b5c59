"""Momentum DQN: its two targets by hand, its average, and beta 0, where it is DQN."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import momentum_dqn
from tests.agents.cases import batch_of, make

Q_T = jnp.array([5.0, 2.0, 1.0])
H_T = jnp.array([0.0, 1.0, 0.5])


def test_q_is_evaluated_where_h_is_largest():
    # 0.3 + 0.9 * 2, although the first action has the larger value.
    target = momentum_dqn.q_target(jnp.array(0.3), jnp.array(0.9), Q_T, H_T)
    np.testing.assert_allclose(target, 2.1, rtol=1e-6)


@pytest.mark.parametrize(
    ("averaging", "expected"),
    [(0.0, [5.0, 2.0, 1.0]), (0.75, [1.25, 1.25, 0.625]), (1.0, [0.0, 1.0, 0.5])],
)
def test_h_target_by_hand(averaging, expected):
    np.testing.assert_allclose(momentum_dqn.h_target(Q_T, H_T, averaging), expected)


def test_h_learns_from_q_without_moving_it():
    gradients = jax.grad(
        lambda q, h: momentum_dqn.h_target(q, h, 0.5).sum(), argnums=(0, 1)
    )(Q_T, H_T)
    assert not np.any(gradients)


def seen(schedule, key, **settings):
    """Beta at each of seven updates, with target copies at every third."""
    agent = make("momentum_dqn", schedule=schedule, target_update_period=3, **settings)
    update, state, batch, found = jax.jit(agent.update), agent.init(key), batch_of(), []
    for _ in range(7):
        state, metrics = update(state, batch)
        found.append(float(metrics["averaging"]))
    return found


def test_decaying_beta_makes_h_the_plain_average(key):
    betas = seen("decaying", key)
    np.testing.assert_allclose(betas, [0, 0, 0, 1 / 2, 1 / 2, 1 / 2, 2 / 3], rtol=1e-6)
    values, h = [7.0, 1.0, 4.0], 0.0
    for value, beta in zip(values, betas[::3], strict=True):
        h = float(momentum_dqn.h_target(jnp.array(value), jnp.array(h), beta))
    assert h == pytest.approx(4.0)


def test_fixed_beta_is_constant(key):
    np.testing.assert_allclose(seen("fixed", key, averaging=0.7), [0.7] * 7, rtol=1e-6)


def test_without_averaging_and_with_h_equal_to_q_it_is_dqn(key):
    batch, agent, dqn = batch_of(), make("momentum_dqn", averaging=0.0), make("dqn")
    plain, state = dqn.init(key), agent.init(key)
    q = plain.params["q"]
    targets = {**state.target_params, "q": q, "h": q}
    state, metrics = jax.jit(agent.update)(
        state._replace(params={"q": q, "h": q}, target_params=targets), batch
    )
    plain, expected = jax.jit(dqn.update)(plain, batch)
    np.testing.assert_allclose(metrics["q_loss"], expected["q_loss"], rtol=1e-6)
    for one, other in zip(
        jax.tree.leaves(state.params["q"]),
        jax.tree.leaves(plain.params["q"]),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_actions_are_greedy_in_h(key):
    agent = make("momentum_dqn")
    params, observation = agent.init(key).params, batch_of().observation
    other = {**params, "q": jax.tree.map(lambda leaf: -leaf, params["q"])}
    chosen, _ = agent.act(params, key, observation, 0, True)
    again, _ = agent.act(other, key, observation, 0, True)
    np.testing.assert_array_equal(again, chosen)
    other = {**params, "h": jax.tree.map(lambda leaf: -leaf, params["h"])}
    assert np.any(agent.act(other, key, observation, 0, True)[0] != chosen)
