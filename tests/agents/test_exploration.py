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
    steps = jnp.array([7, 8])
    result = jax.vmap(lambda s: exploration.epsilon(config, s, jnp.array(False)))(steps)
    np.testing.assert_allclose(result, [1.0, 0.01], rtol=1e-5)


def test_frequencies_of_actions(key):
    preferences = jnp.tile(jnp.array([0.0, 5.0, 1.0, -1.0]), (20_000, 1))
    actions = exploration.epsilon_greedy(key, preferences, jnp.array(0.4))
    frequencies = np.bincount(actions, minlength=4) / 20_000
    # A random action may be the preferred one: 0.6 + 0.4 / 4.
    np.testing.assert_allclose(frequencies, [0.1, 0.7, 0.1, 0.1], atol=0.015)


def test_environments_explore_independently(key):
    preferences = jnp.zeros((50, 2)).at[:, 0].set(1.0)
    actions = exploration.epsilon_greedy(key, preferences, jnp.array(0.5))
    assert 0 < int(jnp.sum(actions)) < 50
