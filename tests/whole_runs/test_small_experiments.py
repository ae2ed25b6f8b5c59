"""The small experiments of launch's tests have the settings of the catalogue."""

import dataclasses

import pytest

from experiments import flags
from experiments.catalogue.experiments import EXPERIMENTS
from tests.launch import small_experiments


def undescribed(experiment):
    return dataclasses.replace(experiment, description="")


@pytest.mark.parametrize("name", ["dqn/catch", "mdqn/catch"])
def test_catch_equals_the_catalogues(name):
    assert small_experiments.catch(name) == undescribed(EXPERIMENTS[name])


@pytest.mark.parametrize("name", ["td3", *small_experiments.OFFLINE])
def test_offline_experiments_equal_the_catalogues_except_for_their_size(name):
    wanted = {"environment.name": "InvertedPendulum-v5", "dataset": "x.hdf5"}
    wanted |= small_experiments.SMALL_PENDULUM
    base = undescribed(EXPERIMENTS[f"{name}/hopper-medium"])
    known = flags.fields(base)
    small = {path: value for path, value in wanted.items() if path in known}
    expected = flags.replace(base, small)
    assert small_experiments.pendulum(name, "x.hdf5") == expected
