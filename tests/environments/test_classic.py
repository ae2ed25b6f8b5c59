"""Classic control: the discount tells an end of the task from a time limit."""

import numpy as np
import pytest
from dm_env import StepType

import environments


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


def test_unknown_name():
    with pytest.raises(ValueError, match=r"'cartpole-v1': did you mean 'CartPole-v1'"):
        environments.Classic("cartpole-v1")
