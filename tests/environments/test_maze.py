"""The maze: solvable, fixed by its layout, with a reward for its shortest path."""

import numpy as np
import pytest

import environments
from environments import Maze, maze

UP, RIGHT, DOWN, LEFT = 1, 2, 3, 4


def shortest_actions(cells):
    """Actions of a shortest path to the goal, found backwards."""
    lengths = maze.distances(cells)
    [cell] = [tuple(cell) for cell in np.argwhere(cells == 3)]
    actions = []
    while cell != (1, 1):
        for action in (UP, RIGHT, DOWN, LEFT):
            down, right = maze._MOVES[action]
            before = (cell[0] - down, cell[1] - right)
            if lengths.get(before) == lengths[cell] - 1:
                actions.insert(0, action)
                cell = before
                break
    return actions


@pytest.mark.parametrize("layout", range(5))
def test_the_shortest_path_leads_to_the_goal(layout):
    config = Maze(layout=layout, slip=0.0)
    cells = maze.draw(config)
    assert (cells == 2).sum() == 8 and (cells == 3).sum() == 1
    border = np.ones_like(cells, bool)
    border[1:-1, 1:-1] = False
    assert (cells[border] == 0).all() and cells[1, 1] == 1
    actions = shortest_actions(cells)
    assert (
        len(actions) >= 24 and len(actions) % 2 == sum(np.argwhere(cells == 3)[0]) % 2
    )
    game = maze.Game(config, seed=3)
    game.reset()
    *before, last = (game.step(action) for action in actions)
    assert all(timestep.mid() and timestep.reward == 0.0 for timestep in before)
    assert (last.last(), last.reward, last.discount) == (True, 1.0, 0.0)


def walk(config, seed, actions):
    game = maze.Game(config, seed)
    return [game.reset()] + [game.step(action) for action in actions]


def test_the_layout_and_not_the_seed_determines_observations():
    actions = [DOWN, RIGHT, UP, LEFT] * 5
    one, same = (walk(Maze(slip=0.0), seed, actions) for seed in (0, 1))
    other = walk(Maze(slip=0.0, layout=1), 0, actions)
    for left, right, third in zip(one, same, other, strict=True):
        np.testing.assert_array_equal(left.observation, right.observation)
        assert (left.observation != third.observation).all()
    assert (maze.draw(Maze()) != maze.draw(Maze(layout=1))).any()


def test_every_cell_has_its_own_vector():
    vectors = maze.Game(Maze(), 0)._vectors.reshape(-1, 5)
    assert vectors.shape == (625, 5) and vectors.dtype == np.float32
    assert len(np.unique(vectors, axis=0)) == 625
    assert abs(vectors.mean()) < 0.05 and abs(vectors.std() - 1.0) < 0.05


def test_slips_move_the_agent_at_random():
    def moved(slip):
        steps = walk(Maze(pitfalls=0, slip=slip), 0, [0] * 999)
        return sum(
            (now.observation != then.observation).any()
            for now, then in zip(steps[1:], steps, strict=False)
        )

    assert moved(0.0) == 0
    # One move in ten slips; one direction of five is to stay, and walls block some.
    assert 20 < moved(0.1) < 90


def test_a_pitfall_ends_the_episode_without_reward():
    game = maze.Game(Maze(size=5, pitfalls=0, slip=0.0), 0)
    game.reset()
    down_is_free = game._cells[2, 1] == 1
    game._cells[(2, 1) if down_is_free else (1, 2)] = 2
    last = game.step(DOWN if down_is_free else RIGHT)
    assert (last.last(), last.reward, last.discount) == (True, 0.0, 0.0)


def test_a_long_walk_is_truncated_with_discount_one():
    steps = walk(Maze(slip=0.0, episode_steps=13), 0, [0] * 14)
    assert steps[13].last() and steps[13].discount == 1.0 and steps[13].reward == 0.0
    assert steps[14].first()


def test_the_plan_shows_walls_goal_pitfalls_and_player():
    rendered = environments.make_rendered(Maze(), 0)
    rendered.environment.reset()
    picture = rendered.render()[::12, ::12]
    assert picture.shape == (25, 25, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 5
    assert picture[1, 1].tolist() == [90, 160, 250]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 24}, r"environment\.size must be odd and at least 5, got 24"),
        ({"size": 3}, r"environment\.size must be odd .*, got 3"),
        ({"pitfalls": -1}, r"environment\.pitfalls must be at least 0, got -1"),
        ({"slip": 1.1}, r"environment\.slip must be between 0 and 1, got 1.1"),
        ({"layout": -1}, r"environment\.layout must be at least 0, got -1"),
        ({"episode_steps": 0}, r"environment\.episode_steps must be at least 1, got 0"),
    ],
)
def test_impossible_mazes_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Maze(**settings)


def test_more_pitfalls_than_fit_are_refused():
    with pytest.raises(ValueError, match=r"pitfalls must be at most \d+, .*, got 600"):
        maze.draw(Maze(pitfalls=600))
