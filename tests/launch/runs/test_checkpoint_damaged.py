"""Checkpoints of a run that are damaged, half written or cannot be written."""

import shutil

import jax
import pytest

from agents import REGISTRY
from agents.parts.contract import discrete_spec
from launch import errors
from launch.errors import RunDirectoryError
from launch.runs import checkpoint, checkpoint_saving
from launch.runs.logs import Counts
from launch.runs.replay_saving import ReplaySaver
from tests.launch.interrupted_runs import catch
from tests.launch.local_runs import run_new


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 500 steps without interruption."""
    return run_new(tmp_path_factory.mktemp("whole"), catch(500))


def test_only_the_newest_are_kept(whole):
    kept = sorted(int(p.name) for p in (whole / "checkpoints").iterdir())
    assert kept == [400, 500]


def test_damaged_checkpoint_is_named_and_the_previous_one_is_used(
    whole, tmp_path, capsys
):
    copied = tmp_path / "run"
    shutil.copytree(whole, copied)
    frames = copied / "checkpoints" / "500" / "replay" / "frame.npy"
    frames.write_bytes(frames.read_bytes()[:-1])
    assert checkpoint.newest(copied).counts.actor_steps == 400
    assert "500 is damaged: replay/frame.npy was altered" in capsys.readouterr().err
    assert checkpoint.newest(copied, replay=False).counts.actor_steps == 500
    [state, *_] = (copied / "checkpoints" / "500" / "state").rglob("_METADATA")
    state.write_bytes(b"")
    assert checkpoint.newest(copied, replay=False).counts.actor_steps == 400
    assert "500 is damaged: state/" in capsys.readouterr().err


def test_half_written_checkpoint_is_ignored(whole, tmp_path):
    copied = tmp_path / "run"
    shutil.copytree(whole, copied)
    (copied / "checkpoints" / "500").rename(copied / "checkpoints" / ".500.partial")
    assert checkpoint.newest(copied).counts.actor_steps == 400
    (copied / "checkpoints" / "400" / "manifest.json").unlink()
    with pytest.raises(RunDirectoryError, match=r"all checkpoints of .* are damaged"):
        checkpoint.newest(copied)


def test_failed_write_keeps_the_previous_checkpoint(whole, tmp_path):
    copied = tmp_path / "run"
    shutil.copytree(whole, copied)
    agent = REGISTRY["mdqn"].agent(catch(500).agent, discrete_spec((10, 5), "f4", 3))
    state = agent.init(jax.random.key(0))

    class Full:
        def stored(self):
            return 7

        def save(self, path):
            path.mkdir()
            (path / "frame.npy").write_bytes(b"some")
            raise OSError(28, "No space left on device")

    replay = ReplaySaver(Full())
    with pytest.raises(errors.SaveFailed, match="no space left on the device"):
        checkpoint_saving.save(
            copied, Counts(600), state, extra={}, replay=replay, keep=2
        )
    assert checkpoint.newest(copied).counts.actor_steps == 500
    assert not list((copied / "checkpoints").glob(".*"))
