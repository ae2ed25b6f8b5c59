"""The extras that a policy returns reach the replay with its actions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import environments
from agents import REGISTRY
from agents.parts.contract import Others
from environments import Arithmetic
from environments.language.arithmetic import Sums
from launch.build import make_agent, spec_of
from launch.errors import NotFinite
from launch.roles.actor import Actor, Loop
from launch.roles.evaluator import Evaluator
from tests.launch.language_runs import SMALL
from tests.launch.language_runs import sums as small_sums
from tests.launch.small_experiments import changed


def test_an_actor_remembers_the_extras_of_its_last_actions(scripted):
    told = []

    class Recording:
        def observe_first(self, timestep):
            pass

        def observe(self, actions, timestep, extras):
            told.append((actions.tolist(), np.asarray(extras).tolist()))

    def act(params, key, observation, actor_steps, evaluation):
        return observation + 1, -observation

    environment = scripted([[[3.0, -5.0]], [[0.5, 0.25, 9.0]]])
    loop = Loop(environment, Actor(act, dict, seed=0, adder=Recording()))
    for _ in range(3):
        loop.step()
    assert told == [
        ([1, 101], [0, -100]),
        ([2, 102], [-1, -101]),
        ([3, 103], [-2, -102]),
    ]


class Stored:
    """An adder that keeps the extras of each step."""

    def __init__(self):
        self.extras = []

    def observe_first(self, timestep):
        pass

    def observe(self, actions, timestep, extras):
        self.extras.append(extras)


def sums(environment):
    """Arithmetic whose policy returns two further completions for each prompt."""
    [columns] = environment.action_spec().shape

    def act(params, key, observation, actor_steps, evaluation):
        tokens = observation[:, -columns:]
        others = jnp.stack([tokens, jnp.full_like(tokens, 5)], axis=1)
        scores = jnp.zeros((len(tokens), 2))
        return tokens, {"seen": tokens[:, 0], "others": Others(others, scores)}

    return act


def test_further_actions_are_scored_before_they_are_stored():
    """The reference is right, a row of fives is not."""
    environment = environments.make(Arithmetic(), 3, seed=0)
    told = Stored()
    actor = Actor(sums(environment), dict, seed=0, adder=told, version=lambda: 7)
    loop = Loop(environment, actor)
    for _ in range(3):  # completions, a FIRST, completions
        loop.step()
    for stored in (told.extras[0], told.extras[2]):
        assert stored["version"].tolist() == [7, 7, 7]
        others = stored["agent"]["others"]
        assert others.rewards.tolist() == [[1, 0]] * 3
        assert others.actions.shape[:2] == (3, 2)


def test_nothing_is_scored_where_nothing_is_stored(monkeypatch):
    environment = environments.make(Arithmetic(), 3, seed=0)
    monkeypatch.setattr(environment, "score", None)
    Loop(environment, Actor(sums(environment), dict, seed=0)).step()


def test_an_evaluation_scores_no_further_actions(monkeypatch):
    """The samples of J-BOND's policy in evaluation are padding."""
    settings = changed(REGISTRY["jbond"].default(), SMALL)
    experiment = small_sums(agent_name="jbond", agent=settings)
    agent = make_agent(experiment, spec_of(experiment))
    kinds = []

    def score(task, prompt, completion):
        kinds.append(bool(completion.any()))
        return 0.0

    monkeypatch.setattr(Sums, "score", score)
    evaluator = Evaluator(experiment, agent, episodes=3)
    evaluator.evaluate(agent.init(jax.random.key(0)).params, point=0)
    assert kinds == [True] * 3


def test_a_score_that_is_no_number_ends_the_run():
    environment = environments.make(Arithmetic(), 3, seed=0)
    actor = Actor(sums(environment), dict, seed=0, adder=Stored())
    actor.select_action(environment.reset().observation)
    message = "non-finite score of nan in lane 2 at actor step 0"
    with pytest.raises(NotFinite, match=message):
        actor.score_others(lambda actions: np.array([[1, 2], [3, 4], [np.nan, 0]]))
