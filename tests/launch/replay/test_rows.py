"""Rows of one lane computed by hand, and the transitions that windows of them hold."""

import dm_env
import numpy as np
import pytest

from agents.parts.contract import Storage, discrete_spec
from launch.replay.rows import Rows, decode

FIRST, MID, LAST = (int(kind) for kind in dm_env.StepType)


def make(n_step, frame_stack=1, **storage):
    shape = (frame_stack,) if frame_stack > 1 else ()
    return Rows(
        Storage(n_step=n_step, **storage),
        discrete_spec(shape, np.float32, 9),
        discount=0.5,
        frame_stack=frame_stack,
        num_environments=1,
    )


def step(kind, reward, observation, discount=1.0):
    return dm_env.TimeStep(
        np.array([kind]),
        np.array([reward], np.float32),
        np.array([discount], np.float32),
        np.array([observation], np.float32),
    )


def played(rows, script):
    """All rows of an episode; action k leads to the k-th step of the script."""
    made = list(rows.observe_first(step(FIRST, 0, script[0])))
    for action, (kind, reward, observation, discount) in enumerate(script[1:], 1):
        made += rows.observe(
            np.array([action]), step(kind, reward, observation, discount)
        )
    assert {lane for lane, _ in made} == {0}
    return [row for _, row in made]


def short(row):
    return tuple(np.asarray(value).tolist() for value in row[:5])


def test_rows_of_an_episode_shorter_than_n_steps():
    script = [10.0, (MID, 1.0, 11.0, 1.0), (LAST, 4.0, 12.0, 0.0)]
    rows = played(make(n_step=3), script)
    # frame, action, reward, discount, steps: 1 + T + (n - 1) rows, gamma is 0.5.
    assert [short(row) for row in rows] == [
        (10, 0, 0, 0, 0),
        (11, 0, 0, 0, 0),
        (12, 0, 0, 0, 0),
        (12, 1, 1 + 0.5 * 4, 0, 2),
        (12, 2, 4, 0, 1),
    ]


@pytest.mark.parametrize("terminal", [False, True])
def test_a_time_limit_is_stored_as_the_storage_asks(terminal):
    """The episode is truncated: its last discount is 1, or stored as 0."""
    script = [10.0, (MID, 1.0, 11.0, 1.0), (LAST, 4.0, 12.0, 1.0)]
    rows = played(make(n_step=2, terminal_at_time_limit=terminal), script)
    left = 0 if terminal else 1
    # frame, action, reward, discount, steps: gamma is 0.5.
    assert [short(row) for row in rows] == [
        (10, 0, 0, 0, 0),
        (11, 0, 0, 0, 0),
        (12, 1, 1 + 0.5 * 4, 0.5 * left, 2),
        (12, 2, 4, left, 1),
    ]


def test_a_stack_is_stored_frame_by_frame():
    script = [[1.0, 2.0], (MID, 7.0, [2.0, 3.0], 1.0), (MID, 8.0, [3.0, 4.0], 1.0)]
    rows = played(make(n_step=1, frame_stack=2), script)
    assert [short(row) for row in rows] == [
        (1, 0, 0, 0, 0),
        (2, 0, 0, 0, 0),
        (3, 1, 7, 1, 1),
        (4, 2, 8, 1, 1),
    ]


@pytest.mark.parametrize("steps, following", [(2, [3, 4]), (1, [2, 3])])
def test_a_window_holds_the_stacks_at_both_ends(steps, following):
    window = np.array([[1, 2, 3, 4]])  # n + S rows, n = S = 2
    one = np.ones(1)
    made = decode(window, one, one, one, np.array([steps]), frame_stack=2)
    assert made.observation.tolist() == [[1, 2]]
    assert made.next_observation.tolist() == [following]


def test_a_step_before_the_first_is_refused():
    with pytest.raises(ValueError, match="environment 0 has step type 1 outside"):
        list(make(1).observe(np.array([0]), step(MID, 0, 0)))
