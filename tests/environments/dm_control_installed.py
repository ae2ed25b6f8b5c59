"""Marks tests of the control suite, which CPython 3.13 does not have."""

from importlib.util import find_spec

import pytest

needs_dm_control = pytest.mark.skipif(
    find_spec("dm_control") is None,
    reason="dm-control needs labmaze, which has no wheel for this Python",
)
