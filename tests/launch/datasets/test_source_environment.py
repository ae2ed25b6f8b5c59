"""Facts about the environments of external datasets."""

import numpy as np
import pytest

from environments import Adroit, Catch, ControlSuite, Gymnasium, Locomotion
from launch.datasets import source_environment
from launch.datasets.source_environment import Native


@pytest.mark.parametrize(
    "environment, family",
    [
        (Locomotion("Walker2d-v5"), "Walker2d"),
        (Adroit("pen"), "AdroitHandPen"),
        (Catch(), None),
    ],
)
def test_a_family_is_a_name_without_its_version(environment, family):
    assert source_environment.family(environment) == family


def test_gymnasium_is_asked_for_bounds_and_limit():
    found = source_environment.describe(Locomotion("InvertedPendulum-v5"))
    assert (found.name, found.episode_steps) == ("InvertedPendulum-v5", 1_000)
    assert found.exact and (found.low.tolist(), found.high.tolist()) == ([-3], [3])
    native = np.array([[-3], [0.75]], np.float32)
    assert found.actions.canonical(native).tolist() == [[-1], [0.25]]


def test_a_hand_task_has_a_limit_that_demonstrations_may_exceed_and_no_bounds():
    found = source_environment.describe(Adroit("door"))
    assert (found.episode_steps, found.exact, found.name) == (200, False, None)
    assert found.actions is None


def test_other_environments_have_no_known_facts():
    assert source_environment.describe(Catch()) == Native()


def test_a_task_of_the_control_suite_has_its_own_bounds_and_limit():
    """Actions of the quadruped are not within [-1, 1]."""
    found = source_environment.describe(ControlSuite("quadruped-walk"))
    np.testing.assert_array_equal(found.low, [-1, -1, -0.8] * 4)
    np.testing.assert_array_equal(found.high, [1, 1.1, 0.8] * 4)
    assert (found.name, found.episode_steps, found.exact) == (None, 1_000, True)


def test_an_environment_of_a_user_has_its_limit():
    found = source_environment.describe(Gymnasium("Pendulum-v1"))
    assert (found.name, found.episode_steps, found.exact) == ("Pendulum-v1", 200, True)
    np.testing.assert_array_equal((found.low, found.high), ([-2], [2]))
