"""A run cannot be resumed with another dataset than the one that it began with."""

import json
import shutil

import pytest

from experiments import cli
from launch import run
from launch.runs import checkpoint, lock, logs, run_directory
from tests.launch import pendulum_dataset
from tests.launch.local_runs import run_local
from tests.launch.small_experiments import pendulum


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A run of PLOFF of 30 steps that has done both stages, and its dataset."""
    root = tmp_path_factory.mktemp("begun")
    path = pendulum_dataset.write(root / "pendulum.hdf5", 60)
    wanted = pendulum("ploff", str(path), steps=30, **{"agent.pretraining_steps": 5})
    directory = run_directory.create(root, wanted)
    run_local(wanted, directory)
    return directory


@pytest.fixture
def replaced(begun, tmp_path):
    """A copy of that run, whose dataset has been replaced under the same name."""
    directory, path = tmp_path / "run", tmp_path / "pendulum.hdf5"
    shutil.copytree(begun, directory)
    config = directory / run_directory.CONFIG
    old = run_directory.read_experiment(begun).dataset
    config.write_text(config.read_text().replace(old, str(path)))
    pendulum_dataset.write(path, 60, seed=1)
    return directory


def written(directory):
    """The content of every file of a run except its lock."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in files if path.name != lock.FILE}


def forget(directory, stages):
    """Makes checkpoints of these stages such as older versions wrote."""
    for stage in stages:
        for path in (directory / stage / checkpoint.DIRECTORY).glob("*/manifest.json"):
            manifest = json.loads(path.read_text())
            del manifest["extra"]["dataset"]
            path.write_text(json.dumps(manifest))


# As if the run had been begun by an older version: one stage that remembers is enough.
@pytest.mark.parametrize("forgotten", [[], ["."], ["pretraining"]])
@pytest.mark.parametrize("mode", ["local", "processes"])
def test_another_dataset_is_refused_before_anything_is_written(
    mode, forgotten, replaced, capsys
):
    forget(replaced, forgotten)
    before = written(replaced)
    line = ["train", "--resume", str(replaced), "--steps", "60", "--launch", mode]
    assert cli.main(line) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"{replaced.parent / 'pendulum.hdf5'} is not the one {replaced}" in error
    assert "60 transitions with checksum" in error and "restore the old one" in error
    assert written(replaced) == before


def test_another_dataset_is_refused_by_launch_run_too(replaced, capsys):
    """As for one of several runs of a figure, which the launcher cannot check."""
    before = written(replaced)
    assert run.main([str(replaced)]) == 2
    assert "restore the old one" in capsys.readouterr().err
    assert written(replaced) == before


def test_a_run_whose_dataset_moved_continues_from_its_new_place(
    begun, tmp_path, capsys
):
    directory = tmp_path / "run"
    shutil.copytree(begun, directory)
    config = directory / run_directory.CONFIG
    old = run_directory.read_experiment(begun).dataset
    config.write_text(config.read_text().replace(old, "gone.hdf5"))
    line = ["train", "--resume", str(directory), "--steps", "60"]
    assert cli.main(line) == 2
    [error] = capsys.readouterr().err.splitlines()
    assert error.endswith(": name the dataset's place with --dataset PATH")
    assert cli.main([*line, "--dataset", old]) == 0
    assert (
        f"--dataset {old} (before: gone.hdf5): another place" in capsys.readouterr().out
    )
    assert run_directory.read_experiment(directory).dataset == old
    assert logs.read_evaluations(directory)[-1].grid == 60


def test_runs_that_recorded_no_dataset_can_be_resumed(replaced):
    forget(replaced, [".", "pretraining"])
    line = ["train", "--resume", str(replaced), "--steps", "60"]
    assert cli.main(line) == 0
    assert logs.read_evaluations(replaced)[-1].grid == 60
