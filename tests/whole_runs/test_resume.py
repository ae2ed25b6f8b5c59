"""A run that was cut short goes on as if nothing had happened."""

import dataclasses
import os
import signal

import jax
import numpy as np
import pytest

from agents import REGISTRY
from agents.parts.contract import discrete_spec
from experiments import cli
from launch import errors
from launch.engines import one_thread
from launch.errors import RunDirectoryError
from launch.experiment import Evaluation
from launch.policies import saved_policy
from launch.roles.learner import Learner
from launch.runs import checkpoint, logs, run_directory
from launch.runs.logs import Counts
from tests.launch.cut_short import catch, metrics, rows, run_until
from tests.launch.local_runs import run_local


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 500 steps without interruption."""
    directory = run_directory.create(tmp_path_factory.mktemp("whole"), catch(500))
    run_local(catch(500), directory)
    return directory


@pytest.mark.parametrize("environments", [1, 3])
@pytest.mark.parametrize("lockstep", [False, True])
def test_resumed_local_run_equals_the_uninterrupted_one(
    environments, lockstep, tmp_path, monkeypatch
):
    evaluation = Evaluation(period=150, episodes=3, lockstep=lockstep)
    experiment = catch(500, environments=environments, evaluation=evaluation)
    whole = run_directory.create(tmp_path / "whole", experiment)
    run_local(experiment, whole)
    cut = run_directory.create(tmp_path / "cut", experiment)
    run_until(experiment, cut, 330, monkeypatch)
    assert int(rows(cut, "metrics.csv")[-1]["actor_steps"]) >= 250  # rows to take back
    saved = checkpoint.newest(cut)
    assert 200 <= saved.counts.actor_steps < 203
    run_local(experiment, cut, resume=saved)
    assert metrics(cut) == metrics(whole)
    for name in ("evaluations.csv", "metrics.csv"):
        assert rows(cut, name) == rows(whole, name)
    ends = [saved_policy.load(directory)[2] for directory in (whole, cut)]
    for left, right in zip(*map(jax.tree.leaves, ends), strict=True):
        np.testing.assert_array_equal(left, right)


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


def test_only_the_newest_are_kept(whole):
    kept = sorted(int(p.name) for p in (whole / "checkpoints").iterdir())
    assert kept == [400, 500]


def test_damaged_checkpoint_is_named_and_the_one_before_is_used(
    whole, tmp_path, capsys
):
    copied = tmp_path / "run"
    _copy(whole, copied)
    frames = copied / "checkpoints" / "500" / "replay" / "frame.npy"
    frames.write_bytes(frames.read_bytes()[:-1])
    assert checkpoint.newest(copied).counts.actor_steps == 400
    assert "500 is damaged: replay/frame.npy was altered" in capsys.readouterr().err


def test_half_written_checkpoint_is_not_seen(whole, tmp_path):
    copied = tmp_path / "run"
    _copy(whole, copied)
    (copied / "checkpoints" / "500").rename(copied / "checkpoints" / ".500.partial")
    assert checkpoint.newest(copied).counts.actor_steps == 400
    (copied / "checkpoints" / "400" / "manifest.json").unlink()
    with pytest.raises(RunDirectoryError, match="no usable checkpoint"):
        checkpoint.newest(copied)


def test_failed_write_keeps_the_one_before(whole, tmp_path):
    copied = tmp_path / "run"
    _copy(whole, copied)
    agent = REGISTRY["mdqn"].agent(catch(500).agent, discrete_spec((10, 5), "f4", 3))
    state = agent.init(jax.random.key(0))

    def full(path):
        path.mkdir()
        (path / "frame.npy").write_bytes(b"some")
        raise OSError(28, "No space left on device")

    with pytest.raises(errors.SaveFailed, match="no space left on the device"):
        checkpoint.save(copied, Counts(600), state, extra={}, save_replay=full, keep=2)
    assert checkpoint.newest(copied).counts.actor_steps == 500
    assert not (copied / "checkpoints" / ".600.partial").exists()


def test_loss_that_is_not_finite_ends_the_run_and_keeps_what_was_saved(
    tmp_path, monkeypatch, capsys
):
    experiment = catch(500)
    directory = run_directory.create(tmp_path, experiment)
    run_until(experiment, directory, 330, monkeypatch)
    step = Learner.step

    def diverging(self):
        step(self)
        self.metrics = {"q_loss": float("nan")}

    monkeypatch.setattr(Learner, "step", diverging)
    assert cli.main(["train", "--resume", str(directory)]) == 1
    error = capsys.readouterr().err
    assert "loss of network q is nan at learner step" in error
    assert "Traceback" not in error
    assert checkpoint.newest(directory).counts.actor_steps == 200


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "complete: it has 500 steps, 500 are asked for"),
        (["--steps", "400"], "complete: it has 500 steps, 400 are asked for"),
        (["--steps", "900", "--launch", "threads"], "this run goes on as local"),
        (["--agent.temperature", "1"], "--agent.temperature"),
        (["mdqn/catch"], "mdqn/catch is not needed"),
    ],
)
def test_what_does_not_fit_is_one_line(whole, arguments, said, capsys):
    before = _files(whole)
    assert cli.main(["train", "--resume", str(whole), *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert _files(whole) == before


@pytest.mark.parametrize("kind", ["missing", "empty", "file", "foreign"])
def test_directories_that_are_no_run_are_one_line(kind, tmp_path, capsys):
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


def test_other_capacity_is_refused_by_the_store(whole):
    saved = checkpoint.newest(whole)
    smaller = dataclasses.replace(catch(500).agent.storage, capacity=777)
    agent = dataclasses.replace(catch(500).agent, storage=smaller)
    with pytest.raises(RunDirectoryError, match="1 x 777"):
        run_local(catch(600, agent=agent), whole, resume=saved)


def _copy(source, target):
    import shutil

    shutil.copytree(source, target)


def _files(root):
    """What each file holds, but for the lock."""
    return {
        path: path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }
