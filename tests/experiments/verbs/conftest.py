"""Runs that the tests of several verbs use."""

import sys

import pytest

from launch import surroundings
from tests.experiments.verbs.saved_runs import make_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Makes a run of an experiment once."""
    made = {}

    def run(name):
        if name not in made:
            made[name] = make_run(tmp_path_factory.mktemp("runs"), name)
        return made[name]

    return run


@pytest.fixture(autouse=True)
def any_python(monkeypatch):
    """Tests of verbs replace the engine, so that any Python may take its place."""
    monkeypatch.setattr(surroundings, "DISTRIBUTED", sys.version_info[:2])
