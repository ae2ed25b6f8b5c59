"""Whole episodes of one policy: shared fairly over lanes, raw returns, seeded."""

import gc
import weakref
from collections import Counter

import jax.numpy as jnp
import numpy as np
import pytest

import environments
from environments.checks import EnvironmentFailed
from launch.build import make_agent, make_spec
from launch.roles import evaluator
from launch.roles.actor import Loop
from launch.roles.evaluator import Evaluator


@pytest.fixture
def make(monkeypatch, catch, scripted):
    """Makes an evaluator whose lane i plays episodes of i + 1 steps that return i."""

    def make(episodes, lanes, steps=0):
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
        return Evaluator(experiment, agent, episodes, steps), made

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
        found = evaluator.evaluate({}, point)
        played = found.episodes
        assert len(played) == episodes
        # Rewards come at the end, and the environment clips them to 1 for the learner.
        # Further episodes of fast lanes do not count.
        clipped = [min(each.episode_return, 1.0) for each in played]
        weights = [0.99 ** (each.length - 1) for each in played]
        discounted = np.multiply(clipped, weights)
        measured = {"discounted_return": pytest.approx(np.mean(discounted))}
        assert found.measures == measured
        # Short episodes end first: taking those would favour the first lanes.
        lengths = Counter(episode.length for episode in played)
        assert [lengths[lane + 1] for lane in range(len(shares))] == shares
        assert all(e.episode_return == 10.0 * (e.length - 1) for e in played), "raw"
    assert [made.num_environments for made in environments] == [len(shares)] * 2
    assert [made.tape[-1] for made in environments] == [("close",)] * 2


@pytest.mark.parametrize(
    "steps, lanes, lengths",
    [
        # Episodes of one step: as many as there are steps.
        (7, 1, {1: 7}),
        # Episodes of one and of two steps. A lane takes no decision where its episode
        # begins, so the decisions so far are 2, 3, 4, 5 and 7. Lane 0 ends its third
        # episode and lane 1 its second with the seventh.
        (6, 2, {1: 3, 2: 2}),
        # With the fourth, lane 0 ends its second, and lane 1 begins its second, which
        # counts although it ends later.
        (4, 2, {1: 2, 2: 2}),
    ],
)
def test_a_phase_of_steps_plays_the_episodes_that_it_began(
    make, monkeypatch, steps, lanes, lengths
):
    monkeypatch.setattr(evaluator, "STEPS_PER_LANE", -(-steps // lanes))
    made, environments = make(3, 32, steps)
    for point in (0, 900):
        played = made.evaluate({}, point)
        assert Counter(episode.length for episode in played.episodes) == lengths
    assert [each.num_environments for each in environments] == [lanes] * 2


def test_many_steps_have_no_more_lanes_than_episodes_may_have(catch, agent):
    made = Evaluator(catch(), agent, episodes=3, steps=125_000)
    assert len(made._shares) == 13
    made = Evaluator(catch(), agent, episodes=3, steps=1_250_000)
    assert len(made._shares) == evaluator.MAX_LANES


def test_a_phase_of_steps_depends_on_seed_and_point(catch, agent):
    """Nine decisions in each episode of Catch: ten of them for 85 steps."""
    made = Evaluator(catch({"seed": 1}), agent, episodes=1, steps=85)
    assert len(returns(made)) == 10 and returns(made) == returns(made)
    assert returns(made) != returns(made, point=200)


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


@pytest.mark.parametrize("steps", [0, 50])
def test_an_environment_that_never_ends_its_episodes_ends_the_evaluation(
    catch, agent, steps, monkeypatch
):
    monkeypatch.setattr("launch.roles.evaluator._LONGEST_EPISODE", 3)
    playing = Evaluator(catch(), agent, episodes=2, steps=steps)
    monkeypatch.setattr(Loop, "step", lambda self: [])
    with pytest.raises(EnvironmentFailed) as error:
        playing.evaluate({}, 100)
    assert str(error.value) == (
        "no episode has ended within 3 steps of evaluation: an environment must end "
        "its episodes, or get a limit with --environment.episode_steps"
    )


def test_it_lets_the_parameters_go(make):
    evaluator, _ = make(5, 3)
    parameter = jnp.zeros((3, 41))
    evaluator.evaluate({"q": parameter}, 100)
    left = weakref.ref(parameter)
    del parameter
    gc.collect()
    assert left() is None


def test_the_policy_is_told_that_it_is_evaluated(catch, agent):
    """So it does not explore; an evaluation that did would play other actions."""

    def act(params, key, observation, actor_steps, evaluation):
        action = jnp.where(evaluation, params["q"], params["q"] + 1)
        return jnp.full(len(observation), action), ()

    settings = {"environment.rows": 2, "environment.columns": 3}
    told = Evaluator(catch(settings), agent._replace(act=act), episodes=30)
    assert returns(told) == returns(Evaluator(catch(settings), agent, episodes=30))
