"""Which checkpoints are kept, and which are removed or replaced."""

import json

import jax
import pytest

from launch.errors import SaveFailed
from launch.runs import checkpoint
from launch.runs.logs import Counts
from tests.agents.cases import make


@pytest.fixture(scope="module")
def state():
    return make("dqn").init(jax.random.key(0))


@pytest.fixture
def save(state, tmp_path):
    """Function that saves a run at some steps."""

    def save(steps, *, keep, **extra):
        counts = Counts(steps)
        return checkpoint.save(
            tmp_path, counts, state, extra=extra, save_replay=None, keep=keep
        )

    return save


def test_the_newest_are_kept(save, tmp_path):
    for steps in (10, 20, 30):
        save(steps, keep=2)
    assert checkpoint.kept(tmp_path) == [20, 30]


@pytest.mark.parametrize("keep", [1, 2])
def test_saving_removes_checkpoints_of_later_steps(save, tmp_path, keep):
    """A run resumes from before a damaged checkpoint, and then saves again."""
    save(8, keep=9)
    damaged = save(100, keep=9)
    (damaged / "manifest.json").unlink(missing_ok=True)
    final = save(50, keep=keep)
    assert final.is_dir()
    assert checkpoint.kept(tmp_path) == [8, 50][-keep:]


def test_a_step_that_is_saved_again_is_replaced(save):
    save(10, keep=1, which="first")
    final = save(10, keep=1, which="second")
    manifest = json.loads((final / checkpoint.MANIFEST).read_text())
    assert manifest["extra"] == {"which": "second"}
    assert [path.name for path in final.parent.iterdir()] == ["10"]


def test_a_failed_save_keeps_the_old_checkpoint_of_the_same_step(
    save, tmp_path, monkeypatch
):
    save(10, keep=1, which="first")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(SaveFailed, match="10"):
        patched.setattr(checkpoint, "_files", full)
        save(10, keep=1, which="second")
    assert checkpoint.newest(tmp_path).extra == {"which": "first"}
