"""Finds where episodes end in files of consecutive rows, marked completely or not.

A wrong guess would make transitions from one episode's last state to the next one's
first. So every rule here rather leaves a row out.
"""

from typing import NamedTuple

import numpy as np

from launch.datasets.source_environment import Native
from launch.errors import DatasetError

_SAME = 1e-4  # tolerance between two copies of an observation, relative and absolute

_MARK = (
    "set timeouts to 1 in the last row of each episode that was cut short, and to 0 "
    "elsewhere, or add next_observations"
)


class Ends(NamedTuple):
    """The rows of a file that are whole transitions, and where episodes end.

    Attributes:
        kept: `[M]` bool, whether a row's next observation is known or not needed.
        ends: `[M]` bool, whether an episode's record ends with the row, once the rows
            that are not kept are gone.
        episode: `[M]` number of the row's episode, from 0.
        notes: lines about what was assumed.
    """

    kept: np.ndarray
    ends: np.ndarray
    episode: np.ndarray
    notes: list[str]


def of_transitions(
    source: str,
    terminals: np.ndarray,
    timeouts: np.ndarray | None,
    observations: np.ndarray,
    next_observations: np.ndarray,
    native: Native,
) -> Ends:
    """Where episodes end in rows `(s, a, r, s', done)`, which need not be consecutive.

    An episode ends at a flag, and where the next row begins elsewhere than the row
    leads to. A row at which an episode was cut short is left out if it leads to the
    next row's observation, which then is the beginning of the next episode.

    Args:
        source: the file, for messages.
        terminals: `[M]` bool, where episodes terminated.
        timeouts: `[M]` bool, where they were cut short; None: unknown.
        observations: `[M, ...]` before each step.
        next_observations: `[M, ...]` after each step.
        native: gives the number of steps that no episode exceeds, if it is known.
    """
    cut = np.zeros(len(terminals), bool) if timeouts is None else timeouts
    follows, jump = _compare(next_observations[:-1], observations[1:])
    marked = terminals | cut | jump
    if native.exact and native.episode_steps is not None:
        cut = cut | _over(marked, marked & ~terminals, native.episode_steps)
    wrong = cut & ~terminals & follows
    ends = marked | cut
    notes = []
    unmarked = jump & ~terminals & ~cut
    unmarked[-1] = False  # the file ends there
    if unmarked.any():
        notes.append(
            f"{source}: an episode's record is taken to end at {_rows(unmarked)}: "
            "next_observations differs there from the next row's observations, and no "
            "flag is set"
        )
    if wrong.any():
        notes.append(
            f"{source}: left out {_rows(wrong)}: an episode was cut short there, and "
            "next_observations is the first observation of the next episode"
        )
    return _without(wrong, ends, notes)


def of_rows(
    source: str,
    terminals: np.ndarray,
    timeouts: np.ndarray | None,
    native: Native,
) -> Ends:
    """Where episodes end in rows `(s, a, r, done)`, of which none is missing.

    A row at which an episode was cut short is left out: its next observation is
    unknown. So is the last row of a file, unless its episode terminated there.

    Args:
        source: the file, for messages.
        terminals: `[M]` bool, where episodes terminated.
        timeouts: `[M]` bool, where they were cut short; None: where the environment
            does it.
        native: gives the number of steps at which the environment cuts episodes short.

    Raises:
        DatasetError: it is unknown where episodes were cut short.
    """
    limit = native.episode_steps
    if timeouts is None:
        cut, notes = _at_limit(source, terminals, limit)
    else:
        cut, notes = timeouts, []
        if native.exact and limit is not None:
            ends = terminals | timeouts
            over = _over(ends, timeouts & ~terminals, limit)
            cut = timeouts | over
            if over.any():
                notes = [
                    f"{source}: timeouts: an episode is taken to be cut short at "
                    f"{_rows(over)}: it has reached the environment's {limit:,} steps "
                    "there, and no flag is set"
                ]
        if not (terminals | cut).any():
            raise DatasetError(
                f"{source}: timeouts, row {len(terminals) - 1}: no row is marked as "
                f"the end of an episode; {_MARK}"
            )
    cut = cut & ~terminals
    ends = terminals | cut
    unknown = cut.copy()
    unknown[-1] = not terminals[-1]
    return _without(unknown, ends, notes)


def _compare(told: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether each row leads to the next row's observation, and whether elsewhere.

    Neither, if a number is not finite. The last row leads elsewhere.

    Args:
        told: `[M - 1, ...]` next observations of all rows but the last.
        row: `[M - 1, ...]` observations of all rows but the first.
    """
    axes = tuple(range(1, told.ndim))
    follows = np.isclose(told, row, rtol=_SAME, atol=_SAME).all(axis=axes)
    known = (np.isfinite(told) & np.isfinite(row)).all(axis=axes)
    return np.append(follows & known, False), np.append(~follows & known, True)


def _without(left_out: np.ndarray, ends: np.ndarray, notes: list[str]) -> Ends:
    """Moves each end at a row that is left out to the row before it."""
    episode = np.cumsum(ends) - ends
    moved = ends.copy()
    moved[:-1] |= left_out[1:]
    return Ends(~left_out, moved, episode, notes)


def _at_limit(
    source: str, terminals: np.ndarray, limit: int | None
) -> tuple[np.ndarray, list[str]]:
    """Where the environment cuts episodes short, by the number of their steps."""
    if limit is None:
        raise DatasetError(
            f"{source}: timeouts are missing, and the environment has no known number "
            f"of steps at which it cuts episodes short: {_MARK}"
        )
    rows = len(terminals)
    last = rows - 1 - np.argmax(terminals[::-1]) if terminals.any() else -1
    tail = rows - 1 - last
    if limit > 2 and tail and tail % (limit - 1) == 0:
        raise DatasetError(
            f"{source}: timeouts are missing, and the {tail:,} rows after the last "
            f"termination are a multiple of {limit - 1:,}: the last step of each "
            "episode that was cut short seems to be left out, as D4RL's "
            f"qlearning_dataset does; {_MARK}"
        )
    cut = _over(terminals, np.zeros(rows, bool), limit)
    return cut, [
        f"{source}: timeouts are missing: episodes are taken to be cut short after "
        f"each {limit:,} steps, as in version 0 of D4RL ({cut.sum():,} are); if they "
        f"were also cut elsewhere, {_MARK}"
    ]


def _over(ends: np.ndarray, cut: np.ndarray, limit: int) -> np.ndarray:
    """Rows `[M]` bool at which an episode must have been cut short without a flag.

    They are every `limit` steps after the last end. If such a stretch of rows ends by a
    cut, its full episodes may as well be at its end, so their first rows count, too.

    Args:
        ends: `[M]` bool, the known ends.
        cut: `[M]` bool, those of them at which an episode was cut short.
        limit: number of steps that no episode exceeds.
    """
    row = np.arange(len(ends))
    known = np.flatnonzero(ends)
    stretch = np.searchsorted(known, row)
    start = np.concatenate([[0], known + 1])[stretch]
    end = np.append(known, len(ends) - 1)[stretch]
    full = (row - start) % limit == limit - 1
    before_full = (end - row) % limit == 0
    return ~ends & (full | (before_full & cut[end]))


def _rows(chosen: np.ndarray) -> str:
    """Rows in a few words, such as "row 7" or "2 rows (the first is row 7)"."""
    count, first = int(chosen.sum()), int(np.argmax(chosen))
    return (
        f"row {first}" if count == 1 else f"{count:,} rows (the first is row {first})"
    )
