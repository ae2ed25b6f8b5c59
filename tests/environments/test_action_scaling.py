"""Actions in [-1, 1], scaled to an environment's own box."""

import numpy as np
import pytest

from environments.action_scaling import Canonical


def test_the_ends_of_the_box_are_reached():
    canonical = Canonical(np.array([-2.0, 0.0]), np.array([4.0, 1.0]))
    for action, native in [
        ([-1, -1], [-2, 0]),
        ([0, 0], [1, 0.5]),
        ([1, -0.5], [4, 0.25]),
    ]:
        result = canonical.native(np.array(action, np.float32))
        np.testing.assert_array_equal(result, np.array(native, np.float32))
    assert canonical.spec().shape == (2,) and canonical.spec().dtype == np.float32


def test_actions_of_the_same_box_are_not_rounded():
    action = np.float32([0.1, -0.30000001, 1.0])
    canonical = Canonical(-np.ones(3), np.ones(3))
    np.testing.assert_array_equal(canonical.native(action), action)


def test_an_action_outside_is_refused():
    canonical = Canonical(-np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match=r"must be from -1 to 1, got .*1\.25"):
        canonical.native(np.float32([0.0, 1.25]))


@pytest.mark.parametrize("bounds", [(-np.inf, 1.0), (1.0, 1.0)])
def test_a_box_without_bounds_is_refused(bounds):
    low, high = (np.array([bound]) for bound in bounds)
    with pytest.raises(ValueError, match="actions must have finite bounds"):
        Canonical(low, high)
