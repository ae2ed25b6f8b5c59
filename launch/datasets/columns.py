"""Columns of a dataset: their shapes, types and values, whatever file they are from."""

from typing import Any

import numpy as np

from environments.action_scaling import Canonical
from launch.errors import DatasetError

# Ends the message of an error that one episode has and others need not have.
SKIP = "or leave such episodes out with --dataset.skip_bad_episodes true"
CORRECT = "correct the file"

_ROUNDING = 1e-6  # of an action at a bound, in float32


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
    given = shaped(where, column, rows, shape)
    with np.errstate(over="ignore"):  # infinity is reported below
        converted = given.astype(np.float32)
    bad = not_finite(converted)
    if bad.any():
        row = int(np.argmax(bad))
        values = given[row].reshape(-1)
        value = values[~np.isfinite(converted[row].reshape(-1))][0]
        raise DatasetError(
            f"{where}, row {row}: must be finite in float32, got {value} "
            f"({bad.sum()} of {rows} rows are not finite); {CORRECT}, {SKIP}"
        )
    return converted


def shaped(where: str, column: Any, rows: int, shape: tuple[int, ...]) -> np.ndarray:
    """A column of numbers as `[rows, *shape]`, its type unchanged.

    Axes of length one may be missing or added, such as rewards of shape `[rows, 1]`.
    Arguments and errors are those of `numbers`, which also checks values.
    """
    column = np.asarray(column)
    if column.dtype.kind not in "fiub":
        raise DatasetError(f"{where} must hold numbers, got {column.dtype}; {CORRECT}")
    _check_rows(where, column, rows)
    if not same_shape(column.shape[1:], shape):
        raise DatasetError(
            f"{where} has shape {column.shape}, the environment needs "
            f"{(rows, *shape)}: choose the environment that the dataset is from"
        )
    return column.reshape(rows, *shape)


def same_shape(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether two shapes differ only by axes of length one."""
    return [size for size in one if size != 1] == [size for size in other if size != 1]


def not_finite(column: np.ndarray) -> np.ndarray:
    """`[rows]` bool: whether a row has a number that is not finite in float32."""
    with np.errstate(over="ignore"):
        finite = np.isfinite(column.astype(np.float32))
    return ~finite.reshape(len(column), -1).all(axis=1)


def flags(where: str, column: Any, rows: int) -> np.ndarray:
    """A column as `[rows]` bool, from numbers 0 and 1 of any type.

    Raises:
        DatasetError: the column has another type or shape, or another value.
    """
    column = np.asarray(column)
    if column.dtype.kind not in "fiub":
        raise DatasetError(
            f"{where} must hold flags, 0 or 1, got {column.dtype}; {CORRECT}"
        )
    _check_rows(where, column, rows)
    if not same_shape(column.shape[1:], ()):
        raise DatasetError(
            f"{where} has shape {column.shape}, but must have one flag for each row: "
            f"({rows},); {CORRECT}"
        )
    column = column.reshape(rows)
    bad = np.flatnonzero((column != 0) & (column != 1))
    if len(bad):
        raise DatasetError(
            f"{where}, row {bad[0]}: a flag must be 0 or 1, got {column[bad[0]]}; "
            f"{CORRECT}"
        )
    return column.astype(bool)


class Actions:
    """Scales stored actions to [-1, 1]; clips those out of bounds, if it may.

    Args:
        bounds: the environment's own bounds; None: [-1, 1].
        clip: whether to clip actions that are out of bounds; else they are an error.
    """

    def __init__(self, bounds: Canonical | None = None, *, clip: bool = False):
        self._bounds = bounds
        self._clip = clip
        self._rows = self._clipped = 0
        self._farthest = 0.0

    def read(self, where: str, actions: np.ndarray) -> np.ndarray:
        """Actions `[M, D]` scaled to [-1, 1] from their own bounds.

        Args:
            where: file and key, for messages.
            actions: `[M, D]` float32, finite.

        Raises:
            DatasetError: an action is out of its bounds by more than rounding.
        """
        scaled = self._scaled(actions)
        beyond = self._beyond(scaled)
        bad = np.flatnonzero(beyond > _ROUNDING)
        self._rows += len(actions)
        if len(bad) and not self._clip:
            bounds = "[-1, 1]" if self._bounds is None else "its bounds"
            raise DatasetError(
                f"{where}, row {bad[0]}: {_short(actions[bad[0]])} is out of {bounds} "
                f"({len(bad)} of {len(actions)} rows are): clip such actions with "
                f"--dataset.clip_actions true, {SKIP}"
            )
        if len(bad):
            self._clipped += len(bad)
            self._farthest = max(self._farthest, float(beyond.max()))
        return np.clip(scaled, -1.0, 1.0)

    def refused(self, actions: np.ndarray) -> np.ndarray:
        """`[M]` bool: which rows of finite actions `[M, D]` `read` would refuse."""
        if self._clip:
            return np.zeros(len(actions), bool)
        return self._beyond(self._scaled(actions)) > _ROUNDING

    def notes(self, source: str) -> list[str]:
        """A line about the actions that were clipped, if there are any."""
        if not self._clipped:
            return []
        return [
            f"{source}: actions of {self._clipped:,} of {self._rows:,} rows were out "
            "of bounds and are clipped; the farthest was "
            f"{self._farthest:.3g} beyond, with bounds scaled to [-1, 1]"
        ]

    def _scaled(self, actions: np.ndarray) -> np.ndarray:
        return actions if self._bounds is None else self._bounds.canonical(actions)

    def _beyond(self, scaled: np.ndarray) -> np.ndarray:
        """How far each row of actions is out of [-1, 1]; not positive inside."""
        far = np.abs(scaled) - 1
        if self._bounds is not None:
            far = far - self._bounds.rounding
        return far.reshape(len(scaled), -1).max(axis=1, initial=-1)


def _check_rows(where: str, column: np.ndarray, rows: int) -> None:
    if column.ndim == 0 or len(column) != rows:
        found = "no rows" if column.ndim == 0 else f"{len(column)} rows"
        raise DatasetError(
            f"{where} has {found}, the observations have {rows}; {CORRECT}"
        )


def _short(row: np.ndarray) -> str:
    shown = [f"{value:.6g}" for value in row.reshape(-1)[:4]]
    return f"[{', '.join(shown)}{', ...' if row.size > 4 else ''}]"
