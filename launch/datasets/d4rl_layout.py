"""Reads files of D4RL's layout: one row for each step, in HDF5 or npz.

The rules are those of D4RL's `qlearning_dataset` (`d4rl/__init__.py`):

- a row's next observation is the observation of the row after it, unless the file has
  `next_observations`, as the saved output of `qlearning_dataset` has;
- a row at which an episode was cut short is dropped if its next observation is unknown;
- rows at which an episode terminated are kept: their next observation is not
  bootstrapped from, so the observation of the row after it takes its place;
- in files without `timeouts`, such as those of version 0, episodes are cut short at the
  environment's episode length.

Deviations: the last row of a file is kept if its episode terminated, with its own
observation as the next. As in D4RL's own files, the last episode may break off without
a flag; its rows are used up to the last one with a known next observation. No episode
is longer than the environment's limit, marked or not.
"""

from pathlib import Path

import numpy as np

from agents.parts.contract import Spec
from launch.datasets import column_file, episode_ends
from launch.datasets.columns import Actions, flags, not_finite, shaped
from launch.datasets.dataset import Dataset, Steps, check, left_out, to_dataset
from launch.datasets.episode_ends import Ends
from launch.datasets.source_environment import Native
from launch.errors import DatasetError
from launch.experiment import REFUSE_FLAWS, DatasetReading

_REQUIRED = ("observations", "actions", "rewards", "terminals")
_OPTIONAL = ("timeouts", "next_observations")


def read(
    path: Path, spec: Spec, native: Native, reading: DatasetReading = REFUSE_FLAWS
) -> Dataset:
    """Reads the dataset in a file.

    Args:
        path: of the file.
        spec: of the environment.
        native: facts about the environment that the file may lack: the bounds of
            actions that are not in [-1, 1], the length of episodes.
        reading: what to do with flaws.

    Raises:
        DatasetError: the file cannot be read, or its columns are not sound.
    """
    source = str(path)
    steps, ends = _read(path, spec, native)
    actions = Actions(native.actions, clip=reading.clip_actions)
    notes = list(ends.notes)
    if reading.skip_bad_episodes:
        steps, ends, line = _skip(source, steps, ends, actions)
        notes += line
    keys = {name: name for name in Steps._fields}
    steps = check(steps, spec, source=source, keys=keys, actions=actions)
    dataset = to_dataset(source, steps, ends.kept, ends.ends)
    return dataset._replace(notes=(*notes, *actions.notes(source)))


def _read(path: Path, spec: Spec, native: Native) -> tuple[Steps, Ends]:
    """The rows of a file, values unchecked, and where its episodes end."""
    columns = column_file.columns(path, _REQUIRED, _OPTIONAL)
    observations = columns["observations"]
    rows = len(observations) if observations.ndim else 0
    if not rows:
        raise DatasetError(f"{path}: observations has no rows")
    timeouts = columns.get("timeouts")
    if timeouts is not None:
        timeouts = flags(f"{path}: timeouts", timeouts, rows)
    terminals = flags(f"{path}: terminals", columns["terminals"], rows)
    observations, actions, rewards = (
        shaped(f"{path}: {name}", columns[name], rows, shape)
        for name, shape in (
            ("observations", spec.observation.shape),
            ("actions", spec.action.shape),
            ("rewards", ()),
        )
    )
    followed = columns.get("next_observations")
    if followed is None:
        ends = episode_ends.of_rows(str(path), terminals, timeouts, native)
        followed = np.concatenate([observations[1:], observations[-1:]])
    else:
        name = f"{path}: next_observations"
        followed = shaped(name, followed, rows, spec.observation.shape)
        ends = episode_ends.of_transitions(
            str(path), terminals, timeouts, observations, followed, native
        )
    if timeouts is None:
        timeouts = np.zeros(rows, bool)
    return Steps(observations, actions, rewards, terminals, timeouts, followed), ends


def _skip(
    source: str, steps: Steps, ends: Ends, actions: Actions
) -> tuple[Steps, Ends, list[str]]:
    """Leaves out episodes with numbers that are not finite or actions out of bounds."""
    flaws = {
        "observations": not_finite(steps.observations),
        "actions": not_finite(steps.actions),
        "rewards": not_finite(steps.rewards),
        "next_observations": not_finite(steps.next_observations),
    }
    # An unused next observation may belong to another episode.
    unused = flaws["next_observations"] & (steps.terminals | ~ends.kept)
    flaws["next_observations"] &= ~unused
    with np.errstate(invalid="ignore", over="ignore"):
        taken = np.nan_to_num(steps.actions.astype(np.float32))
    flaws["actions"] |= actions.refused(taken)
    bad = np.logical_or.reduce([*flaws.values()])
    followed = steps.next_observations.copy()
    followed[unused] = steps.observations[unused]
    steps = steps._replace(next_observations=followed)
    if not bad.any():
        return steps, ends, []
    numbers = np.unique(ends.episode[bad])
    first = ends.episode == numbers[0]
    key = next(name for name, rows in flaws.items() if (rows & first).any())
    named = [_range(ends.episode, number) for number in numbers]
    reason = f"{key}, row {np.argmax(flaws[key] & first)}"
    line = left_out(source, named, int(ends.episode[-1]) + 1, reason)
    good = ~np.isin(ends.episode, numbers)
    steps = Steps(*(column[good] for column in steps))
    left = Ends(ends.kept[good], ends.ends[good], ends.episode[good], ends.notes)
    return steps, left, [line]


def _range(episode: np.ndarray, number: int) -> str:
    first, last = np.searchsorted(episode, [number, number + 1])
    return f"rows {first} to {last - 1}"
