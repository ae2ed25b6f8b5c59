"""Grids of steps: each point is passed once."""

import pytest

from launch.experiment import Checkpointing
from launch.runs import schedule
from launch.runs.schedule import Schedule


@pytest.mark.parametrize(
    "period, end, steps, points",
    [
        (10, 30, [0, 9, 10, 11, 20, 29, 30, 31], [None, None, 10, None, 20, None, 30]),
        (10, 25, [10, 20, 24, 25, 26], [10, 20, None, 25, None]),  # the end is a point
        (10, 100, [3, 13, 23], [None, 10, 20]),  # several environments overshoot
        (10, 100, [45, 49, 50], [40, None, 50]),  # missed points are not made up for
        (10, 100, [250], [100]),
        (10, 7, [6, 7, 8], [None, 7, None]),
        (1, 3, [1, 2, 3, 4], [1, 2, 3, None]),
        (10, 10, [10, 20], [10, None]),
    ],
)
def test_each_point_of_a_grid_is_passed_once(period, end, steps, points):
    grid = Schedule(period, end)
    passed = [grid.due(now) for now in steps]
    assert passed == points + [None] * (len(steps) - len(points))


@pytest.mark.parametrize(
    "done, points",
    [(0, [10, 20, 25]), (9, [10, 20, 25]), (10, [20, 25]), (19, [20, 25]), (25, [])],
)
def test_a_grid_may_start_after_some_steps(done, points):
    grid = Schedule(10, 25, done)
    passed = [grid.due(steps) for steps in range(done, 30)]
    assert [point for point in passed if point is not None] == points


def test_a_checkpoint_is_due_on_the_grid_and_by_wall_time(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(schedule.time, "monotonic", lambda: clock[0])
    timer = schedule.SaveTimer(Checkpointing(period=30), done=47)
    assert [timer.on_grid(steps) for steps in (59, 61, 62, 89, 120)] == [
        False,
        True,
        False,
        False,
        True,
    ]
    clock[0] += 600
    assert not timer.late()
    clock[0] += 1
    assert timer.late()
    timer.saved()
    assert not timer.late()
