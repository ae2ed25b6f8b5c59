"""The parts built from an experiment: its spec, its stages, its agent."""

import pickle
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

import environments
from agents import REGISTRY
from agents.parts.contract import (
    Agent,
    Preparation,
    Storage,
    TrainingState,
    never_acts,
)
from environments import Arithmetic, Catch, Locomotion
from environments.language.task import LanguageEnvironment
from environments.language.vocabulary import Vocabulary
from launch import build
from launch.build import NORMALIZER, make_agent, make_extras_spec, make_spec, normalized
from launch.datasets.normalization import prepare
from tests.launch.datasets import random_data
from tests.launch.language_runs import sums
from tests.launch.replay.made_up_extras import SPEC, acting, extras_of, hash_of
from tests.launch.small_experiments import changed, pendulum


def test_the_policy_sees_observations_as_the_learner_did(key):
    transitions = random_data.transitions(observation=3, action=2)
    spec = random_data.spec_of(observation=3, action=2)

    def init(key):
        return TrainingState({"policy": jnp.zeros(())}, {}, {}, jnp.int32(0), key)

    agent = Agent(init, lambda state, batch: (state, {}), never_acts, Storage(), 0.99)
    seen = []
    agent = agent._replace(
        act=lambda params, key, observation, *_: seen.append(observation)
    )
    wrapped = normalized(agent, spec)
    params = dict(wrapped.init(key).params)
    wrapped.act(params, key, transitions.observation, 0, True)
    np.testing.assert_array_equal(seen[0], transitions.observation)  # no statistics yet
    prepared = prepare(transitions, Preparation())
    wrapped.act(params | prepared.networks, key, transitions.observation, 0, True)
    np.testing.assert_allclose(
        seen[1], prepared.transitions.observation, rtol=1e-5, atol=1e-6
    )


def test_a_spec_describes_observations_and_actions(catch):
    spec = build.spec_of(changed(catch(), {"environment": Catch(rows=7, columns=4)}))
    assert (spec.observation.shape, spec.num_actions) == ((7, 4), 3)
    hopper = changed(catch(), {"environment": Locomotion("Hopper-v5")})
    spec = build.spec_of(hopper)
    assert (spec.observation.shape, spec.num_actions) == ((11,), 0)
    assert (spec.action.shape, spec.action.dtype) == ((3,), np.float32)


def test_a_spec_of_a_language_task_has_tokens_as_actions():
    spec = build.spec_of(sums(environment=Arithmetic(digits=2)))
    assert (spec.kind, spec.num_actions) == ("tokens", 16)
    assert (spec.action.shape, spec.action.dtype) == ((4,), np.int32)
    assert (spec.observation.shape, spec.observation.dtype) == ((10,), np.int32)
    assert spec.references


def test_the_spec_tells_that_a_task_has_no_references():
    class Scored:
        vocabulary = Vocabulary("abcdefg")
        prompt_columns = 3
        completion_columns = 4

        def draw(self, generator, evaluation):
            return generator.integers(4, 11, size=3), np.zeros(0, np.int32)

        def score(self, prompt, completion):
            return float(completion[0])

    assert not make_spec(LanguageEnvironment(Scored(), 2, seed=0)).references


@pytest.mark.parametrize(
    ("agent", "environment", "message"),
    [
        ("sft", Catch(), "sft must have .* actions are tokens, but .* are discrete: "),
        (
            "mdqn",
            Arithmetic(),
            "mdqn must have .* actions are discrete, but .* are tokens: .*sft",
        ),
        ("sac", Arithmetic(), "sac must have .* are continuous, but .* are tokens: "),
    ],
)
def test_agents_with_other_actions_are_refused(agent, environment, message):
    wanted = sums(
        agent_name=agent, agent=REGISTRY[agent].default(), environment=environment
    )
    with pytest.raises(ValueError, match=f"^{message}"):
        build.make_stages(wanted, build.spec_of(wanted))


@pytest.mark.parametrize("agent", ["mdqn", "sac"])
def test_papers_refuse_tokens_themselves(agent):
    spec = build.spec_of(sums())
    recipe = REGISTRY[agent]
    with pytest.raises(ValueError, match="but the environment's are tokens"):
        recipe.agent(recipe.default(), spec)


def test_the_actors_environments_depend_on_seed_and_start(catch):
    def first(seed, start):
        experiment = catch({"seed": seed, "environments": 5})
        environment = build.make_actor_environment(experiment, start)
        boards = environment.reset().observation
        environment.close()
        return boards.tolist()

    assert len(first(0, 0)) == 5 and first(0, 0) == first(0, 0)
    assert first(0, 0) != first(1, 0) and first(0, 0) != first(0, 100)


@pytest.mark.parametrize(
    "agent, dataset, stages, normalized",
    [
        ("td3", "", [("", "replay")], False),
        ("td3", "x.hdf5", [("", "dataset")], True),
        ("bc", "x.hdf5", [("", "dataset")], True),
        ("ploff", "x.hdf5", [("pretraining", "dataset"), ("", "dataset")], True),
    ],
)
def test_stages_come_in_order_and_only_the_last_observes_through_statistics(
    agent, dataset, stages, normalized, key
):
    wanted = pendulum(agent, dataset, **{"preparation.normalize_observations": True})
    made = build.make_stages(wanted, build.spec_of(wanted))
    assert [(stage.name, stage.source) for stage in made] == stages
    *before, last = [stage.agent.init(key).params for stage in made]
    assert (NORMALIZER in last) is normalized
    assert not any(NORMALIZER in params for params in before)


@pytest.fixture
def plain(catch):
    """The agent of a Catch experiment, and its spec."""
    experiment = catch()
    environment = environments.make(experiment.environment, 1, 0)
    spec = make_spec(environment)
    return make_agent(experiment, spec), spec


def test_the_spec_of_extras_has_no_lanes(plain):
    agent, spec = plain
    assert make_extras_spec(agent, spec) == ()
    leafless = acting(agent, lambda observation, actions: {"nothing": None})
    assert make_extras_spec(leafless, spec) == ()
    extended = acting(agent, lambda seen, actions: extras_of(hash_of(seen), actions))
    described = make_extras_spec(extended, spec)
    assert described == SPEC
    assert pickle.loads(pickle.dumps(described)) == SPEC  # it travels to processes


@pytest.mark.parametrize("shape", [(), (1,), (7, 3)])
def test_extras_have_a_row_for_each_environment(plain, shape):
    agent, spec = plain
    wrong = acting(agent, lambda observation, actions: jnp.zeros(shape))
    with pytest.raises(ValueError, match=r"must have 3 rows, got .*: return leaves"):
        make_extras_spec(wrong, spec)


def test_describing_extras_starts_no_jax_backend():
    names = [
        name
        for name, recipe in REGISTRY.items()
        if recipe.dataset is None and recipe.actions != "tokens"
    ]
    code = f"""
from agents import REGISTRY
from launch.build import make_extras_spec
from tests.agents.cases import make, specs
print([make_extras_spec(make(name), specs(name)[0]) for name in {names!r}])
from jax._src import xla_bridge
print("backends:", list(xla_bridge._backends))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    said = f"{[()] * len(names)}\nbackends: []\n"
    assert done.stdout == said, done.stderr


def test_an_agent_that_is_none_is_refused(catch, monkeypatch):
    monkeypatch.setattr("agents.mdqn.agent", lambda config, spec: None)
    experiment = catch()
    with pytest.raises(ValueError) as error:
        build.make_stages(experiment, build.spec_of(experiment))
    assert str(error.value) == (
        "mdqn must build an agents.parts.contract.Agent, got NoneType: return it from "
        "agent(config, spec)"
    )
