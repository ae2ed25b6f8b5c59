"""The dataset as a store, and what is done to it first."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts.contract import (
    Agent,
    DatasetTables,
    Preparation,
    Spec,
    Storage,
    TrainingState,
    Transition,
    never_acts,
)
from launch.build import normalized
from launch.datasets.normalization import Prepared, prepare
from launch.datasets.sampler import DatasetBatches
from launch.roles.learner import Learner

SIZE, FEATURES, ACTIONS, BATCH = 11, 3, 2, 7


@pytest.fixture
def transitions():
    random = np.random.default_rng(5)
    return Transition(
        random.normal(3.0, 2.0, (SIZE, FEATURES)).astype(np.float32),
        random.uniform(-1, 1, (SIZE, ACTIONS)).astype(np.float32),
        np.linspace(-1, 4, SIZE, dtype=np.float32),
        (np.arange(SIZE) % 4 > 0).astype(np.float32),
        random.normal(3.0, 2.0, (SIZE, FEATURES)).astype(np.float32),
    )


def make(transitions, batch_size, seed, on_device=None, lookup=None, params=None):
    """Batches for an agent that looks something up, perhaps; they are prepared."""
    storage = Storage(batch_size=batch_size)
    agent = Agent(None, None, never_acts, storage, 0.99, lookup)
    dataset = Prepared(transitions, {}, {})
    batches = DatasetBatches(dataset, agent, seed, on_device)
    batches.prepare(params or {}, tick=lambda: None)
    return batches


def sample(store, step):
    """The batch of a step, as the update reads it."""
    store.restore(None, {}, step)
    return jax.jit(store.read)(store.next(), store.shared)


@pytest.mark.parametrize("on_device", [True, False])
def test_a_batch_is_rows_of_the_dataset(transitions, on_device):
    store = make(transitions, BATCH, seed=3, on_device=on_device)
    batch = jax.tree.map(np.asarray, sample(store, 0))
    rows = np.searchsorted(transitions.reward, batch.reward)
    assert batch.observation.shape == (BATCH, FEATURES) and batch.extras == ()
    for column, sampled in zip(transitions[:5], batch[:5], strict=True):
        np.testing.assert_array_equal(column[rows], sampled)


def test_rows_depend_on_the_seed_and_the_step_only(transitions):
    def rewards(seed, step, on_device=True):
        store = make(transitions, 40, seed, on_device)
        return np.asarray(sample(store, step).reward).tolist()

    assert rewards(1, 2) == rewards(1, 2, on_device=False)
    streams = [rewards(seed, step) for seed in (1, 2) for step in (0, 1, 2)]
    assert len({tuple(stream) for stream in streams}) == len(streams)
    # Nor is a step's stream a piece of the one before, shifted.
    assert not any(streams[0][shift:] == streams[1][:-shift] for shift in range(1, 30))


def test_steps_may_be_drawn_in_any_order(transitions):
    store = make(transitions, 5, seed=1)
    found = [store.rows(step).tolist() for step in (0, 7, 3, 7, 0)]
    alone = [
        make(transitions, 5, seed=1).rows(step).tolist() for step in (0, 7, 3, 7, 0)
    ]
    assert found == alone


def test_rows_are_uniform(transitions):
    store = make(transitions, 500, seed=0)
    rewards = np.concatenate([np.asarray(sample(store, i).reward) for i in range(40)])
    counts = np.bincount(np.searchsorted(transitions.reward, rewards), minlength=SIZE)
    expected = len(rewards) / SIZE
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert chi_squared < 29.6  # 0.1 % of chi-squared with 10 degrees of freedom


def test_extras_belong_to_the_rows_of_the_batch(transitions):
    lookup = DatasetTables(
        build=lambda params, logged, tick: params["a"] * logged.reward,
        read=lambda tables, rows: {"scaled": tables[rows]},
    )
    store = make(transitions, BATCH, 3, lookup=lookup, params={"a": 10.0})
    batch = sample(store, 4)
    np.testing.assert_allclose(batch.extras["scaled"], 10 * batch.reward, rtol=1e-6)


@pytest.mark.parametrize("on_device", [True, False])
def test_an_update_reads_its_own_batch(transitions, on_device):
    lookup = DatasetTables(
        build=lambda params, logged, tick: logged.reward,
        read=lambda tables, rows: 10 * tables[rows],
    )
    agent = Agent(
        init=lambda key: TrainingState({"policy": 0.0}, {}, {}, jnp.int32(0), key),
        update=lambda state, batch: (state, {"batch": batch}),
        act=never_acts,
        storage=Storage(batch_size=BATCH),
        discount=0.99,
        tables=lookup,
    )
    store = DatasetBatches(Prepared(transitions, {}, {}), agent, 3, on_device)
    store.prepare({}, tick=lambda: None)
    learner = Learner(agent, 0, store)
    for step in (4, 2):
        store.restore(None, {}, step)
        learner.step()
        rows, seen = store.rows(step), learner.metrics["batch"]
        for column, read_of_it in zip(transitions[:5], seen[:5], strict=True):
            np.testing.assert_array_equal(column[rows], read_of_it)
        np.testing.assert_allclose(seen.extras, 10 * transitions.reward[rows])


def test_normalised_observations_have_mean_zero_and_deviation_one(transitions):
    prepared = prepare(transitions, Preparation())
    seen = prepared.transitions.observation
    np.testing.assert_allclose(seen.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(seen.std(axis=0), 1, atol=2e-3)
    assert seen.dtype == prepared.transitions.next_observation.dtype == np.float32
    # The same change, of both ends of a transition.
    row, column = 4, 1
    scale = transitions.observation[:, column].std() + 1e-3
    mean = transitions.observation[:, column].mean()
    expected = (transitions.next_observation[row, column] - mean) / scale
    assert prepared.transitions.next_observation[row, column] == pytest.approx(expected)
    np.testing.assert_array_equal(prepared.transitions.reward, transitions.reward)


def test_scaled_rewards_span_one(transitions):
    prepared = prepare(transitions, Preparation(False, scale_rewards=True))
    np.testing.assert_allclose(
        prepared.transitions.reward, transitions.reward / 5.0, rtol=1e-6
    )
    assert prepared.networks == {}


def test_equal_rewards_cannot_be_scaled(transitions):
    flat = transitions._replace(reward=np.ones(SIZE, np.float32))
    with pytest.raises(ValueError, match="scale_rewards false"):
        prepare(flat, Preparation(scale_rewards=True))


def test_the_policy_sees_observations_as_the_learner_did(transitions, key):
    spec = Spec(
        jax.ShapeDtypeStruct((FEATURES,), np.float32),
        0,
        jax.ShapeDtypeStruct((ACTIONS,), np.float32),
    )

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
    np.testing.assert_array_equal(seen[0], transitions.observation)  # until it is told
    prepared = prepare(transitions, Preparation())
    wrapped.act(params | prepared.networks, key, transitions.observation, 0, True)
    np.testing.assert_allclose(
        seen[1], prepared.transitions.observation, rtol=1e-5, atol=1e-6
    )
