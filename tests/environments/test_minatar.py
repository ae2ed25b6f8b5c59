"""MinAtar: equal to the package's games; terminations differ from truncations."""

import importlib.metadata
from typing import get_args

import numpy as np
import pytest
from dm_env import StepType
from minatar import Environment

import environments
from environments import MinAtar, minatar, vector

GAMES = get_args(minatar.GameName)
CHANNELS = {
    "asterix": 4,
    "breakout": 4,
    "freeway": 7,
    "seaquest": 10,
    "space_invaders": 6,
}


def game_for(name, seed=0, **settings):
    return minatar.Game(MinAtar(name, **settings), seed)


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize(("sticky", "ramping"), [(0.1, True), (0.6, False)])
def test_games_equal_those_of_the_package(name, sticky, ramping):
    """Every observation and reward, over many episodes of random actions."""
    config = MinAtar(name, sticky_actions=sticky, difficulty_ramping=ramping)
    environment = environments.make(config, 2, seed=7)
    assert environment.observation_spec().shape == (CHANNELS[name], 10, 10)
    originals = []
    for seed in vector.lane_seeds(2, 7):
        original = Environment(name, sticky, ramping)
        original.seed(seed)
        original.reset()
        originals.append(original)
    timestep = environment.reset()
    assert (
        timestep.observation.dtype == bool and timestep.observation.flags.c_contiguous
    )
    generator = np.random.default_rng(3)
    episodes = 0
    for _ in range(600):
        actions = generator.integers(6, size=2)
        first = timestep.step_type == StepType.LAST
        timestep = environment.step(actions)
        for lane, original in enumerate(originals):
            reward, terminal = (
                (original.reset() or 0, False)
                if first[lane]
                else original.act(actions[lane])
            )
            assert timestep.reward[lane] == reward
            expected = original.state().transpose(2, 0, 1)
            np.testing.assert_array_equal(timestep.observation[lane], expected)
            assert (timestep.step_type[lane] == StepType.LAST) == terminal
            assert timestep.discount[lane] == (0.0 if terminal else 1.0)
            episodes += terminal
    assert episodes > 2 or name == "freeway"


def test_freeways_own_time_limit_is_a_termination():
    game = game_for("freeway")
    game.reset()
    steps = [game.step(0) for _ in range(2_501)]
    assert all(timestep.mid() for timestep in steps[:-1])
    assert steps[-1].last() and steps[-1].discount == 0.0


def test_a_long_episode_is_truncated_with_discount_one():
    game = game_for("freeway", episode_steps=37)
    for _ in range(3):
        assert game.step(0).first()
        steps = [game.step(0) for _ in range(37)]
        assert all(timestep.mid() for timestep in steps[:-1])
        assert steps[-1].last() and steps[-1].discount == 1.0


def test_a_termination_at_the_limit_is_not_a_truncation():
    game = game_for("freeway", episode_steps=2_501)
    game.reset()
    *_, last = (game.step(0) for _ in range(2_501))
    assert last.last() and last.discount == 0.0


def column_of_the_paddle(timestep):
    return int(timestep.observation[0, 9].argmax())


def test_sticky_actions_repeat_the_last_action():
    always, never = (game_for("breakout", sticky_actions=p) for p in (1.0, 0.0))
    assert column_of_the_paddle(always.reset()) == 4
    assert column_of_the_paddle(never.reset()) == 4
    right = 3
    # The first action of all repeats the no-op before it, and so does the next.
    assert [column_of_the_paddle(always.step(right)) for _ in range(3)] == [4, 4, 4]
    assert [column_of_the_paddle(never.step(right)) for _ in range(3)] == [5, 6, 7]


@pytest.mark.parametrize(
    ("name", "actions"),
    [
        ("asterix", [0, 1, 2, 3, 4]),
        ("breakout", [0, 1, 3]),
        ("freeway", [0, 2, 4]),
        ("seaquest", [0, 1, 2, 3, 4, 5]),
        ("space_invaders", [0, 1, 3, 5]),
    ],
)
def test_minimal_actions_are_those_with_an_effect(name, actions):
    full, minimal = (
        game_for(name, seed=5, sticky_actions=0.0, minimal_actions=which)
        for which in (False, True)
    )
    assert full.action_spec().num_values == 6
    assert minimal.action_spec().num_values == len(actions)
    full.reset(), minimal.reset()
    for index in np.random.default_rng(0).integers(len(actions), size=60):
        one, other = full.step(actions[index]), minimal.step(index)
        np.testing.assert_array_equal(one.observation, other.observation)


def test_the_oxygen_of_seaquest_never_flashes_up():
    """Up to minatar 1.0.10 the bar was full one step before the game ended for it."""
    version = importlib.metadata.version("minatar")
    assert tuple(map(int, version.split("."))) >= (1, 0, 11)
    game = game_for("seaquest", sticky_actions=0.0)
    channel = game._channels["oxygen_guage"]
    game.reset()
    game._game.env.oxygen = 40
    timestep = game.step(4)  # dives
    bars = []
    while not timestep.last():
        bars.append(int(timestep.observation[channel].sum()))
        game._game.env.e_subs, game._game.env.e_fish = [], []  # only air can end it
        timestep = game.step(0)
    bars.append(int(timestep.observation[channel].sum()))
    assert bars[0] == 1 and sorted(bars, reverse=True) == bars and bars[-1] == 0
    assert timestep.discount == 0.0 and len(bars) == 41


@pytest.mark.parametrize("name", GAMES)
def test_every_kind_of_object_has_a_colour(name):
    game = game_for(name)
    timestep = game.reset()
    assert game._channels.keys() <= minatar._COLOURS.keys()
    assert sorted(game._channels.values()) == list(range(CHANNELS[name]))
    picture = game.render()
    assert picture.shape == (240, 240, 3) and picture.dtype == np.uint8
    lit = picture[::24, ::24].any(axis=-1)
    np.testing.assert_array_equal(lit, timestep.observation.any(axis=0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"game": "space-invaders"}, "nearest: 'space_invaders'.*'space-invaders'"),
        ({"game": "pong"}, r"environment\.game must .*asterix, breakout, .*'pong'"),
        ({"sticky_actions": 1.5}, "sticky_actions must be between 0 and 1, got 1.5"),
        ({"sticky_actions": -0.1}, "sticky_actions must be between 0 and 1, got -0.1"),
        ({"episode_steps": 0}, r"environment\.episode_steps must be at least 1, got 0"),
    ],
)
def test_invalid_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        MinAtar(**settings)
