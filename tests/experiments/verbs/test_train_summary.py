"""The summary that `train` prints at the end."""

import collections

import pytest

from experiments import cli
from experiments.verbs import train_summary
from launch import run
from launch.runs.existing_runs import Entry
from tests.experiments.run_directories import metrics_row, write


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Runs go to an empty directory, and nothing is ever started."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_without_evaluations_prints_no_return(monkeypatch, capsys):
    monkeypatch.setattr(run, "run_experiment", lambda *_, **__: None)
    assert cli.main(["train", "dqn/catch"]) == 0
    assert (
        "seed 0  final evaluation return none: no episode has ended in an evaluation"
        in capsys.readouterr().out
    )


def test_the_first_evaluation_is_printed_next_to_the_last(tmp_path, capsys):
    write(tmp_path, "mdqn/catch", 0, {50: [-2.0, -1.0], 100: [1.0], 150: [0.5, 1.0]})
    [directory] = (tmp_path / "mdqn" / "catch").iterdir()
    train_summary.summarise([(0, directory)])
    line = "seed 0  final evaluation return 0.75  (first evaluation -1.5)"
    assert capsys.readouterr().out == line + "\n"


def test_the_mean_is_at_the_last_step_that_all_seeds_reached(tmp_path, capsys):
    runs = [
        (0, write(tmp_path, seed=0, evaluations={50: [4.0], 100: [400.0]})),
        (1, write(tmp_path, seed=1, evaluations={50: [1.0, 3.0]})),
        (7, write(tmp_path, seed=7)),
    ]
    train_summary.summarise(runs)
    assert capsys.readouterr().out.splitlines() == [
        "seed 0  final evaluation return 400  (first evaluation 4)",
        "seed 1  final evaluation return 2",
        "seed 7  final evaluation return none: no episode has ended in an evaluation",
        "mean over 2 of 3 seeds at step 50  3  (from 2 to 4)",
    ]
    train_summary.summarise([(0, runs[0][1]), (0, runs[0][1])])
    assert capsys.readouterr().out.splitlines()[-1] == (
        "mean over 2 seeds  400  (from 400 to 400)"
    )


def test_means_of_variants_are_as_far_as_all_seeds_of_each_go(tmp_path, capsys):
    training = [
        metrics_row(40, "actor", 1.0, 2, episode_return=1.0),
        metrics_row(100, "actor", 2.0, 4, episode_return=9.0),
    ]
    paths = {
        ("a/b", 0): write(tmp_path, "a/b", 0, {50: [4.0], 100: [400.0]}, training),
        ("a/b", 1): write(tmp_path, "a/b", 1, {50: [2.0]}, training[:1]),
        ("a/c", 0): write(tmp_path, "a/c", 0, {100: [7.0]}, training),
    }
    Named = collections.namedtuple("Named", "name seed")  # all that is used of it
    entries = {Entry(Named(*key), path): path for key, path in paths.items()}
    train_summary.summarise_all(list(entries), entries)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == "a/b 2 1 3 (from 2 to 4) at step 50".split()
    assert lines[2] == "a/c 1 5 7 (from 7 to 7)".split()
