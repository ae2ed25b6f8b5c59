"""Datasets of other versions of an environment: a line tells what differs."""

from pathlib import Path

import pytest

from environments import Adroit, ControlSuite, Gymnasium, Locomotion
from launch.datasets.environment_differences import check, check_file
from launch.errors import DatasetError

HOPPER, CHEETAH = Locomotion("Hopper-v5"), Locomotion("HalfCheetah-v5")
D4RL = (-20.272305, 3234.3)


def lines(name, environment=HOPPER, own=None, **settings):
    return check("set", name, settings, own, environment)


def test_older_versions_that_pay_other_rewards_are_told_with_the_scores_used():
    for version in (2, 3, 4):
        assert lines(f"Hopper-v{version}", own=(-7.0, 13.0)) == [
            f"set: Hopper-v{version} pays other rewards than our "
            "Locomotion(name='Hopper-v5'): before version 5 the step that ends an "
            "episode is paid as healthy; normalised scores use D4RL's, -20.2723 to "
            "3234.3, not the dataset's own, -7 to 13"
        ]
    [line] = lines("Pusher-v4", Locomotion("Pusher-v5"))
    assert line.endswith(
        "before version 5 the reward is of the state before the step; D4RL has no "
        "reference scores for it, so none are used"
    )


def test_versions_that_pay_the_same_need_no_line():
    assert lines("Hopper-v5") == lines("Hopper-v5", own=D4RL) == []
    assert lines("HalfCheetah-v4", CHEETAH) == lines("HalfCheetah-v2", CHEETAH) == []
    assert lines("mujoco/Hopper-v5", render_mode="rgb_array", width=7) == []
    assert lines("Swimmer-v5", Locomotion("Swimmer-v5"), own=(0.0, 1.0)) == []
    assert check("set", "Hopper-v2", {}, None, None) == []


def test_other_reference_scores_are_told():
    assert lines("Hopper-v5", own=(0.0, 2.0)) == [
        "set: normalised scores use D4RL's, -20.2723 to 3234.3, not the dataset's own, "
        "0 to 2"
    ]


def test_other_settings_of_the_environment_are_told():
    [line] = lines("Hopper-v5", healthy_reward=2.0)
    assert "it was made with {'healthy_reward': 2.0}; normalised" in line


@pytest.mark.parametrize(
    "task, difference",
    [
        ("pen", "its episodes last 200 steps and go on after the pen is dropped; "),
        ("door", "it pays 0.1 for each metre between palm and object, which ours subt"),
    ],
)
def test_adroit_of_gymnasium_robotics_differs_from_d4rls(task, difference):
    [line] = lines(f"AdroitHand{task.capitalize()}-v1", Adroit(task))
    assert difference in line and "normalised scores use D4RL's" in line


def test_another_environment_is_refused_and_an_unknown_one_told():
    with pytest.raises(
        DatasetError, match=r"set: env_spec is Walker2d-v5, .* is Hopper"
    ):
        lines("Walker2d-v5")
    [line] = lines(None)
    assert line.startswith("set: env_spec is missing, so it is unknown whether")
    assert lines(None, ControlSuite("hopper-hop")) == []
    [line] = lines("Hopper-v5", ControlSuite("hopper-hop"))
    assert "env_spec is Hopper-v5, which has no counterpart" in line


def test_an_environment_by_its_id_is_compared_by_name_version_and_arguments():
    own = Gymnasium("my_package:mine/Tank-v1", {"size": 3, "shape": (5, 7)})
    assert lines("mine/Tank-v1", own, size=3, shape=[5, 7], render_mode=None) == []
    [version] = lines("mine/Tank-v0", own, size=3, shape=[5, 7])
    assert version == (
        "set: env_spec is mine/Tank-v0, the environment is mine/Tank-v1: its version "
        "may act or pay otherwise"
    )
    [arguments] = lines("mine/Tank-v1", own, size=2)
    assert arguments == (
        "set: its environment was made with {'size': 2}, ours with {'size': 3, "
        "'shape': (5, 7)}"
    )
    for other in ("Tank-v1", "Pendulum-v1"):
        with pytest.raises(
            DatasetError, match=rf"set: env_spec is {other}, .* is mine/Tank-v1: choose"
        ):
            lines(other, own)
    [line] = lines("mine/Tank-v1", Gymnasium("my_package:make_tank"))
    assert line == (
        "set: env_spec is mine/Tank-v1, which is not compared with "
        "my_package:make_tank, since that is no id of gymnasium's"
    )
    assert lines(None, own) == []


@pytest.mark.parametrize(
    "name, told",
    [
        ("hopper_medium-v2.hdf5", True),
        ("hopper-medium-expert-v0.hdf5", True),
        ("HOPPER_mixed-v1.H5", True),
        ("hopper_medium.hdf5", True),
        ("hopper_medium_expert.hdf5", True),
        ("hopper.hdf5", False),
        ("hopper-medium.hdf5", False),
        ("hopper-medium-v5.hdf5", False),
        ("hopper_medium-v5.hdf5", False),
        ("my_hopper_medium.hdf5", False),
    ],
)
def test_files_named_as_by_d4rl_are_of_version_2(name, told):
    found = check_file(Path("x") / name, HOPPER)
    assert len(found) == told
    if told:
        assert f"{name}, by its name D4RL's: Hopper-v2 pays other rewards" in found[0]


def test_files_of_d4rl_of_another_environment_are_refused():
    """Walker2d and HalfCheetah have equal shapes."""
    with pytest.raises(DatasetError) as refused:
        check_file(Path("walker_mixed.hdf5"), CHEETAH)
    assert str(refused.value) == (
        "walker_mixed.hdf5: the file has the name of D4RL's Walker2d, the environment "
        "is HalfCheetah: choose the environment that the dataset is from, or rename "
        "the file"
    )
    assert check_file(Path("walker2d_medium-v2.hdf5"), ControlSuite("walker-run")) == []
    walker = Locomotion("Walker2d-v5")
    assert len(check_file(Path("walker2d_medium-v2.hdf5"), walker)) == 1
    assert check_file(Path("halfcheetah_medium-v2.hdf5"), CHEETAH) == []
    assert check_file(Path("pen-human-v1.hdf5"), Adroit("pen")) == []
