"""Epsilon-greedy: its schedule and its frequencies."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts import exploration

CONFIG = exploration.EpsilonGreedy(
    initial=0.9, final=0.1, start=100, decay_steps=400, evaluation=0.02
)


@pytest.mark.parametrize(
    ("actor_steps", "expected"),
    [(0, 0.9), (100, 0.9), (200, 0.7), (300, 0.5), (500, 0.1), (10_000, 0.1)],
)
def test_schedule_is_linear_between_its_ends(actor_steps, expected):
    result = exploration.epsilon(CONFIG, jnp.array(actor_steps), jnp.array(False))
    np.testing.assert_allclose(result, expected, rtol=1e-5)


def test_evaluation_has_its_own_probability():
    result = exploration.epsilon(CONFIG, jnp.array(0), jnp.array(True))
    np.testing.assert_allclose(result, 0.02)


def test_no_decay_jumps_to_the_final_value():
    config = exploration.EpsilonGreedy(initial=1.0, final=0.01, start=7, decay_steps=0)
    steps = jnp.array([6, 7])
    result = jax.vmap(lambda s: exploration.epsilon(config, s, jnp.array(False)))(steps)
    np.testing.assert_allclose(result, [1.0, 0.01], rtol=1e-5)


def test_frequencies_of_actions(key):
    actions = exploration.randomise(key, jnp.ones(20_000, int), 4, jnp.array(0.4))
    frequencies = np.bincount(actions, minlength=4) / 20_000
    # A random action may be the preferred one: 0.6 + 0.4 / 4.
    np.testing.assert_allclose(frequencies, [0.1, 0.7, 0.1, 0.1], atol=0.015)


def test_environments_explore_independently(key):
    actions = exploration.randomise(key, jnp.zeros(50, int), 2, jnp.array(0.5))
    assert 0 < int(jnp.sum(actions)) < 50


@pytest.mark.parametrize("num_actions", [1, 2, 3, 6, 7, 8, 18, 999, 65_537])
def test_largest_number_drawn_is_the_last_action(monkeypatch, key, num_actions):
    def largest(key, shape):
        return np.full(shape, 1 - 2**-23, np.float32)

    monkeypatch.setattr(jax.random, "uniform", largest)
    actions = exploration.randomise(key, jnp.zeros(3, int), num_actions, jnp.array(1.0))
    np.testing.assert_array_equal(actions, num_actions - 1)


@pytest.mark.parametrize("evaluation", [False, True])
def test_stochastic_acting_samples_the_softmax(key, evaluation):
    """Values 0, ln 2 and ln 5 times tau, plus a large constant, weigh 1, 2 and 5."""
    tau = 0.03
    q = 7.0 + tau * np.log([1.0, 2.0, 5.0]).astype(np.float32)
    choose = exploration.softmax(
        lambda params, key, observation: params[observation], tau
    )
    actions = choose(jnp.asarray(q)[None], key, jnp.zeros(20_000, int), evaluation)
    frequencies = np.bincount(actions, minlength=3) / 20_000
    np.testing.assert_allclose(frequencies, [1 / 8, 2 / 8, 5 / 8], atol=0.012)


NEVER = exploration.EpsilonGreedy(final=0.0, start=0, decay_steps=0, evaluation=0.0)


def test_greedy_takes_the_largest_value(key):
    values = jnp.array([[0.0, 5.0, 1.0], [2.0, -1.0, 1.0]])
    choose = exploration.greedy(lambda params, key, observation: params + observation)
    act = exploration.acting(choose, 3, NEVER)
    chosen, _ = act(values, key, jnp.zeros((2, 3)), 9, False)
    np.testing.assert_array_equal(chosen, [1, 0])
    # An observation that shifts the values moves the choice with it.
    shift = jnp.array([[9.0, 0.0, 0.0], [0.0, 0.0, 9.0]])
    np.testing.assert_array_equal(act(values, key, shift, 9, False)[0], [0, 2])


def test_policy_is_sampled_in_training_and_its_mode_taken_in_evaluation(key):
    logits = jnp.log(jnp.tile(jnp.array([[0.2, 0.5, 0.3]]), (20_000, 1)))
    choose = exploration.sampled(lambda params, observation: observation)
    act = exploration.acting(choose, 3, NEVER)
    actions, _ = act({}, key, logits, 9, jnp.array(False))
    frequencies = np.bincount(actions, minlength=3) / 20_000
    np.testing.assert_allclose(frequencies, [0.2, 0.5, 0.3], atol=0.015)
    assert np.all(np.asarray(act({}, key, logits, 9, jnp.array(True))[0]) == 1)
