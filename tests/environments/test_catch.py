"""Catch: its rules, and its optimum."""

import numpy as np
import pytest

import environments
from environments import catch


def towards_the_ball(board):
    """The optimal action: the paddle is in the last row, the ball above it."""
    (ball,) = np.flatnonzero(board[:-1].sum(0))
    (paddle,) = np.flatnonzero(board[-1])
    return 1 + np.sign(ball - paddle)


@pytest.mark.parametrize(("rows", "columns"), [(10, 5), (2, 3), (3, 5), (7, 4), (5, 1)])
def test_optimal_return_is_one_from_every_column(rows, columns):
    game = catch.Game(environments.Catch(rows, columns), seed=0)
    starts = set()
    for _ in range(50):
        timestep = game.reset()
        starts.add(int(timestep.observation[0].argmax()))
        rewards = []
        while not timestep.last():
            timestep = game.step(towards_the_ball(timestep.observation))
            rewards.append(timestep.reward)
        assert rewards == [0.0] * (rows - 2) + [1.0]
        assert timestep.discount == 0.0
    assert starts == set(range(columns))


@pytest.mark.parametrize(("action", "column"), [(0, 0), (1, 2), (2, 4)])
def test_paddle_stops_at_the_walls_and_misses_cost_one(action, column):
    game = catch.Game(environments.Catch(), seed=1)
    returns = set()
    for _ in range(40):
        timestep = game.reset()
        ball = int(timestep.observation[0].argmax())
        for row in range(1, 10):
            timestep = game.step(action)
            assert timestep.observation[row, ball] == 1.0
        assert timestep.last()
        assert timestep.observation[-1, column] == 1.0
        assert timestep.reward == (1.0 if ball == column else -1.0)
        returns.add(timestep.reward)
    assert returns == {-1.0, 1.0}


def test_paddle_starts_in_the_middle_and_moves_by_one():
    game = catch.Game(environments.Catch(), seed=1)
    assert game.reset().observation[-1].tolist() == [0, 0, 1, 0, 0]
    assert game.step(2).observation[-1].tolist() == [0, 0, 0, 1, 0]
    assert game.step(0).observation[-1].tolist() == [0, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        (1, 1, r"environment\.rows must be at least 2, got 1"),
        (3, 6, r"environment\.columns must be between 1 and 5, .*, got 6"),
        (3, 0, r"environment\.columns must be between 1 and 5, .*, got 0"),
    ],
)
def test_impossible_boards_are_refused(rows, columns, message):
    with pytest.raises(ValueError, match=message):
        environments.Catch(rows, columns)
