"""Lays the rows of one ring buffer out for another number or length of lanes."""

from collections.abc import Sequence

import numpy as np

_BLOCK = 4_096  # rows that are copied at once: a column may fill half of the memory


def places(
    written: Sequence[int], length: int, lanes: int, new_length: int
) -> list[np.ndarray]:
    """Which saved rows each new lane gets, the oldest first.

    The rows of all old lanes, one lane after the other and each in the order of time,
    are cut into equal parts. If they do not all fit, the first ones are dropped.

    Args:
        written: rows written to each old lane so far.
        length: rows of an old lane's ring.
        lanes: number of new lanes.
        new_length: rows of a new lane's ring.

    Returns:
        For each new lane indices into the saved rows, flattened over the old lanes.
    """
    filled = min(length, max(written))
    parts = []
    for lane, count in enumerate(written):
        rows = np.arange(min(count, length))
        if count > length:  # the oldest row is the one that is written next
            rows = (rows + count) % length
        parts.append(lane * filled + rows)
    kept = np.concatenate(parts)[-lanes * new_length :]
    return np.array_split(kept, lanes)


def copy(rows: np.ndarray, chosen: Sequence[np.ndarray], column: np.ndarray) -> None:
    """Copies saved rows to new lanes.

    Args:
        rows: `[old lanes, saved rows, ...]`, perhaps mapped from a file.
        chosen: see `places`.
        column: `[lanes, rows, ...]`, written to.
    """
    flat = rows.reshape(-1, *rows.shape[2:])
    for lane, indices in enumerate(chosen):
        for start in range(0, len(indices), _BLOCK):
            part = indices[start : start + _BLOCK]
            column[lane, start : start + len(part)] = flat[part]
