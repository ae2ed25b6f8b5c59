"""What every registered agent must satisfy, at odd and mutually different sizes."""

import dataclasses
import pickle

import jax
import numpy as np
import pytest

from agents import REGISTRY
from agents.parts import networks
from agents.parts.types import Transition, discrete_spec
from tests.agents import continuous

BATCH, ENVIRONMENTS, ACTIONS = 11, 3, 5
IMAGES = discrete_spec((2, 44, 36), np.uint8, ACTIONS)
VECTORS = discrete_spec((7,), np.float32, ACTIONS)
BOX = continuous.SPEC
DISCRETE = sorted(name for name in REGISTRY if REGISTRY[name].actions == "discrete")
CASES = {name: [VECTORS, IMAGES] if name in DISCRETE else [BOX] for name in REGISTRY}


def vectors(name):
    return CASES[name][0]


def make(name, spec):
    recipe = REGISTRY[name]
    torso = "dqn2013" if spec is IMAGES else "mlp"
    network = networks.Config(torso, (13,))
    return recipe.agent(dataclasses.replace(recipe.config(), network=network), spec)


def observations(spec, number, seed=0):
    rng = np.random.default_rng(seed)
    shape, dtype = spec.observation.shape, spec.observation.dtype
    if dtype == np.uint8:
        return rng.integers(0, 256, (number, *shape), np.uint8)
    return rng.normal(size=(number, *shape)).astype(dtype)


def batch_of(spec, seed=0):
    if spec is BOX:
        return continuous.batch_of(BATCH, seed)
    rng = np.random.default_rng(seed)
    return Transition(
        observation=observations(spec, BATCH, seed),
        action=rng.integers(0, ACTIONS, BATCH).astype(np.int32),
        reward=rng.normal(size=BATCH).astype(np.float32),
        discount=rng.integers(0, 2, BATCH).astype(np.float32),
        next_observation=observations(spec, BATCH, seed + 1),
    )


def leaves_equal(left, right):
    pairs = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.fixture(params=sorted(REGISTRY))
def name(request):
    return request.param


def each_case(test):
    """Runs a test of `name` and `spec` for every agent on all that it observes."""
    cases = [(name, spec) for name in sorted(REGISTRY) for spec in CASES[name]]
    ids = [f"{name}-{spec.observation.shape}" for name, spec in cases]
    return pytest.mark.parametrize(("name", "spec"), cases, ids=ids)(test)


@each_case
def test_update_is_pure_finite_and_compiled_once(name, spec, key):
    agent, batch = make(name, spec), batch_of(spec)
    traces = []

    def counted(state, batch):
        traces.append(1)
        return agent.update(state, batch)

    update = jax.jit(counted)
    state = agent.init(key)
    first, metrics = update(state, batch)
    again, _ = update(state, batch)
    assert leaves_equal(first.params, again.params)
    for _ in range(3):
        first, metrics = update(first, batch)
    assert len(traces) == 1
    for value in metrics.values():
        assert value.shape == () and np.isfinite(value)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(first.params))
    assert not leaves_equal(first.params, state.params)


def test_targets_start_equal_to_the_online_networks(name, key):
    state = make(name, vectors(name)).init(key)
    assert leaves_equal(state.params, state.target_params)


def test_repeated_updates_on_one_batch_reduce_the_loss(name, key):
    agent, batch = make(name, vectors(name)), batch_of(vectors(name))
    update, state, losses = jax.jit(agent.update), agent.init(key), []
    for _ in range(300):
        state, metrics = update(state, batch)
        # A policy's loss may rise: what it climbs moves.
        losses.append(sum(float(metrics.get(n, 0)) for n in ("q_loss", "critic_loss")))
    assert losses[-1] < 0.9 * losses[0]


def test_seeds_matter(name):
    agent = make(name, vectors(name))
    one, two = (agent.init(jax.random.key(seed)) for seed in (1, 2))
    assert not leaves_equal(one.params, two.params)


@each_case
def test_actions_fit_the_environment(name, spec, key):
    agent = make(name, spec)
    params, act = agent.init(key).params, jax.jit(agent.act)
    for evaluation in (False, True):
        actions = act(params, key, observations(spec, ENVIRONMENTS), 0, evaluation)
        assert actions.shape == (ENVIRONMENTS, *spec.action.shape)
        assert actions.dtype == spec.action.dtype
        low, high = (-1, 1) if spec is BOX else (0, ACTIONS - 1)
        assert np.all((np.asarray(actions) >= low) & (np.asarray(actions) <= high))


@pytest.mark.parametrize("name", DISCRETE)
def test_exploration_falls_and_evaluation_is_almost_greedy(name, key):
    agent = make(name, VECTORS)
    params, act = agent.init(key).params, jax.jit(agent.act)
    observation = np.tile(observations(VECTORS, 1), (2_000, 1))
    kinds = [
        len(np.unique(act(params, key, observation, steps, evaluation)))
        for steps, evaluation in ((0, False), (0, True))
    ]
    assert kinds[0] == ACTIONS
    greedy = np.bincount(act(params, key, observation, 0, True)).max()
    assert greedy > 0.98 * 2_000


def test_restoring_a_state_continues_exactly(name, key):
    agent, batch = make(name, vectors(name)), batch_of(vectors(name))
    update = jax.jit(agent.update)
    state, _ = update(agent.init(key), batch)
    plain = jax.tree.map(
        lambda leaf: leaf,
        state._replace(key=jax.random.key_data(state.key)),
    )
    saved = pickle.dumps(jax.tree.map(np.asarray, plain))
    loaded = pickle.loads(saved)
    restored = loaded._replace(key=jax.random.wrap_key_data(loaded.key))
    assert leaves_equal(
        update(state, batch)[0].params, update(restored, batch)[0].params
    )


def test_configuration_is_picklable_and_says_what_to_store(name):
    config = REGISTRY[name].config()
    assert pickle.loads(pickle.dumps(config)) == config
    agent = make(name, vectors(name))
    assert agent.storage.batch_size > 0 and 0 < agent.discount <= 1
