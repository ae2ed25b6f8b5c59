"""Which checkpoints are kept, and which are removed or replaced."""

import json

import jax
import numpy as np
import pytest

from launch.errors import RunDirectoryError, SaveFailed
from launch.runs import checkpoint, checkpoint_files, checkpoint_saving
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
        return checkpoint_saving.save(
            tmp_path, counts, state, extra=extra, replay=None, keep=keep
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


def test_targets_that_the_agent_no_longer_has_are_left_out(state, tmp_path):
    """Before 2026-11-30 every network that learns had a target, read or not."""
    agent = make("dqn")
    without = agent._replace(
        init=lambda key: agent.init(key)._replace(target_params={})
    )
    path = checkpoint_saving.save(
        tmp_path, Counts(9), state, extra={}, replay=None, keep=1
    )
    saved = checkpoint.read(path)
    assert checkpoint.load_state(saved, without).target_params == {}
    for name in ("params", "opt_state"):
        found, wanted = (
            jax.tree.map(np.asarray, getattr(each, name))
            for each in (checkpoint.load_state(saved, without), state)
        )
        jax.tree.map(np.testing.assert_array_equal, found, wanted)
    whole = checkpoint.load_state(saved, agent)
    jax.tree.map(
        np.testing.assert_array_equal, whole.target_params, state.target_params
    )


def test_a_missing_target_is_refused(state, tmp_path):
    saved = state._replace(target_params={})
    path = checkpoint_saving.save(
        tmp_path, Counts(9), saved, extra={}, replay=None, keep=1
    )
    with pytest.raises(RunDirectoryError, match="does not fit the agent"):
        checkpoint.load_state(checkpoint.read(path), make("dqn"))


def test_a_step_that_is_saved_again_is_replaced(save):
    save(10, keep=1, which="first")
    final = save(10, keep=1, which="second")
    manifest = json.loads((final / checkpoint_files.MANIFEST).read_text())
    assert manifest["extra"] == {"which": "second"}
    assert [path.name for path in final.parent.iterdir()] == ["10"]


@pytest.mark.parametrize(
    "keep, expected",
    [
        (1, [[7], [8], [10], [10, 13], [10, 14], [20], [30], [30, 31]]),
        (2, [[7], [7, 8], [8, 10], [10, 13], [10, 14], [10, 20], [20, 30], [30, 31]]),
        (
            3,
            [
                [7],
                [7, 8],
                [7, 8, 10],
                [8, 10, 13],
                [10, 13, 14],
                [10, 14, 20],
                [10, 20, 30],
                [20, 30, 31],
            ],
        ),
    ],
)
def test_saves_by_wall_time_do_not_displace_those_on_the_grid(
    keep, expected, save, tmp_path
):
    kept = []
    for steps in (7, 8, 10, 13, 14, 20, 30, 31):
        save(steps, keep=keep, exact=steps % 10 == 0)
        kept.append(checkpoint.kept(tmp_path))
    assert kept == expected


def test_a_rehearsal_leaves_nothing(state, tmp_path):
    saved = []

    def save_replay(path):
        path.mkdir()
        saved.append(path)

    checkpoint_saving.rehearse(tmp_path, state, extra={}, save_replay=save_replay)
    assert len(saved) == 1
    assert not list((tmp_path / "checkpoints").iterdir())


@pytest.mark.parametrize(
    "broken, reason",
    [
        ("extra", "Object of type object is not JSON serializable"),
        ("replay", "Disk quota exceeded"),
        ("rename", "Operation not permitted"),
        ("read", "was altered"),
    ],
)
def test_a_rehearsal_finds_what_would_fail_at_the_end(
    broken, reason, state, tmp_path, monkeypatch
):
    def no_quota(path):
        raise OSError(122, "Disk quota exceeded")

    def not_permitted(self, target):
        raise OSError(1, "Operation not permitted")

    checksum = iter(range(10_000))
    if broken == "rename":
        monkeypatch.setattr(checkpoint_saving.Path, "rename", not_permitted)
    if broken == "read":
        monkeypatch.setattr(checkpoint_files, "_checksum", lambda _: next(checksum))
    with pytest.raises(SaveFailed, match=reason) as failed:
        checkpoint_saving.rehearse(
            tmp_path,
            state,
            extra={"x": object()} if broken == "extra" else {},
            save_replay=no_quota if broken == "replay" else None,
        )
    assert str(failed.value).startswith(
        f"cannot write checkpoint {tmp_path / 'checkpoints'}: "
    )
    assert not list((tmp_path / "checkpoints").iterdir())


def test_a_failed_save_keeps_the_old_checkpoint_of_the_same_step(
    save, tmp_path, monkeypatch
):
    save(10, keep=1, which="first")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(SaveFailed, match="10"):
        patched.setattr(checkpoint_files, "measure", full)
        save(10, keep=1, which="second")
    assert checkpoint.newest(tmp_path).extra == {"which": "first"}
