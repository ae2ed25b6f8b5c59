"""Where run directories are found."""

import os
from pathlib import Path

import pytest

from experiments.reporting import find_runs
from launch.errors import RunDirectoryError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*paths):
    """Directories with a config; the search reads no file."""
    for path in map(Path, paths):
        path.mkdir(parents=True)
        (path / "config.yaml").touch()
    return [Path(path) for path in paths]


def failing(monkeypatch, path, error):
    """Lets the search of one folder fail."""
    real = os.scandir

    def scandir(folder):
        if folder == Path(path):
            raise error
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)


def test_runs_at_every_depth_are_found():
    runs = make("runs/a/b/c/d/e/f", "runs/best", "runs/mdqn/catch/seed0")
    assert find_runs.find(["runs"]) == (runs, [])


def test_a_run_may_hold_another_but_not_in_its_own_folders():
    run, other = make("run", "run/backup/old")
    own = ("checkpoints", "logs", "pretraining", "wandb")
    make(*(f"run/{name}/deep/er" for name in own))
    assert find_runs.find(["run"]).runs == [run, other]


def test_a_folder_of_an_own_folders_name_is_searched_outside_runs():
    runs = make("runs/logs/seed0")
    assert find_runs.find(["runs"]).runs == runs


def test_a_run_reached_twice_is_found_once(elsewhere):
    [run] = make("runs/mdqn/seed0")
    os.symlink(elsewhere / "runs/mdqn/seed0", "runs/best")
    os.symlink(elsewhere / "runs", "again")
    paths = ["runs", "runs", "runs/mdqn", "again", str(run.resolve())]
    assert find_runs.find(paths) == ([run], [])


def test_links_are_followed_and_loops_end(elsewhere):
    [far] = make("far/seed0")
    [near] = make("runs/seed1")
    os.symlink(elsewhere / "far", "runs/linked")
    os.symlink(elsewhere / "runs", "runs/loop")
    os.symlink(elsewhere, "runs/up")  # not followed: it holds the link
    os.symlink("itself", "runs/itself")
    os.symlink("nothing", "runs/dangling")
    os.symlink(elsewhere / "far", "far/seed0/round")
    make("stranger")
    assert find_runs.find(["runs"]) == ([near, Path("runs/linked") / far.name], [])


def test_many_files_of_a_run_are_not_looked_at(monkeypatch):
    make("runs/seed0")
    Path("runs/seed0/checkpoints/100/state").mkdir(parents=True)
    scanned, real = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: scanned.append(path) or real(path))
    find_runs.find(["runs"])
    assert scanned == [Path("runs"), Path("runs/seed0")]


def test_what_cannot_be_searched_is_named(monkeypatch):
    [run] = make("runs/seed0")
    Path("runs/secret").mkdir()
    Path("empty").mkdir()
    Path("file").touch()
    failing(monkeypatch, "runs/secret", PermissionError(13, "Permission denied"))
    assert find_runs.find(["runs", "empty", "file", "file/x"]) == (
        [run],
        [
            "cannot read runs/secret: Permission denied",
            "empty is not a run directory or a folder of run directories: no "
            "config.yaml there",
            "file is a file: name a run directory",
            "cannot read file/x: Not a directory",
        ],
    )


def test_a_path_that_does_not_exist_is_a_mistake():
    make("runs/seed0")
    with pytest.raises(RunDirectoryError, match="no where does not exist"):
        find_runs.find(["runs", "no where"])


def test_a_directory_that_disappears_is_named(monkeypatch):
    make("runs/gone", "runs/seed0")
    gone = FileNotFoundError(2, "No such file or directory")
    failing(monkeypatch, "runs/gone", gone)
    found = find_runs.find(["runs"])
    assert found.runs == [Path("runs/seed0")]
    assert found.left_out == ["cannot read runs/gone: No such file or directory"]


@pytest.mark.parametrize("name", [b"\xff", "ü".encode(), b"a b%#\n", b"*[x]"])
def test_unusual_names_are_found(name):
    runs = make(Path("runs") / os.fsdecode(name))
    assert find_runs.find(["runs"]).runs == runs
