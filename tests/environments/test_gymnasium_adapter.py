"""Gymnasium's environments under dm_env's protocol."""

import gymnasium
import numpy as np
import pytest

from environments.gymnasium_adapter import Gym


def test_actions_are_scaled_to_the_environments_bounds():
    """Humanoid's bounds are 0.4: the plain environment gets actions scaled by 0.4."""
    plain = gymnasium.make("Humanoid-v5", disable_env_checker=True)
    plain.reset(seed=7)
    canonical = Gym(gymnasium.make("Humanoid-v5", disable_env_checker=True), seed=7)
    canonical.reset()
    for action in np.random.default_rng(0).uniform(-1, 1, (5, 17)).astype(np.float32):
        observation, reward, *_ = plain.step(np.float32(0.4) * action)
        timestep = canonical.step(action)
        np.testing.assert_allclose(timestep.observation, observation, rtol=1e-5)
        assert timestep.reward == pytest.approx(reward, rel=1e-6)
