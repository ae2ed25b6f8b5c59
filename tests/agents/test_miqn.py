"""Munchausen IQN: its target by hand, and its limits."""

import jax
import jax.numpy as jnp
import numpy as np

from agents import iqn, miqn
from agents.parts import equations, networks
from tests.agents.cases import VECTORS, batch_of, make, small

# softmax(q / tau) with tau = 0.5 is [1/5, 4/5]; tau ln pi is [-0.804719, -0.111572].
TEMPERATURE = 0.5


Q_T = jnp.array([2.0, 2.0 + 0.5 * np.log(4.0)])


Z_T = jnp.array([[1.0, 10.0], [3.0, 20.0], [5.0, 40.0]])  # three quantiles


R_T, DISCOUNT_T = jnp.array(0.3), jnp.array(0.9)


def test_miqn_by_hand():
    # 0.2 (z0 + 0.804719) + 0.8 (z1 + 0.111572) = 0.2 z0 + 0.8 z1 + 0.250201
    # z0, z1 = 1, 10: 8.450201; 3, 20: 16.850201; 5, 40: 33.250201
    # 0.3 - 0.2 + 0.9 * those
    targets = miqn.targets(jnp.array(-0.2), R_T, DISCOUNT_T, Z_T, Q_T, TEMPERATURE)
    np.testing.assert_allclose(targets, [7.705181, 15.265181, 30.025181], rtol=1e-6)


def test_the_mean_of_miqns_targets_is_mdqns_target():
    """If the quantiles average to the action values that the policy is a softmax of."""
    z_t = Q_T[None] + jnp.array([[-1.0], [0.0], [1.0]])
    targets = miqn.targets(jnp.array(0.0), R_T, DISCOUNT_T, z_t, Q_T, TEMPERATURE)
    expected = R_T + DISCOUNT_T * equations.soft_value(Q_T, TEMPERATURE)
    np.testing.assert_allclose(jnp.mean(targets), expected, rtol=1e-6)


def test_miqn_without_munchausen_at_zero_temperature_is_iqn():
    cold = miqn.targets(jnp.array(0.0), R_T, DISCOUNT_T, Z_T, Q_T, 1e-7)
    np.testing.assert_allclose(cold, iqn.targets(R_T, DISCOUNT_T, Z_T, Q_T), rtol=1e-5)


def test_the_loss_has_both_policies_of_the_target_network(key):
    """By hand; the embedding of fractions is 1, so that quantiles are values."""
    settings = {"online_fractions": 6, "temperature": 0.5, "munchausen": 0.9}
    agent, batch = make("miqn", discount=0.8, **settings), batch_of()
    config = small("miqn", VECTORS, **settings)
    network = networks.quantile_values(config.network, VECTORS, config.cosines)

    def flat(seed):
        params = network.init(jax.random.key(seed))["params"]
        embedding = params["Dense_0"]
        plain = {
            "kernel": jnp.zeros_like(embedding["kernel"]),
            "bias": jnp.ones_like(embedding["bias"]),
        }
        return {"params": {**params, "Dense_0": plain}}

    online, target = flat(1), flat(2)

    def values(params, observation):
        some = jnp.full((len(observation), 1), 0.5)
        return network.apply(params, observation, some)[:, 0]

    state = agent.init(key)
    state = state._replace(params={"z": online}, target_params={"z": target})
    _, metrics = jax.jit(agent.update)(state, batch)

    rows = np.arange(len(batch.action))
    log_policy = 0.5 * jax.nn.log_softmax(values(target, batch.observation) / 0.5)
    bonus = 0.9 * jnp.clip(log_policy[rows, batch.action], -1.0, 0.0)
    q_t = values(target, batch.next_observation)
    soft = 0.5 * jax.nn.logsumexp(q_t / 0.5, axis=-1)
    aim = batch.reward + bonus + 0.8 * batch.discount * soft
    error = aim - values(online, batch.observation)[rows, batch.action]
    fractions = jax.random.uniform(
        jax.random.split(jax.random.split(state.key)[1], 4)[0], (len(rows), 6)
    )
    weights = jnp.abs(fractions - (error < 0)[:, None]).sum(axis=1)
    size = jnp.abs(error)
    huber = jnp.where(size <= 1, error**2 / 2, size - 0.5)
    np.testing.assert_allclose(metrics["z_loss"], jnp.mean(weights * huber), rtol=1e-4)
