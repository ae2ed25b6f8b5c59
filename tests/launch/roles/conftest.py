"""A run whose roles a test runs one by one."""

import pytest

from launch import build
from launch.roles.context import Run


@pytest.fixture
def run(catch, tmp_path):
    experiment = catch({"environments": 3, "agent.storage.min_size": 40})
    return Run(experiment, tmp_path, build.spec_of(experiment), frame_stack=1)
