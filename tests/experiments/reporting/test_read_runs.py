"""Reading run directories for a report."""

import shutil

import pytest
import yaml

from experiments.reporting import read_runs
from launch.errors import RunDirectoryError
from launch.runs import lock, run_directory
from tests.experiments.run_directories import metrics_row, write

POINTS = {50: [0.0, 2.0], 100: [10.0, 12.0]}


def groups_of(*paths):
    """Label and runs of the only environment."""
    (groups,) = read_runs.read([str(path) for path in paths]).groups.values()
    return {group.label: group.runs for group in groups}


def restart(path, when):
    """Records another time of start in a run."""
    config = path / "config.yaml"
    config.write_text(config.read_text().replace("2025-01-02T03:04:05+00:00", when))


def test_a_repeated_seed_counts_once_and_left_out_runs_are_noted(tmp_path):
    first = write(tmp_path, evaluations={50: [1.0]}, directory="first")
    second = write(tmp_path, evaluations=POINTS, directory="second")
    restart(first, "2025-01-01T00:00:00+00:00")
    empty = write(tmp_path, seed=1)
    reading = read_runs.read([str(tmp_path), str(first)])
    ((group,),) = reading.groups.values()
    assert [run.directory for run in group.runs] == [second]
    assert reading.left_out == [
        f"{empty} has no evaluation yet",
        f"{first} repeats seed 0 of {second}",
    ]
    assert reading.incomplete == []


def test_a_row_that_is_still_being_written_is_left_out(tmp_path):
    path = write(tmp_path, evaluations=POINTS, metrics=[metrics_row(50, "actor", 5.0)])
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"actor_steps": 10')
    with (path / "evaluations.csv").open("a") as file:
        file.write("150,150,600")
    (run,) = groups_of(path)["mdqn"]
    assert len(run.metrics) == 1 and len(run.evaluations) == 2


def test_a_folder_of_runs_means_all_runs_in_it(tmp_path):
    write(tmp_path, seed=0, evaluations=POINTS)
    write(tmp_path, seed=1, evaluations=POINTS)
    for folder in (tmp_path, tmp_path / "mdqn", tmp_path / "mdqn/catch"):
        assert len(groups_of(folder)["mdqn"]) == 2


def test_a_copy_counts_once_and_is_named(tmp_path):
    original = write(tmp_path / "runs", seed=3, evaluations=POINTS)
    write(tmp_path / "runs", seed=4, evaluations={50: [4.0], 100: [5.0]})
    copy = tmp_path / "runs/best"
    shutil.copytree(original, copy)
    reading = read_runs.read([str(tmp_path / "runs")])
    ((group,),) = reading.groups.values()
    assert [run.experiment["seed"] for run in group.runs] == [3, 4]
    assert group.runs[0].directory == copy
    assert reading.left_out == [
        f"{original} has the same experiment, seed and start as {copy}"
    ]


def test_of_a_run_and_its_older_copy_the_run_counts(tmp_path):
    original = write(tmp_path, seed=3, evaluations=POINTS)
    copy = tmp_path / "a_backup"
    shutil.copytree(original, copy)
    lines = (copy / "evaluations.csv").read_text().splitlines(keepends=True)
    (copy / "evaluations.csv").write_text("".join(lines[:-1]))
    reading = read_runs.read([str(tmp_path)])
    ((group,),) = reading.groups.values()
    assert [run.directory for run in group.runs] == [original]
    assert reading.left_out == [
        f"{copy} has the same experiment, seed and start as {original}"
    ]
    assert reading.incomplete == []


def test_runs_that_record_no_start_are_no_copies(tmp_path):
    paths = [write(tmp_path, evaluations=POINTS, directory=name) for name in "ab"]
    for path in paths:
        config = yaml.safe_load((path / "config.yaml").read_text())
        del config["started"]
        (path / "config.yaml").write_text(yaml.safe_dump(config))
    reading = read_runs.read([str(tmp_path)])
    assert reading.left_out == [f"{paths[1]} repeats seed 0 of {paths[0]}"]


def test_a_run_that_ended_early_is_told_from_one_that_is_running(tmp_path):
    ended = write(tmp_path, seed=0, evaluations={50: [1.0]})
    running = write(tmp_path, seed=1, evaluations={50: [1.0]})
    write(tmp_path, seed=2, evaluations=POINTS)
    with lock.locked(running):
        reading = read_runs.read([str(tmp_path)])
    assert reading.incomplete == [
        f"{ended} ended early: evaluated to 50 of 100 steps",
        f"{running} is still running: evaluated to 50 of 100 steps",
    ]
    ((group,),) = reading.groups.values()
    assert [run.running for run in group.runs] == [False, True, False]


def test_a_run_that_disappears_while_it_is_read_is_named(tmp_path, monkeypatch):
    write(tmp_path, seed=0, evaluations=POINTS)
    gone = write(tmp_path, seed=1, evaluations=POINTS)
    real = run_directory.read_config

    def read_config(directory):
        config = real(directory)
        if directory == gone:
            shutil.rmtree(gone)
        return config

    monkeypatch.setattr(run_directory, "read_config", read_config)
    reading = read_runs.read([str(tmp_path)])
    assert reading.left_out == [f"{gone} disappeared"]
    ((group,),) = reading.groups.values()
    assert [run.experiment["seed"] for run in group.runs] == [0]


def test_without_any_run_the_reasons_are_one_line(tmp_path):
    paths = [write(tmp_path, seed=seed) for seed in range(6)]
    with pytest.raises(RunDirectoryError) as caught:
        read_runs.read([str(tmp_path)])
    reasons = "; ".join(f"{path} has no evaluation yet" for path in paths[:4])
    assert str(caught.value) == f"no run can be shown: {reasons}; and 2 more"
