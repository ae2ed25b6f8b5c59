"""A dataset in memory, and the checks on it before an agent learns from it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from agents.parts.contract import Spec, Transition
from environments.action_scaling import Canonical
from launch.errors import (
    DatasetError,
)

_ROUNDING = 1e-6  # of an action at a bound, in float32
_SAME = 1e-4  # tolerance between two copies of an observation, relative and absolute


class Dataset(NamedTuple):
    """Logged transitions, episode after episode, in the order they happened.

    Attributes:
        source: the file or id of the dataset, for messages.
        transitions: single steps, leaves `[M, ...]` numpy: observations and actions
            float32, actions within [-1, 1], rewards as the environment gave them, a
            discount of 0 where the episode terminated and 1 elsewhere.
        ends: `[M]` bool, whether the episode's record ends with this transition.
        reference: returns that score 0 and 100; None if unknown.
    """

    source: str
    transitions: Transition
    ends: np.ndarray
    reference: tuple[float, float] | None = None

    @property
    def size(self) -> int:
        """M, the number of transitions."""
        return len(self.ends)


class Steps(NamedTuple):
    """Consecutive steps as a file stores them, none dropped.

    Attributes:
        observations: `[M, ...]` before each step.
        actions: `[M, D]`.
        rewards: `[M]`.
        terminals: `[M]`, whether the episode terminated with the step.
        timeouts: `[M]`, whether the episode was cut short after the step.
        next_observations: `[M, ...]` after each step.
    """

    observations: Any
    actions: Any
    rewards: Any
    terminals: Any
    timeouts: Any
    next_observations: Any


def check(
    steps: Steps,
    spec: Spec,
    *,
    source: str,
    keys: Mapping[str, str],
    actions: Canonical | None = None,
) -> Steps:
    """Checks steps and converts them to the types of a `Dataset`.

    Args:
        steps: columns as read from a file.
        spec: of the environment, whose actions are continuous.
        source: the file, for messages.
        keys: the file's name for each field of `Steps`.
        actions: the bounds of the file's actions; None: [-1, 1] already.

    Raises:
        DatasetError: a column has the wrong shape or length, NaN or infinity, a flag
            that is neither 0 nor 1, or an action out of its bounds; or a next
            observation within an episode differs from the next row's observation.
    """
    where = {field: f"{source}: {keys[field]}" for field in Steps._fields}
    rows = len(np.asarray(steps.observations))
    if not rows:
        raise DatasetError(f"{where['observations']} has no rows")
    observation, action = spec.observation.shape, spec.action.shape
    columns = Steps(
        numbers(where["observations"], steps.observations, rows, observation),
        numbers(where["actions"], steps.actions, rows, action),
        numbers(where["rewards"], steps.rewards, rows, ()),
        flags(where["terminals"], steps.terminals, rows),
        flags(where["timeouts"], steps.timeouts, rows),
        numbers(where["next_observations"], steps.next_observations, rows, observation),
    )
    _check_contiguous(where["next_observations"], columns)
    return columns._replace(
        actions=canonical_actions(where["actions"], columns.actions, actions)
    )


def numbers(where: str, column: Any, rows: int, shape: tuple[int, ...]) -> np.ndarray:
    """A column as `[rows, *shape]` float32, all finite.

    Args:
        where: file and key, for messages.
        column: as read from the file.
        rows: number of rows of the other columns.
        shape: shape of one row, from the environment's spec.

    Raises:
        DatasetError: the column has another type or shape, or is not finite.
    """
    column = np.asarray(column)
    if column.dtype.kind not in "fiub":
        raise DatasetError(f"{where} must hold numbers, got {column.dtype}")
    _check_rows(where, column, rows)
    if column.shape[1:] != shape:
        raise DatasetError(
            f"{where} has rows of shape {column.shape[1:]}, the environment's have "
            f"{shape}: choose the environment that the dataset is from"
        )
    with np.errstate(over="ignore"):  # infinity is reported below
        converted = column.astype(np.float32)
    flat = converted.reshape(rows, -1)
    bad = np.flatnonzero(~np.isfinite(flat).all(axis=1))
    if len(bad):
        value = flat[bad[0]][~np.isfinite(flat[bad[0]])][0]
        raise DatasetError(
            f"{where}, row {bad[0]}: must be finite, got {value} ({len(bad)} of {rows} "
            "rows are not finite); remove the episodes that contain them"
        )
    return converted


def flags(where: str, column: Any, rows: int) -> np.ndarray:
    """A column as `[rows]` bool; arguments and errors as for `numbers`."""
    column = np.asarray(column)
    _check_rows(where, column, rows)
    if column.ndim != 1:
        raise DatasetError(f"{where} must have shape ({rows},), got {column.shape}")
    bad = np.flatnonzero((column != 0) & (column != 1))
    if len(bad):
        raise DatasetError(
            f"{where}, row {bad[0]}: a flag must be 0 or 1, got {column[bad[0]]}"
        )
    return column.astype(bool)


def canonical_actions(
    where: str, actions: np.ndarray, bounds: Canonical | None
) -> np.ndarray:
    """Actions `[M, D]` scaled to [-1, 1] from the environment's own bounds.

    Args:
        where: file and key, for messages.
        actions: `[M, D]` float32, finite.
        bounds: the environment's bounds; None: [-1, 1].

    Raises:
        DatasetError: an action is out of its bounds by more than rounding.
    """
    scaled = actions if bounds is None else bounds.canonical(actions)
    size = np.abs(scaled).reshape(len(scaled), -1).max(axis=1)
    bad = np.flatnonzero(size > 1 + _ROUNDING)
    if len(bad):
        box = "[-1, 1]" if bounds is None else "the bounds of its action space"
        raise DatasetError(
            f"{where}, row {bad[0]}: {_short(actions[bad[0]])} is out of {box} "
            f"({len(bad)} of {len(actions)} rows are); scale the actions to it, or "
            "correct the action space of a Minari dataset"
        )
    return np.clip(scaled, -1.0, 1.0)


def to_dataset(
    source: str, steps: Steps, kept: np.ndarray, ends: np.ndarray
) -> Dataset:
    """Makes a dataset of the checked steps that are kept.

    Args:
        source: for messages.
        steps: as `check` returned them.
        kept: `[M]` bool.
        ends: `[M]` bool, whether an episode's record ends with the step.

    Raises:
        DatasetError: no step is kept.
    """
    if not kept.any():
        raise DatasetError(f"{source} holds no whole transition")
    steps = steps if kept.all() else Steps(*(column[kept] for column in steps))
    transitions = Transition(
        steps.observations,
        steps.actions,
        steps.rewards,
        1 - steps.terminals.astype(np.float32),
        steps.next_observations,
    )
    return Dataset(source, transitions, ends[kept])


def _check_rows(where: str, column: np.ndarray, rows: int) -> None:
    if column.ndim == 0 or len(column) != rows:
        found = "no rows" if column.ndim == 0 else f"{len(column)} rows"
        raise DatasetError(f"{where} has {found}, the observations have {rows}")


def _check_contiguous(where: str, steps: Steps) -> None:
    """Checks each next observation within an episode against the next row."""
    inside = ~(steps.terminals | steps.timeouts)[:-1]
    told, next_row = steps.next_observations[:-1], steps.observations[1:]
    same = np.isclose(told, next_row, rtol=_SAME, atol=_SAME)
    bad = np.flatnonzero(inside & ~same.all(axis=tuple(range(1, same.ndim))))
    if len(bad):
        raise DatasetError(
            f"{where}, row {bad[0]}: must be the observation of row {bad[0] + 1}, as "
            "no flag ends the episode there: episodes overlap, or a timeout is missing"
        )


def _short(row: np.ndarray) -> str:
    shown = [f"{value:.6g}" for value in row.reshape(-1)[:4]]
    return f"[{', '.join(shown)}{', ...' if row.size > 4 else ''}]"
