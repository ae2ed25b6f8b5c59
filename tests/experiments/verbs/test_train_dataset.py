"""`train --dataset`: how a dataset is read, and the lines about it."""

import h5py
import numpy as np
import pytest

from experiments import cli
from launch import run
from launch.runs import run_directory

LINE = "train bc/hopper --environment.name InvertedPendulum-v5 --steps 5 --dataset "


@pytest.fixture
def launched(tmp_path, monkeypatch):
    """Replaces training in an empty directory; lists the datasets to learn from."""
    datasets = []
    monkeypatch.setattr(run, "run_experiment", lambda *a, **_: datasets.append(a[3][3]))
    monkeypatch.chdir(tmp_path)
    return datasets


def write(path, rows=9):
    """Two episodes; an action of the first is beyond the bounds of -3 and 3."""
    action = np.zeros((rows, 1), np.float32)
    action[1] = -3.75
    end = np.arange(rows) % 5 == 4
    end[-1] = True
    with h5py.File(path, "w") as file:
        file["observations"] = np.arange(4 * rows, dtype=np.float64).reshape(rows, 4)
        file["actions"] = action
        file["rewards"] = np.ones((rows, 1))
        file["terminals"] = np.zeros((rows, 1), np.uint8)
        file["timeouts"] = end[:, None]


def test_flags_set_how_the_dataset_is_read(launched, capsys, tmp_path):
    write("my data ü.H5")
    line = [*LINE.split(), "my data ü.H5"]
    assert cli.main(line) == 2
    assert capsys.readouterr().err == (
        "munchausen: my data ü.H5: actions, row 1: [-3.75] is out of its bounds (1 of "
        "9 rows are): clip such actions with --dataset.clip_actions true, or leave "
        "such episodes out with --dataset.skip_bad_episodes true\n"
    )
    assert launched == [] and not (tmp_path / "runs").exists()
    assert cli.main([*line, "--dataset.clip_actions", "true"]) == 0
    assert launched[0].transitions.action[:, 0].tolist() == [0, -1, 0, 0, 0, 0, 0]
    assert (
        "munchausen: my data ü.H5: actions of 1 of 9 rows were out of bounds and are "
        "clipped; the farthest was 0.25 beyond, with bounds scaled to [-1, 1]\n"
    ) == capsys.readouterr().err
    [directory] = (tmp_path / "runs/bc").glob("*/seed0-*")
    experiment = run_directory.read_experiment(directory)
    assert experiment.dataset_reading.clip_actions
    assert cli.main([*line, "--dataset.skip_bad_episodes=true"]) == 0
    assert launched[1].transitions.action.tolist() == [[0]] * 3
    assert "left out 1 of 2 episodes: rows 0 to 4; the first: actions, row" in (
        capsys.readouterr().err
    )


def test_seeds_of_one_dataset_give_each_line_once(launched, capsys, monkeypatch):
    write("data.h5")
    flags = "data.h5 --dataset.clip_actions true --seeds 2 --launch threads"
    assert cli.main([*LINE.split(), *flags.split()]) == 0
    assert capsys.readouterr().err.count("are clipped") == 1
