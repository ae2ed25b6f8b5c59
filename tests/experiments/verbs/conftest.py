"""Runs that the tests of several verbs use."""

import pytest

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
