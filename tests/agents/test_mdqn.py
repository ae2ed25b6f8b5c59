"""M-DQN's equation: by hand, at its limits, and its gradients."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import REGISTRY, dqn, mdqn
from agents.parts import exploration
from tests.agents.cases import ACTIONS, VECTORS, make, observations

# softmax(q / tau) with tau = 0.5 is [1/4, 3/4] at t-1 and [1/5, 4/5] at t.
TEMPERATURE = 0.5
TARGET_Q_TM1 = jnp.array([0.0, 0.5 * np.log(3.0)])
TARGET_Q_T = jnp.array([2.0, 2.0 + 0.5 * np.log(4.0)])
Q_TM1 = jnp.array([0.7, 99.0])  # 99: decoy, never the action taken


def td_error(q_tm1=Q_TM1, a_tm1=0, r_t=0.3, discount_t=0.9, **settings):
    settings = {
        "temperature": TEMPERATURE,
        "munchausen": 0.8,
        "log_policy_floor": -1.0,
        "target_q_tm1": TARGET_Q_TM1,
        "target_q_t": TARGET_Q_T,
        **settings,
    }
    return mdqn.td_error(
        q_tm1, a_tm1, jnp.asarray(r_t), jnp.asarray(discount_t), **settings
    )


def test_td_error_by_hand():
    # tau ln pi(0) = 0.5 ln(1/4) = -0.693147; soft value = 2 + 0.5 ln 5 = 2.804719
    # 0.3 + 0.8 * -0.693147 + 0.9 * 2.804719 - 0.7 = 1.569729
    np.testing.assert_allclose(td_error(), 1.569729, rtol=1e-6)


def test_log_policy_is_clipped_after_scaling():
    # tau ln pi = -0.693 (ln pi = -1.39): a floor of -0.5 binds, one of -1 does not.
    # 0.3 + 0.8 * -0.5 + 2.524247 - 0.7 = 1.724247
    np.testing.assert_allclose(td_error(log_policy_floor=-0.5), 1.724247, rtol=1e-6)


def test_bootstrap_is_not_clipped():
    # At time t action 0 has tau ln pi = -100; a floor of -1 must not reach it.
    target_q_t = jnp.array([-100.0, 0.0])
    error = td_error(target_q_t=target_q_t, munchausen=0.0, r_t=0.0, discount_t=1.0)
    np.testing.assert_allclose(error, -0.7, rtol=1e-6)


def test_without_munchausen_it_is_soft_dqn():
    policy = jax.nn.softmax(TARGET_Q_T / TEMPERATURE)
    soft_value = jnp.sum(policy * (TARGET_Q_T - TEMPERATURE * jnp.log(policy)))
    np.testing.assert_allclose(
        td_error(munchausen=0.0), 0.3 + 0.9 * soft_value - 0.7, rtol=1e-6
    )


@pytest.mark.parametrize("temperature", [0.0, 1e-7])
@pytest.mark.parametrize("action", [0, 1])
def test_zero_temperature_without_munchausen_is_dqn(action, temperature):
    expected = dqn.td_error(Q_TM1, action, jnp.array(0.3), jnp.array(0.9), TARGET_Q_T)
    error = td_error(a_tm1=action, munchausen=0.0, temperature=temperature)
    np.testing.assert_allclose(error, expected, rtol=1e-5)


@pytest.mark.parametrize("temperature", [0.0, 1e-7])
@pytest.mark.parametrize("action", [0, 1])
def test_zero_temperature_is_advantage_learning(action, temperature):
    # r + alpha (q(s, a) - max q(s, .)) + gamma max q(s', .) - q
    gap = TARGET_Q_TM1[action] - jnp.max(TARGET_Q_TM1)
    target = 0.3 + 0.8 * gap + 0.9 * jnp.max(TARGET_Q_T)
    error = td_error(a_tm1=action, temperature=temperature)
    np.testing.assert_allclose(error, target - Q_TM1[action], rtol=1e-5)


def test_no_gradient_through_targets():
    gradients = jax.grad(
        lambda q, tm1, t: td_error(q, target_q_tm1=tm1, target_q_t=t),
        argnums=(0, 1, 2),
    )(Q_TM1, TARGET_Q_TM1, TARGET_Q_T)
    np.testing.assert_array_equal(gradients[0], [-1.0, 0.0])
    np.testing.assert_array_equal(gradients[1], np.zeros(2))
    np.testing.assert_array_equal(gradients[2], np.zeros(2))


def test_limits_are_registered_by_name():
    soft, advantage = (
        REGISTRY[name].default() for name in ("soft_dqn", "advantage_learning")
    )
    assert soft == dataclasses.replace(mdqn.Config(), munchausen=0.0)
    assert (advantage.temperature, advantage.munchausen) == (0.0, 0.9)
    assert advantage.log_policy_floor == -np.inf


def test_defaults_are_the_papers():
    config = mdqn.Config()
    assert (config.temperature, config.munchausen) == (0.03, 0.9)
    assert config.log_policy_floor == -1.0
    assert config.loss == "huber"
    assert config.optimizer.learning_rate == 5e-5
    assert config.optimizer.epsilon == pytest.approx(3.125e-4)
    # One update every 4 agent steps, a target copy every 8,000 of them.
    updates_per_step = config.storage.samples_per_insert / config.storage.batch_size
    assert updates_per_step == 0.25
    assert config.target_update_period == 8_000 * updates_per_step


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -0.5),
        ("munchausen", 1.5),
        ("log_policy_floor", 0.5),
        ("discount", -0.1),
    ],
)
def test_errors_name_values_out_of_range(field, value):
    with pytest.raises(ValueError, match=rf"{field} must be .*, got {value:g}"):
        dataclasses.replace(mdqn.Config(), **{field: value})


@pytest.mark.parametrize("name", ["mdqn", "miqn", "soft_dqn"])
def test_stochastic_agents_sample_in_training_and_in_evaluation(name, key):
    """At a temperature far above the values, every action is about equally likely."""
    never = exploration.EpsilonGreedy(final=0.0, start=0, decay_steps=0, evaluation=0.0)
    observation = np.tile(observations(VECTORS, 1), (997, 1))
    for acting, distinct in (("greedy", 1), ("stochastic", ACTIONS)):
        agent = make(name, exploration=never, acting=acting, temperature=1e3)
        params = agent.init(key).params
        for evaluation in (False, True):
            actions, _ = jax.jit(agent.act)(params, key, observation, 9, evaluation)
            counts = np.bincount(actions, minlength=ACTIONS)
            if name != "miqn":  # whose values are of other quantiles for each row
                assert (counts > 0).sum() == distinct
            if acting == "stochastic":
                np.testing.assert_allclose(counts / 997, 1 / ACTIONS, atol=0.06)


def test_stochastic_acting_needs_a_temperature():
    with pytest.raises(ValueError, match="temperature must be above 0, got 0"):
        mdqn.Config(temperature=0.0, acting="stochastic")
