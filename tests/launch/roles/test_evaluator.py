"""Whole episodes of one policy: shared fairly over lanes, raw returns, seeded."""

from collections import Counter

import jax.numpy as jnp
import numpy as np
import pytest

import environments
from launch.build import make_agent, make_spec
from launch.roles import evaluator
from launch.roles.evaluator import Evaluator


@pytest.fixture
def make(monkeypatch, catch, scripted):
    """Makes an evaluator whose lane i plays episodes of i + 1 steps that return i."""

    def make(episodes, lanes):
        made = []

        def environment(config, num_environments, seed, evaluation):
            assert evaluation, "a separate environment, for evaluation"
            scripts = [
                [[0.0] * lane + [10.0 * lane]] for lane in range(num_environments)
            ]
            made.append(scripted(scripts, tape=[]))
            return made[-1]

        monkeypatch.setattr(evaluator, "MAX_LANES", lanes)
        experiment = catch()
        single = environments.make(experiment.environment, 1, 0)
        agent = make_agent(experiment, make_spec(single))
        agent = agent._replace(
            act=lambda params, key, observation, *_: (observation, ())
        )
        monkeypatch.setattr(environments, "make", environment)
        return Evaluator(experiment, agent, episodes), made

    return make


@pytest.mark.parametrize(
    "episodes, lanes, shares",
    [
        (13, 5, [3, 3, 3, 2, 2]),
        (13, 4, [4, 3, 3, 3]),
        (13, 13, [1] * 13),
        (13, 32, [1] * 13),
        (3, 1, [3]),
        (1, 8, [1]),
    ],
)
def test_lanes_share_the_episodes_fairly(make, episodes, lanes, shares):
    evaluator, environments = make(episodes, lanes)
    for point in (100, 200):
        played = evaluator.evaluate({}, point).episodes
        assert len(played) == episodes
        # Short episodes end first: taking those would favour the first lanes.
        lengths = Counter(episode.length for episode in played)
        assert [lengths[lane + 1] for lane in range(len(shares))] == shares
        assert all(e.episode_return == 10.0 * (e.length - 1) for e in played), "raw"
    assert [made.num_environments for made in environments] == [len(shares)] * 2
    assert [made.tape[-1] for made in environments] == [("close",)] * 2


@pytest.fixture
def agent(catch):
    """Plays the action that its only parameter names."""
    experiment = catch()
    environment = environments.make(experiment.environment, 1, 0)
    agent = make_agent(experiment, make_spec(environment))

    def act(params, key, observation, *_):
        return jnp.full(len(observation), params["q"]), ()

    return agent._replace(act=act)


def returns(evaluator, action=1, point=100):
    played = evaluator.evaluate({"q": np.int32(action)}, point).episodes
    return [episode.episode_return for episode in played]


def test_seed_and_point_decide_which_episodes_are_played(catch, agent):
    made = Evaluator(catch({"seed": 1}), agent, episodes=40)
    again = Evaluator(catch({"seed": 1}), agent, episodes=40)
    other = Evaluator(catch({"seed": 2}), agent, episodes=40)
    assert returns(made) == returns(again)
    assert returns(made) != returns(other)
    assert returns(made) != returns(made, point=200)
    # An evaluation does not depend on earlier evaluations.
    assert returns(made, point=200) == returns(again, point=200)


def test_an_evaluator_plays_with_the_parameters_passed_to_it(catch, agent):
    """Two rows and three columns: each action catches the ball of one column."""
    settings = {"environment.rows": 2, "environment.columns": 3}
    made = Evaluator(catch(settings), agent, episodes=30)
    caught = np.array([returns(made, action) for action in (0, 1, 2)]) == 1
    assert (caught.sum(axis=0) == 1).all()


def test_every_step_calls_tick(catch, agent):
    ticks = []
    made = Evaluator(catch(), agent, episodes=3)
    made.evaluate({"q": np.int32(1)}, 100, lambda: ticks.append(1))
    assert len(ticks) == 9, "three lanes, nine decisions each"
