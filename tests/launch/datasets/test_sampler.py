"""Batches drawn from a prepared dataset."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts.contract import (
    Agent,
    DatasetTables,
    Storage,
    TrainingState,
    never_acts,
)
from agents.ploff import neighbours
from launch import build
from launch.datasets import load
from launch.datasets.normalization import Prepared
from launch.datasets.sampler import DatasetBatches
from launch.roles.learner import Learner
from tests.launch.small_experiments import pendulum

SIZE, FEATURES, BATCH = 11, 3, 7


def make(transitions, batch_size, seed, on_device=None, lookup=None, params=None):
    """Prepared batches, for an agent with lookup tables if `lookup` is given."""
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
    # Nor is a step's stream a shifted piece of the previous step's.
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


def test_building_lookup_tables_calls_tick(dataset, monkeypatch, tmp_path):
    """A search among a million transitions takes longer than a watchdog waits."""
    wanted = pendulum("ploff", dataset)
    spec, ticks = build.spec_of(wanted), list[int]()
    prepared = load.load_prepared(wanted, spec)
    monkeypatch.setattr(neighbours, "BLOCK", 50)
    agent = build.make_agent(wanted, spec)
    params = agent.init(jax.random.key(0)).params
    DatasetBatches(prepared, agent, 0).prepare(params, lambda: ticks.append(1))
    # Of 150 rows: 3 blocks of states, of pairs, 3 or 4 of queries, 1 of last states.
    assert len(ticks) >= 10


def test_parts_of_a_batch_make_up_the_batch_of_one_learner(transitions):
    storage = Storage(batch_size=12)
    agent = Agent(None, None, never_acts, storage, 0.99)
    dataset = Prepared(transitions, {}, {})
    whole, *parts = [
        DatasetBatches(dataset, agent, seed=3, on_device=False, part=part)
        for part in ((0, 1), (0, 3), (1, 3), (2, 3))
    ]
    for _ in range(2):
        drawn, pieces = whole.next(), [part.next() for part in parts]
        assert [len(piece.rows) for piece in pieces] == [4, 4, 4]
        rows = np.concatenate([piece.rows for piece in pieces])
        np.testing.assert_array_equal(rows, drawn.rows)
        rewards = np.concatenate([piece.transitions.reward for piece in pieces])
        np.testing.assert_array_equal(rewards, drawn.transitions.reward)
