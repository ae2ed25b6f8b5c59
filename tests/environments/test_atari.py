"""Atari: the effects of each protocol, seen from outside the emulator."""

import numpy as np
import pytest
from dm_env import StepType

import environments
from environments import atari

FIRE = 1  # in Breakout's minimal action set; the ball is then lost after 25 steps


def shorten(monkeypatch, protocol, **changes):
    settings = atari.SETTINGS[protocol]._replace(**changes)
    monkeypatch.setitem(atari.SETTINGS, protocol, settings)


def lose_every_life(protocol, *, evaluation, **settings):
    """The first episode of Breakout in which nothing but FIRE is pressed."""
    config = environments.Atari("breakout", protocol, **settings)
    environment = environments.make_single(config, seed=3, evaluation=evaluation)
    timesteps = [environment.reset()]
    while not timesteps[-1].last():
        assert len(timesteps) < 400
        timesteps.append(environment.step(FIRE))
    return timesteps[1:]


def test_protocols_are_the_published_ones():
    dopamine, nature = atari.SETTINGS["dopamine"], atari.SETTINGS["nature"]
    assert dopamine.repeat_action_probability == 0.25
    assert nature.repeat_action_probability == 0.0
    assert (dopamine.noop_max, nature.noop_max) == (0, 30)
    for settings in (dopamine, nature):
        assert settings.frames_per_episode == 108_000
        assert settings.frames_per_episode // settings.action_repeat == 27_000
        assert settings.reward_clip == 1.0


@pytest.mark.parametrize("protocol", ["dopamine", "nature"])
def test_time_limit_carries_discount_one(protocol, monkeypatch):
    shorten(monkeypatch, protocol, frames_per_episode=4 * 17)
    environment = environments.make(environments.Atari("pong", protocol), 3, seed=0)
    environment.reset()
    for episode in range(2):
        for step in range(1, 18):
            timestep = environment.step(np.zeros(3, np.int32))
            expected = StepType.LAST if step == 17 else StepType.MID
            assert (timestep.step_type == expected).all(), (episode, step)
            assert (timestep.discount == 1.0).all()
        assert (environment.step(np.zeros(3, np.int32)).step_type == 0).all()


def test_life_loss_ends_the_discount_but_not_the_game():
    timesteps = lose_every_life("nature", evaluation=False)
    zeros = [t for t in timesteps if t.discount == 0.0]
    assert [t.step_type for t in zeros] == [StepType.MID] * 4 + [StepType.LAST]


@pytest.mark.parametrize(
    ("protocol", "evaluation"),
    [("nature", True), ("dopamine", False), ("dopamine", True)],
)
def test_only_the_end_of_the_game_ends_the_discount(protocol, evaluation):
    timesteps = lose_every_life(protocol, evaluation=evaluation)
    assert [t.discount for t in timesteps[:-1]] == [1.0] * (len(timesteps) - 1)
    assert timesteps[-1].discount == 0.0


def test_rewards_are_raw():
    environment = environments.make(environments.Atari("ms_pacman"), 1, seed=0)
    environment.reset()
    rewards = [environment.step(np.array([t % 4])).reward[0] for t in range(100)]
    assert max(rewards) >= 10.0  # each dot is worth 10 points


@pytest.mark.parametrize(
    ("protocol", "sticky"), [("nature", False), ("dopamine", True)]
)
def test_sticky_actions(protocol, sticky, monkeypatch):
    """Without no-op starts, nature's games depend on the actions only."""
    shorten(monkeypatch, protocol, noop_max=0)
    environment = environments.make(environments.Atari("breakout", protocol), 3, seed=5)
    environment.reset()
    actions = np.random.default_rng(1).integers(4, size=60)
    frames = [environment.step(np.full(3, a, np.int32)).observation for a in actions]
    lanes = np.stack(frames, axis=1)
    assert (lanes[0] != lanes[1]).any() == sticky
    assert (lanes[0] != lanes[2]).any() == sticky


def test_noop_starts():
    """Nature's episodes start at different moments of the game, dopamine's do not."""
    for protocol, several in (("nature", True), ("dopamine", False)):
        environment = environments.make(
            environments.Atari("freeway", protocol), 5, seed=0
        )
        frames = environment.reset().observation
        assert (frames != frames[0]).any() == several


def test_newest_frame_is_last():
    environment = environments.make(environments.Atari("pong"), 1, seed=0)
    first = environment.reset().observation[0]
    assert not first[:3].any()
    assert first[3].any()
    before = first
    for _ in range(6):
        after = environment.step(np.array([2])).observation[0]
        np.testing.assert_array_equal(after[:3], before[1:])
        before = after


def test_actions_are_checked():
    environment = environments.make(environments.Atari("breakout"), 3, seed=0)
    environment.reset()
    for actions in ([0, 4, 0], [0, -1, 0], [0, 0]):
        with pytest.raises(ValueError, match="action"):
            environment.step(np.array(actions, np.int32))


def test_names_are_checked():
    with pytest.raises(ValueError, match="'dopamin'"):
        environments.Atari("pong", "dopamin")


def custom(**settings):
    return environments.Atari("breakout", "custom", **settings)


def test_without_settings_custom_is_dopamine():
    played = []
    for protocol in ("dopamine", "custom"):
        environment = environments.make(environments.Atari("pong", protocol), 2, 5)
        rng = np.random.default_rng(0)
        steps = [environment.reset()]
        steps += [environment.step(rng.integers(6, size=2)) for _ in range(300)]
        played.append(steps)
        environment.close()
    for ours, theirs in zip(*played, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({}, atari.SETTINGS["dopamine"]),
        (
            {"repeat_action_probability": 0.0, "noop_max": 30, "life_loss": True},
            atari.SETTINGS["nature"],
        ),
        ({"life_loss": False}, atari.SETTINGS["dopamine"]),
    ],
)
def test_settings_of_custom_replace_those_of_dopamine(settings, expected):
    assert custom(**settings).settings() == expected


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"repeat_action_probability": 1.5}, "between 0 and 1, got 1.5"),
        ({"frame_skip": 0}, "environment.frame_skip must be at least 1, got 0"),
        ({"noop_max": -1}, "environment.noop_max must be at least 0, got -1"),
        ({"mode": 1}, "one of 0, 4, 8, .*44, which breakout offers, got 1"),
        ({"difficulty": 7}, "one of 0, 1, which breakout offers, got 7"),
    ],
)
def test_settings_that_a_game_does_not_have_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        custom(**settings)


@pytest.mark.parametrize("protocol", ["dopamine", "nature"])
def test_a_protocol_fixes_its_settings(protocol):
    said = f"protocol {protocol} fixes it .choose --environment.protocol custom"
    with pytest.raises(ValueError, match=said):
        environments.Atari("pong", protocol, frame_skip=2)


def test_all_actions_may_be_offered():
    for full, number in ((None, 4), (False, 4), (True, 18)):
        environment = environments.make(custom(full_action_space=full), 1, 0)
        assert environment.action_spec().num_values == number
        environment.close()


def test_frames_are_skipped_and_counted():
    config = custom(frame_skip=3, frames_per_episode=12)
    environment = environments.make(config, 1, 0)
    assert environment.action_repeat == 3
    environment.reset()
    last = [int(environment.step([0]).step_type[0]) for _ in range(4)]
    assert last == [1, 1, 1, 2]  # 12 frames of 3
    environment.close()


@pytest.mark.parametrize("probability, sticky", [(0.0, False), (1.0, True)])
def test_actions_are_repeated_with_the_given_probability(probability, sticky):
    """Always repeated, actions change nothing; never repeated, they alone do."""
    config = custom(repeat_action_probability=probability)
    environment = environments.make(config, 3, seed=5)
    environment.reset()
    for action in np.random.default_rng(1).integers(4, size=40):
        # All lanes do the same, except for lane 1, which does nothing.
        timestep = environment.step(np.array([action, 0, action], np.int32))
    environment.close()
    first, idle, other = timestep.observation
    np.testing.assert_array_equal(first, other)
    assert np.array_equal(first, idle) == sticky


@pytest.mark.parametrize("noop_max, several", [(30, True), (0, False)])
def test_no_ops_precede_an_episode_if_wanted(noop_max, several):
    config = environments.Atari("freeway", "custom", noop_max=noop_max)
    environment = environments.make(config, 5, seed=0)
    frames = environment.reset().observation
    environment.close()
    assert (frames != frames[0]).any() == several


@pytest.mark.parametrize("mode", [None, 0])
@pytest.mark.parametrize("noop_max", [0, 1, 2])
def test_no_ops_are_0_to_the_largest_number(noop_max, mode):
    """In Freeway each frame differs; both kinds of emulators draw the same numbers."""
    config = environments.Atari(
        "freeway",
        "custom",
        mode=mode,
        noop_max=noop_max,
        frame_skip=1,
        repeat_action_probability=0.0,
    )
    environment = environments.make(config, 24, seed=0)
    frames = environment.reset().observation
    environment.close()
    assert len(np.unique(frames.reshape(24, -1), axis=0)) == noop_max + 1


@pytest.mark.parametrize(
    "life_loss, evaluation, zeros",
    [(True, False, 5), (True, True, 1), (None, False, 1)],
)
def test_lost_lives_end_the_discount_if_wanted(life_loss, evaluation, zeros):
    timesteps = lose_every_life("custom", evaluation=evaluation, life_loss=life_loss)
    assert [step.discount for step in timesteps].count(0.0) == zeros
    assert [step.last() for step in timesteps].count(True) == 1


def test_games_are_those_that_gymnasium_registers():
    import ale_py  # noqa: F401, which registers them
    import gymnasium

    registered = {
        spec.kwargs["game"]
        for name, spec in gymnasium.registry.items()
        if name.startswith("ALE/")
    }
    assert set(atari.games()) == registered
