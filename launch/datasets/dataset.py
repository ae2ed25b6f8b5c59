"""A dataset in memory, and the checks on it before an agent learns from it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from agents.parts.contract import Spec, Transition
from launch.datasets.columns import Actions, flags, numbers
from launch.errors import DatasetError

_NAMED = 20  # episodes that a line names


class Dataset(NamedTuple):
    """Logged transitions, episode after episode, in the order they happened.

    Attributes:
        source: the file or id of the dataset, for messages.
        transitions: single steps, leaves `[M, ...]` numpy: observations and actions
            float32, actions within [-1, 1], rewards as the environment gave them, a
            discount of 0 where the episode terminated and 1 elsewhere.
        ends: `[M]` bool, whether the episode's record ends with this transition.
        reference: returns that score 0 and 100; None if unknown.
        notes: lines for the user: what was assumed, changed or left out.
    """

    source: str
    transitions: Transition
    ends: np.ndarray
    reference: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

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
    actions: Actions,
) -> Steps:
    """Checks steps and converts them to the types of a `Dataset`.

    Args:
        steps: columns as read from a file.
        spec: of the environment, whose actions are continuous.
        source: the file, for messages.
        keys: the file's name for each field of `Steps`.
        actions: scales the file's actions.

    Raises:
        DatasetError: a column has the wrong shape or length, NaN or infinity, a flag
            that is neither 0 nor 1, or an action out of its bounds.
    """
    where = {field: f"{source}: {keys[field]}" for field in Steps._fields}
    rows = len(steps.observations)
    observation, action = spec.observation.shape, spec.action.shape
    columns = Steps(
        numbers(where["observations"], steps.observations, rows, observation),
        numbers(where["actions"], steps.actions, rows, action),
        numbers(where["rewards"], steps.rewards, rows, ()),
        flags(where["terminals"], steps.terminals, rows),
        flags(where["timeouts"], steps.timeouts, rows),
        numbers(where["next_observations"], steps.next_observations, rows, observation),
    )
    return columns._replace(actions=actions.read(where["actions"], columns.actions))


def check_discounts(where: str, discounts: np.ndarray) -> None:
    """Refuses discounts that a dataset would lose: it holds 0 and 1 as a flag.

    Args:
        where: what the message puts before the index of a discount.
        discounts: `[M]`.

    Raises:
        DatasetError: a discount of the environment is neither 0 nor 1.
    """
    for row in np.flatnonzero((discounts != 0) & (discounts != 1)):
        raise DatasetError(
            f"{where} {row}: the environment's discounts must be 0 or 1, because "
            "a dataset holds only whether an episode terminated, got "
            f"{discounts[row]:.6g}"
        )


def left_out(source: str, names: Sequence[str], total: int, reason: str) -> str:
    """The line about bad episodes that were left out.

    Args:
        source: the dataset.
        names: of the bad episodes, at least one.
        total: number of all episodes.
        reason: why the first one is bad.

    Raises:
        DatasetError: no episode remains.
    """
    if len(names) == total:
        raise DatasetError(
            f"{source}: all {total} episodes are bad, so none is left: {reason}"
        )
    shown = ", ".join(names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return (
        f"{source}: left out {len(names)} of {total} episodes: {shown}{more}; the "
        f"first: {reason}"
    )


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
        raise DatasetError(
            f"{source} must hold at least one transition with a next observation, but "
            "holds none: check the flags that end episodes"
        )
    steps = steps if kept.all() else Steps(*(column[kept] for column in steps))
    transitions = Transition(
        steps.observations,
        steps.actions,
        steps.rewards,
        1 - steps.terminals.astype(np.float32),
        steps.next_observations,
    )
    return Dataset(source, transitions, ends[kept])
