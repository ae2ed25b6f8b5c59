"""Rendered episodes: one picture for each step, with score and step number."""

from types import SimpleNamespace

import numpy as np
import pytest

from launch.policies import render_episodes
from launch.policies.render_episodes import Frame
from launch.roles.actor import Actor


@pytest.fixture
def rendered(scripted):
    """Episodes of two decisions, then of one; a picture is its number."""
    environment = scripted([[[3.0, -5.0], [7.0]]])
    drawn = iter(range(100))
    return SimpleNamespace(environment=environment, render=lambda: next(drawn))


@pytest.fixture
def actor():
    def act(params, key, observation, actor_steps, evaluation):
        assert evaluation is not False
        return observation * 0, ()

    return Actor(act, dict, seed=0, evaluation=True)


def test_an_episode_begins_with_a_picture_and_scores_are_raw(rendered, actor):
    frames = list(render_episodes.play(rendered, actor, episodes=2, steps=None))
    assert frames == [
        Frame(0, 0.0, 0, False),
        Frame(1, 3.0, 1, False),
        Frame(2, -2.0, 2, True),
        Frame(3, 0.0, 0, False),
        Frame(4, 7.0, 1, True),
    ]
    assert rendered.environment.tape[-1] == ("close",)


def test_a_limit_of_decisions_ends_an_episode_in_the_middle(rendered, actor):
    frames = list(render_episodes.play(rendered, actor, episodes=9, steps=1))
    assert [frame.step for frame in frames] == [0, 1]


def test_closing_the_frames_closes_the_environment(rendered, actor):
    frames = render_episodes.play(rendered, actor, episodes=9, steps=None)
    next(frames)
    frames.close()
    assert rendered.environment.tape[-1] == ("close",)


def test_equal_seeds_render_equal_pictures(finished):
    def played(seed):
        play = render_episodes.play_run(finished[0], seed, episodes=1, steps=None)
        return [np.asarray(frame.picture) for frame in play.frames]

    first, again, other = played(3), played(3), played(4)
    assert len(first) == 10, "Catch takes nine decisions"
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
