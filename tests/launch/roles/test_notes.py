"""What an evaluation notes of completions and measures, on made-up timesteps."""

from types import SimpleNamespace

import dm_env
import jax.numpy as jnp
import numpy as np
import pytest

import environments
from agents.parts.contract import Agent, Storage, never_acts
from environments import Arithmetic, Catch
from environments.language.vocabulary import EOS
from launch.roles import notes
from launch.roles.notes import Notes

FIRST, LAST = int(dm_env.StepType.FIRST), int(dm_env.StepType.LAST)


def mean_token(params, key, observation):
    """The scaled mean of the observations."""
    return {"mean": params["scale"] * jnp.mean(jnp.float32(observation))}


def make(measure=None, discount=1.0):
    agent = Agent(None, None, never_acts, Storage(), discount, measure=measure)
    return Notes(agent)


def play(listener, environment, steps=4):
    """References as actions in lane 0, an empty completion in the others."""
    timestep = environment.reset()
    listener.observe_first(timestep)
    seen = [timestep.observation]
    for _ in range(steps):
        actions = seen[-1][:, -3:].copy()
        actions[1:] = EOS
        timestep = environment.step(actions)
        listener.observe(actions, timestep)
        if timestep.step_type[0] == FIRST:
            seen.append(timestep.observation)
    return seen


@pytest.fixture
def sums():
    """Two lanes of sums of one digit: prompts of 4 columns, completions of 3."""
    return environments.make(Arithmetic(digits=1), 2, seed=3, evaluation=True)


def test_completions_are_noted_once_in_their_order(sums):
    listener = make()
    listener.begin(sums, {}, seed=0)
    seen = play(listener, sums)
    text = sums.task.vocabulary.text
    prompts = [text(row[:4]) for rows in seen[:2] for row in rows]
    assert [sample.prompt for sample in listener.samples] == prompts
    assert [sample.reward for sample in listener.samples] == [1, 0, 1, 0]
    answers = [sample.reference for sample in listener.samples]
    completions = [sample.completion for sample in listener.samples]
    assert completions == [answers[0], "", answers[2], ""]
    assert listener.measures([2, 2]) == {}


def test_at_most_so_many_completions_are_noted(sums, monkeypatch):
    monkeypatch.setattr(notes, "MOST_SAMPLES", 3)
    listener = make()
    for _ in range(2):  # each evaluation begins anew
        listener.begin(sums, {}, seed=0)
        play(listener, sums, steps=7)
        assert len(listener.samples) == 3


def test_measures_are_means_over_the_prompts(sums):
    listener = make(mean_token)
    params = {"scale": np.float32(2)}
    listener.begin(sums, params, seed=0)
    seen = play(listener, sums)
    assert len(seen) == 3
    wanted = np.mean([2 * np.mean(rows) for rows in seen])
    assert listener.measures([1, 1]) == {"mean": pytest.approx(wanted, rel=1e-6)}


def test_other_environments_have_no_samples():
    listener = make()
    catch = environments.make(Catch(rows=2, columns=3), 2, seed=0)
    listener.begin(catch, {}, seed=0)
    listener.observe_first(catch.reset())
    timestep = catch.step(np.zeros(2, np.int32))
    assert timestep.step_type.tolist() == [LAST, LAST]
    listener.observe(np.zeros(2, np.int32), timestep)
    assert listener.samples == []


MID = int(dm_env.StepType.MID)


def step_through(listener, steps):
    """Feeds steps of two lanes: `(step type, reward, discount)` of each."""
    for lanes in steps:
        types, rewards, discounts = map(np.array, zip(*lanes, strict=True))
        timestep = dm_env.TimeStep(types, rewards, discounts, np.zeros((2, 3)))
        listener.observe(np.zeros(2, np.int32), timestep)


def test_discounted_returns_by_hand():
    listener = make(discount=0.5)
    environment = SimpleNamespace(num_environments=2, reward_clip=None)
    for _ in range(2):  # each evaluation begins anew
        listener.begin(environment, {}, seed=0)
        listener.observe_first(environments.make(Catch(), 2, seed=0).reset())
        step_through(
            listener,
            [
                [(MID, 3.0, 1.0), (LAST, -8.0, 0.0)],
                [(MID, 4.0, 0.25), (FIRST, 0.0, 1.0)],
                [(LAST, 16.0, 0.0), (MID, 1.0, 1.0)],
                [(FIRST, 0.0, 1.0), (LAST, 2.0, 1.0)],
                [(LAST, 7.0, 0.0), (FIRST, 0.0, 1.0)],
            ],
        )
        # 3 + 4 / 2 + 16 / (2 * 8), then 7; -8, then 1 + 2 / 2.
        for episodes, wanted in (
            ([1, 1], (6 - 8) / 2),
            ([1, 2], (6 - 8 + 2) / 3),
            ([2, 0], (6 + 7) / 2),
        ):
            assert listener.measures(episodes) == {"discounted_return": wanted}
    assert listener.measures([0, 0]) == {}


def test_discounted_returns_are_of_the_rewards_that_the_agent_learns_from():
    listener = make(discount=0.5)
    environment = SimpleNamespace(num_environments=2, reward_clip=1.0)
    listener.begin(environment, {}, seed=0)
    steps = [[(MID, 9.0, 1.0), (MID, 0.5, 1.0)], [(LAST, -4.0, 0.0)] * 2]
    step_through(listener, steps)
    assert listener.measures([1, 1]) == {"discounted_return": (0.5 + 0.0) / 2}
