"""NaN and infinity: found, and named."""

import dm_env
import numpy as np
import pytest

from launch import errors, finite


def timestep(reward=(0.5, -1.0), observation=((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))):
    return dm_env.TimeStep(
        np.array([1, 1], np.int32),
        np.array(reward, np.float32),
        np.ones(2, np.float32),
        np.array(observation, np.float32),
    )


def test_finite_values_pass():
    finite.check_timestep(timestep(), 7)
    finite.check_metrics({"q_loss": 0.5, "q_mean": -3.0}, 7)


def test_a_metric_that_is_an_array_is_named_with_its_shape():
    finite.check_one_number_each({"q_loss": 0.5, "q_mean": np.float32(-3.0)})
    said = r"metric q_mean must be one finite number, got an array of shape \[3, 2\]"
    with pytest.raises(errors.NotFinite, match=said):
        finite.check_one_number_each({"q_loss": 0.5, "q_mean": np.zeros((3, 2))})


def test_reward_that_is_not_a_number_names_lane_and_step():
    with pytest.raises(
        errors.NotFinite, match=r"reward of nan in lane 1 at actor step 7"
    ):
        finite.check_timestep(timestep(reward=(0.5, np.nan)), 7)


def test_infinite_observation_is_named():
    bad = ((1.0, np.inf, 3.0), (4.0, 5.0, 6.0))
    with pytest.raises(errors.NotFinite, match=r"observation of .*inf.* in lane 0"):
        finite.check_timestep(timestep(observation=bad), 7)


def test_infinities_that_cancel_are_found():
    bad = ((np.inf, -np.inf, 3.0), (4.0, 5.0, 6.0))
    with pytest.raises(errors.NotFinite, match="lane 0"):
        finite.check_timestep(timestep(observation=bad), 7)


def test_bytes_are_not_checked():
    step = timestep()._replace(observation=np.zeros((2, 4, 5, 7), np.uint8))
    finite.check_timestep(step, 7)


def test_loss_names_its_network():
    found = {"action_gap": np.nan, "q_loss": 0.5, "pi_loss": np.nan}
    with pytest.raises(errors.NotFinite) as refused:
        finite.check_metrics(found, 9)
    assert str(refused.value) == (
        "loss of network pi is nan at learner step 9; it may have been so since the "
        "last log row"
    )
