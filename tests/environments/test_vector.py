"""Every lane of a vector behaves as one environment under dm_env's protocol."""

import dm_env
import numpy as np
import pytest
from dm_env import StepType

import environments
from environments import atari, catch, vector

# Steps that end at least one episode of random actions in each of three lanes.
CASES = [
    (environments.Catch(7, 3), 30),
    (environments.MinAtar("breakout"), 90),
    (environments.Maze(size=9, pitfalls=3, slip=0.3, episode_steps=50), 70),
    (environments.Classic("CartPole-v1"), 150),
    (environments.Classic("Acrobot-v1"), 510),
    (environments.Classic("MountainCar-v0"), 210),
    (environments.Classic("LunarLander-v3"), 180),
    (environments.Atari("freeway", "dopamine"), 75),
    (environments.Atari("freeway", "nature"), 75),
]
CONFIGS = [config for config, _ in CASES]


@pytest.fixture(autouse=True)
def short_games(monkeypatch):
    """Atari episodes of 31 agent steps: random play ends them too late for a test."""
    for name, settings in atari.SETTINGS.items():
        short = settings._replace(frames_per_episode=4 * 31)
        monkeypatch.setitem(atari.SETTINGS, name, short)


def play(config, num_environments, seed, steps, *, disturb=False):
    """The reset and `steps` random steps; `disturb` changes only ignored actions."""
    environment = environments.make(config, num_environments, seed)
    num_actions = environment.action_spec().num_values
    generator = np.random.default_rng(11)
    timesteps = [environment.reset()]
    for _ in range(steps):
        # Drawn for more lanes than there are, so that lane 0 does not depend on N.
        actions = generator.integers(num_actions, size=13, dtype=np.int32)
        actions = actions[:num_environments]
        if disturb:
            last = timesteps[-1].step_type == StepType.LAST
            actions = np.where(last, (actions + 1) % num_actions, actions)
        timesteps.append(environment.step(actions))
    environment.close()
    return timesteps


def assert_equal(streams, others):
    for timestep, other in zip(streams, others, strict=True):
        for leaf, other_leaf in zip(timestep, other, strict=True):
            np.testing.assert_array_equal(leaf, other_leaf)


@pytest.mark.parametrize(("config", "steps"), CASES)
def test_lanes_follow_dm_envs_protocol(config, steps):
    environment = environments.make(config, 3, seed=2)
    specs = (
        environment.reward_spec(),
        environment.discount_spec(),
        environment.observation_spec(),
    )
    timesteps = play(config, 3, seed=2, steps=steps)
    previous = np.full(3, StepType.LAST)
    ended = np.zeros(3, bool)
    for timestep in timesteps:
        assert timestep.step_type.dtype == np.int32
        first = timestep.step_type == StepType.FIRST
        np.testing.assert_array_equal(first, previous == StepType.LAST)
        assert (timestep.reward[first] == 0.0).all()
        assert (timestep.discount[first] == 1.0).all()
        for leaves, spec in zip(timestep[1:], specs, strict=True):
            assert leaves.shape == (3, *spec.shape)
            for leaf in leaves:
                spec.validate(leaf)
        previous = timestep.step_type
        ended |= previous == StepType.LAST
    assert ended.all()


@pytest.mark.parametrize(("config", "steps"), CASES)
def test_equal_seeds_give_equal_streams(config, steps):
    """Equal seeds give equal streams; the action after a LAST is ignored."""
    stream = play(config, 3, seed=7, steps=steps)
    assert_equal(stream, play(config, 3, seed=7, steps=steps, disturb=True))


@pytest.mark.parametrize("config", CONFIGS)
def test_seeds_and_lanes_differ(config):
    stream = play(config, 3, seed=7, steps=40)
    other = play(config, 3, seed=8, steps=40)
    observations = np.stack([timestep.observation for timestep in stream])
    other_observations = np.stack([timestep.observation for timestep in other])
    assert (observations != other_observations).any()
    environment = environments.make(config, 3, seed=7)
    actions = np.random.default_rng(1).integers(2, size=40)
    lanes = np.stack([environment.step(np.full(3, a)).observation for a in actions])
    for lane, another in ((0, 1), (1, 2), (0, 2)):
        assert (lanes[:, lane] != lanes[:, another]).any()


@pytest.mark.parametrize("config", CONFIGS)
def test_single_is_lane_zero(config):
    stream = play(config, 3, seed=7, steps=35)
    environment = environments.make_single(config, seed=7)
    generator = np.random.default_rng(11)
    num_actions = environment.action_spec().num_values
    timestep = environment.reset()
    np.testing.assert_array_equal(timestep.observation, stream[0].observation[0])
    for expected in stream[1:]:
        actions = generator.integers(num_actions, size=13, dtype=np.int32)
        timestep = environment.step(actions[0])
        assert timestep.step_type == expected.step_type[0]
        np.testing.assert_array_equal(timestep.observation, expected.observation[0])
        if not timestep.first():
            assert timestep.reward == expected.reward[0]
            assert timestep.discount == expected.discount[0]


@pytest.mark.parametrize("config", CONFIGS)
def test_arrays_are_not_written_again(config):
    environment = environments.make(config, 3, seed=1)
    timesteps = [environment.reset()]
    copies = [[leaf.copy() for leaf in timesteps[0]]]
    for step in range(40):
        timestep = environment.step(np.full(3, step % 2, np.int32))
        timesteps.append(timestep)
        copies.append([leaf.copy() for leaf in timestep])
    environment.reset()
    assert_equal(timesteps, copies)


@pytest.mark.parametrize("config", CONFIGS)
def test_reset_in_the_middle_and_fresh_step(config):
    environment = environments.make(config, 3, seed=1)
    actions = np.zeros(3, np.int32)
    assert (environment.step(actions).step_type == StepType.FIRST).all()
    assert (environment.step(actions).step_type != StepType.FIRST).all()
    assert (environment.reset().step_type == StepType.FIRST).all()
    assert (environment.step(actions).step_type != StepType.FIRST).all()


def test_attributes():
    small = environments.make(environments.Classic(), 3, seed=0)
    assert (small.num_environments, small.action_repeat, small.frame_stack) == (3, 1, 1)
    assert small.reward_clip is None
    game = environments.make(environments.Atari(), 5, seed=0)
    assert (game.num_environments, game.action_repeat, game.frame_stack) == (5, 4, 4)
    assert game.reward_clip == 1.0
    assert game.observation_spec().shape == (4, 84, 84)


def test_lanes_end_at_different_times():
    """One lane may be FIRST while the others continue."""
    stream = play(environments.Classic("CartPole-v1"), 3, seed=2, steps=150)
    step_types = np.stack([timestep.step_type for timestep in stream])
    assert (np.ptp(step_types, axis=1) > 0).any()


def test_lane_seeds():
    seeds = vector.lane_seeds(7, 5)
    assert len(set(seeds)) == 7
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert seeds[:3] == vector.lane_seeds(3, 5)
    assert not set(seeds) & set(vector.lane_seeds(7, 6))


def test_invalid_arguments_are_refused():
    with pytest.raises(ValueError, match="num_environments must be at least 1, got 0"):
        environments.make(environments.Catch(), 0, seed=1)
    with pytest.raises(TypeError, match="'catch'"):
        environments.make("catch", 1, seed=1)
    with pytest.raises(ValueError, match="each of 3 environments, got 2"):
        environments.make(environments.Catch(), 3, seed=1).step(np.zeros(2, np.int32))
    with pytest.raises(ValueError, match="at least 1, got none"):
        environments.Batched([])
    games = [catch.Game(environments.Catch(), seed) for seed in range(2)]
    with pytest.raises(ValueError, match="must have 1 environment, got 2"):
        environments.Single(environments.Batched(games))


def test_batched_closes_its_environments():
    closed = []

    class Closing(catch.Game):
        def close(self):
            closed.append(self)

    games: list[dm_env.Environment] = [
        Closing(environments.Catch(), seed) for seed in range(2)
    ]
    environments.Batched(games).close()
    assert closed == games
