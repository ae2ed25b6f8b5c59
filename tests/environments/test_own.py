"""The config of users' environments, and vectors of them."""

import numpy as np
import pytest

import environments
from environments import Gymnasium, own
from environments.checks import EnvironmentFailed, InvalidSetting


def test_a_config_with_keyword_arguments_is_hashable():
    config = Gymnasium("my_module:make", {"size": 3, "names": ["a", "b"], "x": None})
    assert config.kwargs["names"] == ("a", "b")
    same = Gymnasium("my_module:make", {"x": None, "names": ("a", "b"), "size": 3})
    assert config == same and hash(config) == hash(same)
    assert config != Gymnasium("my_module:make", {"size": 4})


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"kwargs": {"render_mode": "human"}}, "must be left out: `record` sets it"),
        ({"kwargs": {"x": {1, 2}}}, "kwargs.x must be true, false, none, a number, a "),
        ({"episode_steps": 0}, "environment.episode_steps must be at least 1, got 0"),
    ],
)
def test_settings_that_cannot_be_kept_are_refused(settings, said):
    with pytest.raises(InvalidSetting, match=said):
        Gymnasium("a:b", **settings)


def test_lanes_are_separate_and_seeded(strangers):
    config = Gymnasium("stranger_envs:make_tank", {"steps": 5})
    heats = []
    for seed in (0, 0, 1):
        vector = environments.make(config, 3, seed)
        heats.append(vector.reset().observation[:, 1, 0])
        vector.close()
    np.testing.assert_array_equal(heats[0], heats[1])
    assert len(set(heats[0])) == 3 and not np.array_equal(heats[0], heats[2])


def test_a_lane_is_named(strangers):
    vector = environments.make(Gymnasium("stranger_envs:Broken", {"how": "bug"}), 2, 0)
    vector.reset()
    vector.step(np.zeros(2, np.int32))
    with pytest.raises(EnvironmentFailed, match="Broken in lane 0 at step 2 of its"):
        vector.step(np.zeros(2, np.int32))


def test_a_try_finds_a_broken_environment_before_a_run(strangers):
    with pytest.raises(EnvironmentFailed, match="at step 2 of its episode 1"):
        own.try_out(Gymnasium("stranger_envs:Broken", {"how": "none"}), 0)
    environments.try_out(Gymnasium("stranger_envs:Swing"), 0)
    environments.try_out(environments.Catch(), 0)  # of ours: nothing to try


def test_an_episode_may_be_cut(strangers):
    config = Gymnasium("stranger_envs:Broken", {"after": 99}, episode_steps=2)
    environment = own.make_one(config, 0)
    environment.reset()
    assert not environment.step(0).last()
    cut = environment.step(0)
    assert cut.last() and cut.discount == 1.0
