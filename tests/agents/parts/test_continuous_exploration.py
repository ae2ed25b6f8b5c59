"""How agents with continuous actions explore."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts import continuous_exploration as exploration
from agents.parts.distributions import Gaussian, TanhGaussian
from tests.agents.cases import BOX, make, observations


def acting(start):
    """An `act` with actions of 0.5 in training and -0.25 in evaluation."""
    return exploration.acting(
        lambda params, key, observation: jnp.full((len(observation), 3), 0.5),
        lambda params, observation: jnp.full((len(observation), 3), -0.25),
        BOX,
        start=start,
    )


def test_actions_are_random_until_start_and_never_in_evaluation(key):
    act, observation = acting(start=100), np.zeros((5, 7), np.float32)
    early, late = (act({}, key, observation, steps, False)[0] for steps in (99, 100))
    assert len(np.unique(early)) == 15 and np.all(np.abs(early) < 1)
    np.testing.assert_array_equal(late, np.full((5, 3), 0.5))
    for steps in (0, 100):
        evaluated, _ = act({}, key, observation, steps, True)
        np.testing.assert_array_equal(evaluated, np.full((5, 3), -0.25))


def test_random_actions_fill_the_box_evenly(key):
    observation = np.zeros((20_000, 7), np.float32)
    actions, _ = acting(start=1)({}, key, observation, 0, False)
    assert np.abs(np.mean(actions)) < 0.02
    assert np.var(actions) == pytest.approx(1 / 3, rel=0.02)
    assert np.max(actions) > 0.999


def test_sampling_has_the_policys_spread(key):
    def policy(params, observation):
        shape = (len(observation), 3)
        return TanhGaussian(Gaussian(jnp.full(shape, 0.2), jnp.full(shape, -3.0)))

    act = exploration.sampling(policy, BOX, start=0)
    observation = np.zeros((20_000, 7), np.float32)
    sampled = np.arctanh(act({}, key, observation, 0, False)[0])
    assert sampled.mean() == pytest.approx(0.2, abs=0.002)
    assert sampled.std() == pytest.approx(np.exp(-3), rel=0.02)
    evaluated, _ = act({}, key, observation, 0, True)
    np.testing.assert_allclose(evaluated, np.full((20_000, 3), np.tanh(0.2)), rtol=1e-6)


def test_noise_has_its_scale_and_is_clipped(key):
    noisy = exploration.add_noise(key, jnp.full((20_000, 3), 0.1), 0.05)
    assert np.std(noisy) == pytest.approx(0.05, rel=0.02)
    assert np.mean(noisy) == pytest.approx(0.1, abs=0.002)
    assert np.max(exploration.add_noise(key, jnp.ones((500, 3)), 0.5)) == 1.0


@pytest.mark.parametrize("name", ["sac", "iq"])
def test_random_actions_end_at_the_start_of_the_policy(name, key):
    agent = make(name, exploration=exploration.RandomStart(start=3))
    params, seen = agent.init(key).params, observations(BOX, 50)
    other = jax.tree.map(lambda leaf: leaf + 0.5, params)
    chosen = [
        [agent.act(each, key, seen, step, False)[0] for each in (params, other)]
        for step in (2, 3)
    ]
    np.testing.assert_array_equal(*chosen[0])
    assert not np.array_equal(*chosen[1])
