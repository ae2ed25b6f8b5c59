"""Directories of computed figures are distinguished from runs."""

from experiments.catalogue.computation import Computed, is_computed
from launch.runs import run_directory


def test_the_kind_in_the_config_marks_a_computation(tmp_path):
    directory = run_directory.create(tmp_path, Computed("toy/figure", 3))
    assert is_computed(directory)
    path = directory / run_directory.CONFIG
    path.write_text(path.read_text().replace("kind: Computed", "kind: Experiment"))
    assert not is_computed(directory)


def test_a_directory_without_a_readable_config_is_not_one(tmp_path):
    assert not is_computed(tmp_path)
    (tmp_path / run_directory.CONFIG).mkdir()
    assert not is_computed(tmp_path)
