"""Reads the replay in a run's checkpoint as a dataset."""

from pathlib import Path

import numpy as np

from agents.parts.contract import Spec, Storage
from launch.datasets.columns import Actions
from launch.datasets.dataset import (
    Dataset,
    Steps,
    check,
    check_discounts,
    to_dataset,
)
from launch.errors import DatasetError
from launch.runs.checkpoint import Checkpoint

_COLUMNS = ("frame", "action", "reward", "discount", "steps")


def read(directory: Path, saved: Checkpoint, spec: Spec, storage: Storage) -> Dataset:
    """The transitions in a checkpoint's replay, ordered by the start of their episodes.

    A record of an episode begins late where its first steps were overwritten, and ends
    early where the run was saved or restarted.

    Args:
        directory: the run directory.
        saved: one of the run's checkpoints.
        spec: of one environment, observations not stacked.
        storage: how the run's agent stored transitions.

    Raises:
        DatasetError: the checkpoint has no replay, or one that cannot be read, or the
            replay does not hold each reward and how each episode ended.
    """
    if saved.replay is None:
        raise DatasetError(
            f"{saved.path} has no replay: train with --checkpoint.replay true"
        )
    if saved.extra.get("store") == "reverb":
        raise DatasetError(
            f"{saved.path} has a Reverb server's replay, which only a server can read: "
            "train with --launch local, or play its policy with `munchausen collect "
            f"{directory}`"
        )
    if storage.n_step != 1:
        raise DatasetError(
            f"{saved.path} must hold the reward of each step, its replay has rewards "
            f"summed over {storage.n_step} steps: train with --agent.storage.n_step 1"
        )
    if storage.terminal_at_time_limit:
        raise DatasetError(
            f"{saved.path} must hold which episodes terminated, its replay has all "
            "that ended at the time limit as terminated: train with "
            "--agent.storage.terminal_at_time_limit false, or play the run's policy "
            f"with `munchausen collect {directory}`"
        )
    progress = saved.extra["store"]
    if "written" not in progress:
        raise DatasetError(
            f"{saved.path} must have a replay, it has a queue, whose transitions are "
            "used once and not kept: play the run's policy with `munchausen collect "
            f"{directory}`"
        )
    lanes = _load(saved.replay, progress["written"], progress["length"])
    source = str(saved.replay)
    parts = [
        _checked(lane, spec, f"{source}, lane {i}") for i, lane in enumerate(lanes)
    ]
    steps = Steps(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    order = np.argsort(np.concatenate(list(map(_begins, parts))), kind="stable")
    steps = Steps(*(column[order] for column in steps))
    everything = np.ones(len(steps.rewards), bool)
    return to_dataset(source, steps, everything, steps.terminals | steps.timeouts)


def _load(path: Path, written: list[int], length: int) -> list[dict[str, np.ndarray]]:
    """Columns of each lane's rows, the oldest first.

    Raises:
        DatasetError: they cannot be read.
    """
    try:
        columns = {name: np.load(path / f"{name}.npy") for name in _COLUMNS}
    except (OSError, ValueError) as error:
        raise DatasetError(f"cannot read {path}: {error}") from error
    lanes = []
    for lane, count in enumerate(written):
        rows = np.arange(max(0, count - length), count) % length
        lanes.append({name: column[lane, rows] for name, column in columns.items()})
    return lanes


def _begins(lane: Steps) -> np.ndarray:
    """The step of a lane at which the episode of each of its transitions began."""
    ends = lane.terminals | lane.timeouts
    number = np.cumsum(ends) - ends  # of the transition's episode
    return np.concatenate([[0], np.flatnonzero(ends) + 1])[number]


def _checked(rows: dict[str, np.ndarray], spec: Spec, source: str) -> Steps:
    """The transitions of a lane; each ends at the row that completes it.

    Raises:
        DatasetError: the run stored no transition, or its columns do not fit the spec.
    """
    completes = rows["steps"] > 0
    completes[:1] = False  # the row before is overwritten, if there was one
    ends = np.flatnonzero(completes)
    if not len(ends):
        raise DatasetError(f"{source} holds no transition yet: train for longer")
    # True if the next row starts an episode, or there is no next row.
    last = np.append(~completes[1:], True)[ends]
    check_discounts(f"{source}: discount.npy, row", rows["discount"][ends])
    terminals = rows["discount"][ends] == 0
    frames = rows["frame"]
    return check(
        Steps(
            frames[ends - 1],
            rows["action"][ends],
            rows["reward"][ends],
            terminals,
            last & ~terminals,
            frames[ends],
        ),
        spec,
        source=source,
        keys={
            "observations": "frame.npy",
            "actions": "action.npy",
            "rewards": "reward.npy",
            "terminals": "discount.npy",
            "timeouts": "steps.npy",
            "next_observations": "frame.npy",
        },
        actions=Actions(),
    )
