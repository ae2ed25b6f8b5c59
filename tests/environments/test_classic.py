"""Classic control: the discount distinguishes termination from truncation."""

import numpy as np
import pytest
from dm_env import StepType

import environments
from environments import classic
from environments.classic import Classic


def balance(observation):
    """A hand-made linear policy that keeps every pole up."""
    return (observation @ np.array([0.05, 0.1, 1.0, 0.5]) > 0.0).astype(np.int32)


def test_truncation_carries_discount_one():
    environment = environments.make(environments.Classic("CartPole-v1"), 3, seed=0)
    timestep = environment.reset()
    for step in range(1, 501):
        timestep = environment.step(balance(timestep.observation))
        expected = StepType.LAST if step == 500 else StepType.MID
        assert (timestep.step_type == expected).all()
        assert (timestep.discount == 1.0).all()
        assert (timestep.reward == 1.0).all()


def test_termination_carries_discount_zero():
    environment = environments.make(environments.Classic("CartPole-v1"), 3, seed=0)
    environment.reset()
    terminations = 0
    for _ in range(30):
        timestep = environment.step(np.ones(3, np.int32))
        last = timestep.step_type == StepType.LAST
        np.testing.assert_array_equal(timestep.discount, np.where(last, 0.0, 1.0))
        terminations += last.sum()
    assert terminations >= 3


def test_rewards_are_raw():
    environment = environments.make(environments.Classic("LunarLander-v3"), 2, seed=0)
    environment.reset()
    rewards = [environment.step(np.zeros(2, np.int32)).reward for _ in range(120)]
    # Crashing costs 100 points.
    assert np.min(rewards) == -100.0


def test_dopamine_scales_the_bounds_of_cartpole_to_one():
    # Half the bounds: 1.2 of 2.4, -2.5 of 5, 7.5 of 15 degrees, -pi of 2 pi.
    raw = np.array([1.2, -2.5, np.pi / 24, -np.pi], np.float32)
    factor, offset = classic._scaling(Classic("CartPole-v1", "dopamine"))
    np.testing.assert_allclose(factor * raw + offset, [0.5, -0.5, 0.5, -0.5], rtol=1e-6)


def test_dopamine_scales_bounds_that_are_not_symmetric():
    factor, offset = classic._scaling(Classic("MountainCar-v0", "dopamine"))
    # The valley lies at -0.5, 0.7 of 1.8 above the lower bound.
    seen = factor * np.array([-0.5, 0.035], np.float32) + offset
    np.testing.assert_allclose(seen, [2 * 0.7 / 1.8 - 1, 0.5], rtol=1e-5)


@pytest.mark.parametrize("name", ["CartPole-v1", "Acrobot-v1", "MountainCar-v0"])
def test_dopamine_plays_the_same_game_with_scaled_features(name):
    raw = environments.make(Classic(name), 2, seed=3)
    scaled = environments.make(Classic(name, "dopamine"), 2, seed=3)
    low, high = np.array(classic.BOUNDS[name])
    pairs = [(raw.reset(), scaled.reset())]
    for step in range(40):
        action = np.array([step % 2, step % 3 % 2], np.int32)
        pairs.append((raw.step(action), scaled.step(action)))
    for one, other in pairs:
        expected = 2 * (one.observation - low) / (high - low) - 1
        np.testing.assert_allclose(other.observation, expected, atol=1e-5)
        assert other.observation.dtype == np.float32
        np.testing.assert_array_equal(one.reward, other.reward)
        np.testing.assert_array_equal(one.step_type, other.step_type)


def test_dopamine_clips_the_learners_rewards_and_not_the_reported_ones():
    environment = environments.make(Classic("LunarLander-v3", "dopamine"), 2, seed=0)
    assert environment.reward_clip == 1.0
    assert environments.make(Classic("LunarLander-v3"), 2, seed=0).reward_clip is None
    first = environment.reset()
    raw = environments.make(Classic("LunarLander-v3"), 2, seed=0).reset()
    np.testing.assert_array_equal(first.observation, raw.observation)
    rewards = [environment.step(np.zeros(2, np.int32)).reward for _ in range(120)]
    assert np.min(rewards) == -100.0


def test_an_unknown_protocol_is_refused():
    with pytest.raises(ValueError, match=r"nearest: 'dopamine'.*'dopamin'"):
        Classic("CartPole-v1", "dopamin")


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"nearest: 'CartPole-v1'.*'cartpole-v1'"):
        environments.Classic("cartpole-v1")
