"""Costs of whole runs: imports of each command."""

import pytest

from experiments.benchmarks import whole_runs
from tests.experiments.benchmarks.measured_figures import check


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_imports_of_each_command_are_counted():
    helped, listed, run = measured = whole_runs.imports()
    check(measured, [""] * 3)
    assert "(none of the stack)" in helped.name and helped.value < 400
    assert "(jax)" in listed.name and "(jax)" in run.name
    assert helped.value < listed.value < run.value
