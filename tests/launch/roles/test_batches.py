"""Every source of batches has the methods of the interface."""

import inspect

import pytest

from launch.datasets.sampler import DatasetBatches
from launch.replay.in_process import InProcess
from launch.replay.reverb_batches import ReverbBatches
from launch.roles.batches import Batches, Given
from launch.roles.batches_ahead import BatchesAhead

METHODS = "prepare owed next read progress stored save restore close".split()


@pytest.mark.parametrize(
    "source", [InProcess, ReverbBatches, DatasetBatches, Given, BatchesAhead]
)
def test_a_source_has_the_signatures_of_the_interface(source):
    public = {name for name in vars(Batches) if not name.startswith("_")}
    assert public == {*METHODS, "shared"}
    for name in METHODS:
        if (source, name) == (Given, "next"):
            continue  # an attribute: the function passed to it
        found = inspect.signature(getattr(source, name)).parameters
        assert list(found) == list(inspect.signature(getattr(Batches, name)).parameters)


def test_given_batches_come_one_at_a_time_unchanged():
    batches = iter(["first", "second"])
    given = Given(lambda: next(batches))
    assert given.owed() == 1
    assert given.read(given.next(), given.shared) == "first"
    assert given.next() == "second" and given.progress() == {}
