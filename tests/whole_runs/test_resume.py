"""A run that was cut short can be resumed as if it had never been interrupted."""

import os
import signal

import pytest

from experiments import cli
from launch import errors
from launch.engines import one_thread
from launch.roles.learner import Learner
from launch.runs import checkpoint, logs, run_directory
from tests.launch.interrupted_runs import catch, run_until
from tests.launch.local_runs import run_local


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 500 steps without interruption."""
    directory = run_directory.create(tmp_path_factory.mktemp("whole"), catch(500))
    run_local(catch(500), directory)
    return directory


def test_signal_saves_and_resume_completes(tmp_path, monkeypatch, capsys):
    directory = run_directory.create(tmp_path, catch(500))
    act = one_thread.Local.act

    def interrupted(self):
        act(self)
        if self.counts().actor_steps == 123:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(one_thread.Local, "act", interrupted)
    with pytest.raises(errors.Interrupted) as stopped:
        run_local(catch(500), directory)
    assert stopped.value.signal == signal.SIGTERM
    assert checkpoint.newest(directory).counts.actor_steps == 123
    assert cli.main(["train", "--resume", str(directory)]) == 0
    assert [row.grid for row in logs.read_evaluations(directory)] == [
        150,
        300,
        450,
        500,
    ]
    assert "from step 123" in capsys.readouterr().out


def test_loss_that_is_not_finite_ends_the_run_and_keeps_its_checkpoints(
    tmp_path, monkeypatch, capsys
):
    experiment = catch(500)
    directory = run_directory.create(tmp_path, experiment)
    run_until(experiment, directory, 330, monkeypatch)
    compute = Learner._compute

    def diverging(self, batches):
        compute(self, batches)
        self.metrics = {"q_loss": float("nan")}

    monkeypatch.setattr(Learner, "_compute", diverging)
    assert cli.main(["train", "--resume", str(directory)]) == 1
    error = capsys.readouterr().err
    assert "loss of network q is nan at learner step" in error
    assert "Traceback" not in error
    assert checkpoint.newest(directory).counts.actor_steps == 200


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "complete: it has done 500 of 500 steps"),
        (
            ["--steps", "400"],
            "--steps must be at least 500, the steps that the run has ",
        ),
        (["--steps", "900", "--launch", "threads"], "--launch must be local"),
        (["--steps", "900", "--seed", "7"], "--seed cannot change when a run resumes"),
        (["mdqn/catch"], "remove mdqn/catch"),
    ],
)
def test_arguments_that_do_not_fit_are_one_line(whole, arguments, said, capsys):
    before = _files(whole)
    assert cli.main(["train", "--resume", str(whole), *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert _files(whole) == before


@pytest.mark.parametrize("kind", ["missing", "empty", "file", "foreign"])
def test_paths_that_are_not_runs_are_one_line(kind, tmp_path, capsys):
    path = tmp_path / "run"
    if kind == "file":
        path.write_text("no run")
    elif kind != "missing":
        path.mkdir()
    if kind == "foreign":
        (path / "config.yaml").write_text("learning_rate: 1")
    assert cli.main(["train", "--resume", str(path)]) == 2
    error = capsys.readouterr().err
    assert str(path) in error and error.count("\n") == 1


def test_run_that_is_under_way_cannot_be_resumed(whole, tmp_path, capsys):
    from launch.runs.lock import locked

    copied = tmp_path / "run"
    _copy(whole, copied)
    before = _files(copied)
    with locked(copied):
        assert cli.main(["train", "--resume", str(copied), "--steps", "600"]) == 2
    assert "being written by another process" in capsys.readouterr().err
    assert _files(copied) == before


def test_a_run_that_is_under_way_keeps_its_logs(whole, tmp_path, capsys):
    """Also before its first checkpoint, without which a run's logs start again."""
    import shutil

    from launch import run
    from launch.runs.lock import locked

    copied = tmp_path / "run"
    _copy(whole, copied)
    shutil.rmtree(copied / "checkpoints")
    before = _files(copied)
    with locked(copied):
        assert run.main([str(copied)]) == 2
    assert "being written by another process" in capsys.readouterr().err
    assert _files(copied) == before


def _copy(source, target):
    import shutil

    shutil.copytree(source, target)


def _files(root):
    """The content of each file except the lock."""
    return {
        path: path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }
