"""All adders have the methods of the interface `Adder`."""

import inspect

import pytest

from launch.policies.record_episodes import Recording
from launch.replay import Adder
from launch.replay.in_process import InProcess


def adders():
    yield InProcess
    yield Recording


@pytest.mark.parametrize("name", ["observe_first", "observe", "close"])
def test_adders_have_the_parameters_of_the_interface(name):
    wanted = list(inspect.signature(getattr(Adder, name)).parameters.values())
    for adder in adders():
        found = list(inspect.signature(getattr(adder, name)).parameters.values())
        assert [each.name for each in found] == [each.name for each in wanted]
        assert [each.default for each in found] == [each.default for each in wanted]


@pytest.mark.reverb
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TensorFlow 2.8
def test_the_reverb_adder_has_the_parameters_of_the_interface():
    from launch.replay.reverb_store import ReverbAdder

    for name in ("observe_first", "observe", "close"):
        wanted = inspect.signature(getattr(Adder, name)).parameters
        assert list(inspect.signature(getattr(ReverbAdder, name)).parameters) == list(
            wanted
        )
