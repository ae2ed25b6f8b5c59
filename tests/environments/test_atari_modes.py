"""Emulators in a mode and a difficulty, next to ale-py's vector."""

import numpy as np
import pytest

import environments


def played(config, seed=3, steps=120, lanes=2):
    """Timesteps of the same random actions."""
    environment = environments.make(config, lanes, seed)
    rng = np.random.default_rng(0)
    number = environment.action_spec().num_values
    actions = rng.integers(number, size=(steps, lanes))
    timesteps = [environment.reset(), *map(environment.step, actions)]
    environment.close()
    return timesteps


@pytest.mark.parametrize("game", ["pong", "breakout"])
def test_the_default_mode_is_that_of_ale_pys_vector(game):
    """Without sticky actions, whose random numbers differ, up to a pixel's rounding."""
    plain = {"repeat_action_probability": 0.0, "frames_per_episode": 300}
    ours = played(environments.Atari(game, "custom", mode=0, difficulty=0, **plain))
    theirs = played(environments.Atari(game, "custom", **plain))
    for one, other in zip(ours, theirs, strict=True):
        for field in ("step_type", "reward", "discount"):
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
        if not one.step_type.max() == 2:  # a last screen may be incomplete
            difference = one.observation.astype(int) - other.observation
            assert np.abs(difference).max() <= 1
    assert max(int(step.step_type.max()) for step in ours) == 2


def test_a_mode_changes_the_game():
    config = environments.Atari("breakout", "custom", mode=4)
    other = environments.Atari("breakout", "custom", mode=0)
    ours, theirs = played(config), played(other)
    assert not np.array_equal(ours[-1].observation, theirs[-1].observation)
    assert ours[0].observation.shape == (2, 4, 84, 84)


def test_equal_seeds_give_equal_games_and_lanes_differ():
    config = environments.Atari("pong", "custom", difficulty=1, noop_max=30)
    first, again, other = played(config), played(config), played(config, seed=4)
    for one, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.observation, same.observation)
    assert not np.array_equal(first[-1].observation, other[-1].observation)
    assert not np.array_equal(first[-1].observation[0], first[-1].observation[1])


def test_lost_lives_are_seen():
    config = environments.Atari("breakout", "custom", mode=0, life_loss=True)
    environment = environments.make(config, 1, 0)
    environment.reset()
    lives = environment.lives[0]
    for _ in range(400):
        timestep = environment.step([1])
        if timestep.discount[0] == 0:
            break
    assert environment.lives[0] == lives - 1 and timestep.step_type[0] == 1
    environment.close()
