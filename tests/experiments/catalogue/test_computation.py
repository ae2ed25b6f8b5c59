"""Run directories of computed figures are told from runs."""

from experiments.catalogue.computation import Computed, is_computed
from launch.runs import run_directory


def test_what_stands_for_the_experiment_tells_a_computation_from_a_run(tmp_path):
    directory = run_directory.create(tmp_path, Computed("toy/figure", 3))
    assert is_computed(directory)
    path = directory / run_directory.CONFIG
    path.write_text(path.read_text().replace("kind: Computed", "kind: Experiment"))
    assert not is_computed(directory)


def test_what_cannot_be_read_is_none(tmp_path):
    assert not is_computed(tmp_path)
    (tmp_path / run_directory.CONFIG).mkdir()
    assert not is_computed(tmp_path)
