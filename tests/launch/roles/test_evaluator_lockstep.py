"""Lockstep evaluation: a decision per actor decision, rows with ended episodes."""

import jax.numpy as jnp
import numpy as np
import pytest

import environments
from launch.build import make_agent, make_spec
from launch.roles import evaluator
from launch.roles.evaluator import Lockstep
from launch.runs import run_directory
from launch.runs.logs import read_evaluations
from tests.launch.local_runs import run_local

LOCKSTEP = {"evaluation.lockstep": True}


@pytest.fixture
def agent(catch):
    """Plays the action that its only parameter names."""
    experiment = catch()
    environment = environments.make(experiment.environment, 1, 0)
    agent = make_agent(experiment, make_spec(environment))

    def act(params, key, observation, actor_steps, evaluation):
        return jnp.where(evaluation, jnp.full(len(observation), params["q"]), 99), ()

    return agent._replace(act=act)


@pytest.fixture
def lockstep(monkeypatch, catch, scripted, agent):
    """Three lanes, whose episodes last 1, 2 and 3 decisions; parameters count calls."""
    made, calls = [], []

    def environment(config, num_environments, seed, evaluation):
        assert evaluation
        scripts = [[[0.0] * lane + [10.0 * lane]] for lane in range(num_environments)]
        made.append(scripted(scripts, tape=[]))
        return made[-1]

    def variables():
        calls.append(None)
        return {"q": np.int32(len(calls))}

    monkeypatch.setattr(environments, "make", environment)
    return Lockstep(catch(LOCKSTEP), agent, variables, lanes=3), made


def test_each_step_asks_for_the_newest_parameters(lockstep):
    played, made = lockstep
    played.start(0)
    episodes = [played.step() for _ in range(4)]
    # A lane of length n ends at every (n + 1)st step, for it begins with a step.
    assert [[e.length for e in ended] for ended in episodes] == [[1], [2], [1, 3], []]
    assert [[e.episode_return for e in ended] for ended in episodes] == [
        [0.0],
        [10.0],
        [0.0, 20.0],
        [],
    ], "raw"
    assert made[0].tape == [("reset",), *(("step", [n] * 3) for n in (1, 2, 3, 4))]


def test_a_start_discards_unfinished_episodes(lockstep):
    played, made = lockstep
    played.start(0)
    played.step()
    played.start(50)
    assert made[0].tape[-1] == ("close",)
    assert [e.length for e in played.step()] == [1]
    played.close()
    assert [environment.tape[-1] for environment in made] == [("close",)] * 2


def test_the_evaluator_follows_the_actors_and_never_overtakes(lockstep):
    played, _ = lockstep
    ticks = []
    played.start(100)
    assert played.follow(100, 60.0, lambda: ticks.append(1)) == []
    assert not ticks
    # Three decisions in each of the first three steps, except in lanes that begin.
    episodes = played.follow(107, 60.0, lambda: ticks.append(1))
    assert [episode.length for episode in episodes] == [1, 2, 1, 3]
    assert len(ticks) == 3
    assert played.follow(10_000, 0.0, lambda: ticks.append(1)) == [], "time is up"
    assert len(ticks) == 3


def test_lanes_are_bounded(monkeypatch, catch, agent):
    monkeypatch.setattr(evaluator, "MAX_LANES", 5)
    played = Lockstep(catch(LOCKSTEP), agent, lambda: {"q": np.int32(1)}, lanes=70)
    played.start(0)
    episodes = played.follow(5 * 9, 60.0, lambda: None)
    assert [episode.length for episode in episodes] == [9] * 5


def test_seed_and_start_determine_the_episodes(catch, agent):
    def returns(seed, start):
        experiment = catch(LOCKSTEP | {"seed": seed})
        played = Lockstep(experiment, agent, lambda: {"q": np.int32(1)}, lanes=2)
        played.start(start)
        episodes = played.follow(start + 300, 60.0, lambda: None)
        return [episode.episode_return for episode in episodes]

    assert returns(0, 0) == returns(0, 0)
    assert returns(0, 0) != returns(1, 0)
    assert returns(0, 0) != returns(0, 700)


def run(catch, tmp_path, settings):
    experiment = catch(LOCKSTEP | settings)
    directory = run_directory.create(tmp_path, experiment)
    return run_local(experiment, directory), directory


def test_rows_hold_the_episodes_since_the_previous_row(catch, tmp_path):
    """All episodes of Catch take nine decisions: as many end here as in training."""
    returns, directory = run(catch, tmp_path, {"environments": 3, "steps": 310})
    rows = read_evaluations(directory)
    assert [row.grid for row in rows] == [100, 200, 300, 310]
    ended = np.diff([row.counts.episodes for row in rows], prepend=0)
    assert [len(row.returns) for row in rows] == ended.tolist()
    assert rows[0].returns and not rows[-1].returns
    assert all(set(row.lengths) <= {9} for row in rows)
    assert returns == rows[-1].returns == []


def test_equal_seeds_give_equal_logs(catch, tmp_path, untimed):
    first, second = (run(catch, tmp_path, {"environments": 2})[1] for _ in range(2))
    assert untimed(first) == untimed(second)


def test_lockstep_evaluation_is_greedy_and_shows_learning(catch, tmp_path):
    settings = {"steps": 4_000, "evaluation.period": 1_000}
    settings |= {"agent.network.hidden": (64,)}
    returns, directory = run(catch, tmp_path, settings)
    # Training still explores with probability 0.4 there.
    assert len(returns) >= 95 and np.mean(returns) > 0.95
    first = read_evaluations(directory)[0]
    assert np.mean(first.returns) < 0.5
