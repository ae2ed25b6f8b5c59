"""Lockstep evaluations, as reports and tables read them."""

import csv
import math

import pytest

from experiments.reporting import read_runs
from experiments.tables import from_runs
from experiments.verbs.train_summary import final_return
from launch import errors
from launch.runs import logs, run_directory
from launch.runs.logs import read_evaluations
from tests.launch.local_runs import run_local


def run(catch, tmp_path, settings):
    experiment = catch({"evaluation.lockstep": True} | settings)
    directory = run_directory.create(tmp_path, experiment)
    return run_local(experiment, directory), directory


def test_a_row_without_episodes_is_read_and_reported(catch, tmp_path):
    """Points at every fourth step: most fall within an episode of nine."""
    settings = {"steps": 20, "evaluation.period": 4}
    _, directory = run(catch, tmp_path, settings)
    rows = read_evaluations(directory)
    assert [(row.grid, len(row.returns)) for row in rows] == [
        (4, 0),
        (8, 0),
        (12, 1),
        (16, 0),
        (20, 1),
    ]
    assert math.isnan(rows[0].mean_return)
    with (directory / logs.EVALUATIONS).open(newline="") as file:
        assert next(csv.DictReader(file))["mean_return"] == ""
    [[group]] = read_runs.read([str(directory)]).groups.values()
    assert [row.grid for row in group.runs[0].evaluations] == [12, 20]
    assert final_return(directory) == rows[-1].mean_return
    assert [row["grid"] for row in from_runs.rows(group.runs[0])] == [12, 20]


def test_a_run_whose_last_row_is_empty_is_complete(catch, tmp_path):
    _, directory = run(catch, tmp_path, {"steps": 16, "evaluation.period": 4})
    [[group]] = read_runs.read([str(directory)]).groups.values()
    assert group.runs[0].complete
    assert final_return(directory) == read_evaluations(directory)[2].mean_return


def test_a_run_without_a_finished_episode_has_no_evaluation(catch, tmp_path, capsys):
    _, directory = run(catch, tmp_path, {"steps": 8, "evaluation.period": 4})
    assert final_return(directory) is None
    with pytest.raises(errors.RunDirectoryError, match="no evaluation yet"):
        read_runs.read([str(directory)])
