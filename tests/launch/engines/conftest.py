"""A run with three actors, and SIGHUP as a terminal leaves it."""

import signal

import pytest

from launch import build
from launch.roles.context import Run


@pytest.fixture
def run(catch, tmp_path):
    experiment = catch({"actors": 3})
    return Run(experiment, tmp_path, build.spec_of(experiment), frame_stack=1)


@pytest.fixture
def hangups_are_heard():
    """SIGHUP ends processes that start now, also where `nohup` started the tests."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)
