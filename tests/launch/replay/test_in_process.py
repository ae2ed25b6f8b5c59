"""The in-process replay: what it stores, how it samples, how often."""

import dataclasses
import itertools

import dm_env
import numpy as np
import pytest
from scipy import stats

from agents.parts.contract import Spec, Storage, discrete_spec
from launch.replay.in_process import InProcess
from tests.launch.replay import recorded_streams as streams

DISCOUNT = 0.9
STORAGE = Storage(
    n_step=3, capacity=1000, min_size=5, batch_size=13, samples_per_insert=2.0
)


def make_store(
    storage: Storage, *, frame_stack: int, lanes: int = 2, seed: int = 7
) -> InProcess:
    return InProcess(
        storage,
        streams.make_spec(frame_stack),
        discount=DISCOUNT,
        frame_stack=frame_stack,
        num_environments=lanes,
        seed=seed,
    )


def sampled_keys(store: InProcess, batches: int) -> list[tuple]:
    return [key for _ in range(batches) for key in streams.keys(store.next())]


def scalar_store(n_step: int) -> InProcess:
    storage = dataclasses.replace(STORAGE, n_step=n_step)
    return InProcess(
        storage,
        discrete_spec((), np.float32, 11),
        discount=0.5,
        frame_stack=1,
        num_environments=1,
        seed=0,
    )


def scalar_step(kind: int, reward: float, discount: float, observation: float):
    return dm_env.TimeStep(
        np.array([kind], np.int32),
        np.array([reward], np.float32),
        np.array([discount], np.float32),
        np.array([observation], np.float32),
    )


@pytest.mark.parametrize("n_step", [1, 3])
@pytest.mark.parametrize("frame_stack", [1, 4])
def test_holds_exactly_the_transitions_of_the_episodes(n_step, frame_stack):
    storage = dataclasses.replace(STORAGE, n_step=n_step)
    stream = streams.record(steps=90, frame_stack=frame_stack)
    store = make_store(storage, frame_stack=frame_stack)
    streams.feed(store, stream)
    reference = streams.reference(stream, n_step=n_step, discount=DISCOUNT)
    assert store.size == store.inserted == len(reference)
    wanted = {streams.key(transition) for transition in reference}
    assert len(wanted) == len(reference)
    assert set(sampled_keys(store, 200)) == wanted


@pytest.mark.parametrize(("ending", "bootstraps"), [(0.0, 0.0), (1.0, 1.0)])
def test_n_step_returns_equal_those_computed_by_hand(ending, bootstraps):
    store = scalar_store(n_step=3)
    store.observe_first(scalar_step(streams.FIRST, 0, 1, 10))
    for i, reward in enumerate([1.0, 2.0, 4.0]):
        step = scalar_step(streams.MID, reward, 1, 11 + i)
        store.observe(np.array([i], np.int32), step)
    store.observe(np.array([3], np.int32), scalar_step(streams.LAST, 8, ending, 14))
    # observation, action, return, discount, next observation; gamma is 0.5
    assert set(sampled_keys(store, 20)) == {
        ((10,), 0, 1 + 2 / 2 + 4 / 4, 0.25, (13,)),
        ((11,), 1, 2 + 4 / 2 + 8 / 4, 0.25 * bootstraps, (14,)),
        ((12,), 2, 4 + 8 / 2, 0.5 * bootstraps, (14,)),
        ((13,), 3, 8, bootstraps, (14,)),
    }


def test_a_lost_life_ends_the_sum_but_not_the_episode():
    store = scalar_store(n_step=3)
    store.observe_first(scalar_step(streams.FIRST, 0, 1, 10))
    for i, discount in enumerate([1.0, 0.0, 1.0, 1.0]):
        step = scalar_step(streams.MID, 2.0**i, discount, 11 + i)
        store.observe(np.array([i], np.int32), step)
    assert set(sampled_keys(store, 20)) == {
        ((10,), 0, 1 + 2 / 2, 0, (13,)),
        ((11,), 1, 2, 0, (14,)),
    }


def test_an_abandoned_episode_leaves_no_transition_into_the_next():
    store = scalar_store(n_step=2)
    action = np.zeros(1, np.int32)
    store.observe_first(scalar_step(streams.FIRST, 0, 1, 10))
    store.observe(action, scalar_step(streams.MID, 1, 1, 11))
    store.observe(action, scalar_step(streams.MID, 1, 1, 12))
    store.observe(action, scalar_step(streams.FIRST, 0, 1, 20))
    store.observe(action, scalar_step(streams.MID, 1, 1, 21))
    assert set(sampled_keys(store, 5)) == {((10,), 0, 1.5, 0.5, (12,))}


def test_a_step_outside_of_an_episode_is_refused():
    store = scalar_store(n_step=1)
    with pytest.raises(ValueError, match="environment 0 has step type 1"):
        store.observe(np.zeros(1, np.int32), scalar_step(streams.MID, 0, 1, 0))


@pytest.mark.parametrize(("n_step", "frame_stack"), [(1, 1), (3, 1), (1, 4), (3, 4)])
def test_after_many_wraps_every_sample_is_a_recent_transition(n_step, frame_stack):
    storage = dataclasses.replace(STORAGE, n_step=n_step, capacity=37, min_size=2)
    stream = streams.record(steps=700, frame_stack=frame_stack, lengths=(1, 6))
    store = make_store(storage, frame_stack=frame_stack)
    everything = streams.reference(stream, n_step=n_step, discount=DISCOUNT)
    valid = {streams.key(transition) for transition in everything}
    store.observe_first(stream.steps[0][1])
    for step, (actions, timestep) in enumerate(stream.steps[1:], 1):
        store.observe(actions, timestep)
        if store.size:
            batch = streams.keys(store.next())
            assert set(batch) <= valid
            # Frames count up, so old ones show: a ring of 19 rows holds 19 steps.
            oldest = min(np.ravel(timestep.observation[0])[-1], 1_000_000) - 20
            assert all(k[0][-1] > oldest for k in batch if k[0][-1] < 1_000_000)
        if step > 20:
            assert 0 < store.size <= storage.capacity


def test_size_counts_only_transitions_that_can_still_be_sampled():
    storage = dataclasses.replace(STORAGE, n_step=2, capacity=31, min_size=2)
    store = make_store(storage, frame_stack=3, lanes=1)
    streams.feed(store, streams.record(steps=400, frame_stack=3, lanes=1))
    assert len(set(sampled_keys(store, 100))) == store.size < store.inserted


def test_sampling_is_uniform():
    storage = dataclasses.replace(STORAGE, capacity=90, batch_size=29)
    stream = streams.record(steps=300, frame_stack=4, seed=3)
    store = make_store(storage, frame_stack=4)
    streams.feed(store, stream)
    drawn = sampled_keys(store, 600)
    counts = np.unique([k[0][-1] for k in drawn], return_counts=True)[1]
    assert len(counts) == store.size
    assert stats.chisquare(counts).pvalue > 0.01


def test_equal_seeds_give_equal_batches():
    stream = streams.record(steps=60, frame_stack=4)
    stores = [make_store(STORAGE, frame_stack=4, seed=seed) for seed in (5, 5, 6)]
    for store in stores:
        streams.feed(store, stream)
    first, again, other = (sampled_keys(store, 9) for store in stores)
    assert first == again != other


def test_batch_shapes_and_types():
    stream = streams.record(steps=60, frame_stack=4)
    store = make_store(STORAGE, frame_stack=4)
    streams.feed(store, stream)
    batch = store.next()
    assert batch.observation.shape == (13, 4, 2, 3)
    assert batch.next_observation.shape == (13, 4, 2, 3)
    assert batch.observation.dtype == batch.action.dtype == np.int32
    assert batch.reward.dtype == batch.discount.dtype == np.float32
    assert batch.action.shape == batch.reward.shape == batch.discount.shape == (13,)


def test_continuous_actions_are_kept():
    spec = discrete_spec((5,), np.float32, 0)
    spec = Spec(spec.observation, 0, type(spec.action)((3,), np.float32))
    store = InProcess(
        STORAGE, spec, discount=1.0, frame_stack=1, num_environments=2, seed=0
    )
    ones = np.ones(2, np.float32)
    observation = np.zeros((2, 5), np.float32)
    kinds = [np.full(2, kind, np.int32) for kind in (streams.FIRST, streams.LAST)]
    first, last = (dm_env.TimeStep(kind, ones, ones, observation) for kind in kinds)
    actions = np.arange(6, dtype=np.float32).reshape(2, 3)
    store.observe_first(first)
    store.observe(actions, last)
    drawn = np.unique(store.next().action, axis=0)
    np.testing.assert_array_equal(drawn, actions)


@pytest.mark.parametrize("samples_per_insert", [0.3, 8.0])
def test_samples_per_insert_is_honoured(samples_per_insert):
    storage = dataclasses.replace(
        STORAGE,
        n_step=1,
        min_size=500,
        batch_size=32,
        samples_per_insert=samples_per_insert,
    )
    store = make_store(storage, frame_stack=1)
    stream = streams.record(steps=400, frame_stack=1, lengths=(9, 40))
    store.observe_first(stream.steps[0][1])
    for actions, timestep in itertools.islice(itertools.cycle(stream.steps), 1, 5400):
        store.observe(actions, timestep)
        if store.inserted <= storage.min_size:
            assert store.owed() == 0
        for _ in range(store.owed()):
            store.next()
    assert store.inserted > 10_000
    ratio = store.sampled / (store.inserted - storage.min_size)
    assert ratio == pytest.approx(samples_per_insert, rel=0.01)


def test_an_atari_transition_costs_one_frame():
    storage = dataclasses.replace(STORAGE, capacity=100_000, batch_size=32)
    store = InProcess(
        storage,
        discrete_spec((4, 84, 84), np.uint8, 6),
        discount=0.99,
        frame_stack=4,
        num_environments=7,
        seed=0,
    )
    assert store.nbytes / storage.capacity < 8_000


def test_unstacked_observations_are_refused_with_frame_stacking():
    with pytest.raises(ValueError, match=r"shape \(2, 3\): expected 4 stacked"):
        InProcess(
            STORAGE,
            streams.make_spec(1),
            discount=0.9,
            frame_stack=4,
            num_environments=1,
            seed=0,
        )


def test_sampling_from_an_empty_store_is_refused():
    with pytest.raises(ValueError, match="no transition"):
        make_store(STORAGE, frame_stack=1).next()


@pytest.mark.parametrize(("n_step", "held"), [(1, 9), (3, 7)])
def test_a_full_ring_holds_every_transition_of_its_rows(n_step, held):
    """Ten rows of one long episode are ten frames, and so ten less n transitions."""
    storage = dataclasses.replace(STORAGE, n_step=n_step, capacity=10)
    spec = discrete_spec((), np.float32, 11)
    store = InProcess(
        storage, spec, discount=0.5, frame_stack=1, num_environments=1, seed=0
    )
    store.observe_first(scalar_step(streams.FIRST, 0, 1, 0))
    for step in range(1, 31):
        store.observe(np.zeros(1, np.int32), scalar_step(streams.MID, 0, 1, step))
    seen = {float(x) for _ in range(60) for x in store.next().observation}
    assert store.size == len(seen) == held
    assert seen == set(range(21, 21 + held))
