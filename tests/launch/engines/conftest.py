"""A run with three actors."""

import pytest

from launch import build
from launch.roles.context import Run


@pytest.fixture
def run(catch, tmp_path):
    experiment = catch({"actors": 3})
    return Run(experiment, tmp_path, build.spec_of(experiment), frame_stack=1)
