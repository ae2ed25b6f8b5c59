"""D4RL's scores, against values computed by hand."""

import pytest

from environments import Adroit, Classic, ControlSuite, Locomotion
from launch.datasets import d4rl_scores


@pytest.mark.parametrize(
    "environment, episode_return, score",
    [
        (Locomotion("Hopper-v5"), -20.272305, 0),
        (Locomotion("Hopper-v5"), 3234.3, 100),
        # 1000 + 20.272305 of 3234.3 + 20.272305
        (Locomotion("Hopper-v5"), 1000.0, 31.348892),
        # 6000 + 280.178953 of 12135 + 280.178953
        (Locomotion("HalfCheetah-v5"), 6000.0, 50.584683),
        # twice the expert's return less the random return scores 200
        (Locomotion("Walker2d-v5"), 2 * 4592.3 - 1.629008, 200),
        (Locomotion("Ant-v5"), -325.6 - 42.053, -1),
        (Adroit("pen"), 96.262799 - 29.805703703, -1),
        (Adroit("door"), -56.512833, 0),
        (Adroit("hammer"), 12794.134825156867, 100),
        (Adroit("relocate"), 4233.877797728884, 100),
    ],
)
def test_scores_equal_those_computed_by_hand(environment, episode_return, score):
    reference = d4rl_scores.reference(environment)
    assert d4rl_scores.normalized(episode_return, reference) == pytest.approx(
        score, abs=1e-5
    )


@pytest.mark.parametrize(
    "name, family",
    [
        ("hopper", "hopper"),
        ("Hopper-v5", "hopper"),
        ("hopper-medium-replay-v2", "hopper"),
        ("HalfCheetah-v4", "halfcheetah"),
        ("adroit-pen", "pen"),
        ("AdroitHandRelocate-v1", "relocate"),
        ("pen-human-v1", "pen"),
    ],
)
def test_names_stand_for_their_family(name, family):
    assert d4rl_scores.reference(name) == d4rl_scores.REFERENCES[family]


@pytest.mark.parametrize(
    "environment",
    [
        "hopper-hop",
        "Humanoid-v5",
        "",
        Locomotion("Humanoid-v5"),
        ControlSuite("hopper-hop"),
        Classic(),
    ],
)
def test_environments_outside_d4rl_have_no_reference(environment):
    assert d4rl_scores.reference(environment) is None
