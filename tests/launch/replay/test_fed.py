"""A store that actors feed through Reverb equals one that is fed in the process."""

import dataclasses
import functools
import threading
import time

import jax
import numpy as np
import pytest

from agents.parts.contract import Storage
from launch.errors import RunDirectoryError
from launch.replay import QUEUED, row_table
from launch.replay.fed import Fed
from launch.replay.in_process import InProcess
from launch.replay.limiter import TABLE, error_buffer
from launch.replay.rows import Rows
from tests.launch.replay import made_up_extras
from tests.launch.replay import recorded_streams as streams

pytestmark = [
    pytest.mark.reverb,
    # TensorFlow 2.8 is older than NumPy's deprecations.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

LANES, ACTORS, STACK, DISCOUNT = 3, 2, 4, 0.9
STORAGE = Storage(
    n_step=3, capacity=300, min_size=50, batch_size=7, samples_per_insert=2.0
)


class Parts:
    """A server, a store that it feeds, and its actors' adders."""

    def __init__(self, make_server, storage=STORAGE, extras=(), **settings):
        self.client = make_server(row_table.make_tables())
        self.storage, self.extras = storage, extras
        self.stopped, self.acting = threading.Event(), True
        self.actors: list[threading.Thread] = []
        self.fed = Fed(
            self.client.server_address,
            storage,
            self.store(),
            stop=self.stopped.is_set,
            acting=lambda: self.acting,
            **settings,
        )

    def store(self):
        return InProcess(
            self.storage,
            streams.make_spec(STACK),
            discount=DISCOUNT,
            frame_stack=STACK,
            num_environments=ACTORS * LANES,
            seed=5,
            extras=self.extras,
            place="device",
        )

    def adder(self, actor):
        return row_table.ChunkAdder(
            self.client,
            self.rows(),
            chunk=row_table.rows_of_chunk(self.storage),
            first_lane=actor * LANES,
            stop=self.stopped.is_set,
        )

    def rows(self):
        return Rows(
            self.storage,
            streams.make_spec(STACK),
            discount=DISCOUNT,
            frame_stack=STACK,
            num_environments=LANES,
            extras=self.extras,
        )

    def act(self, actor, stream, feed=streams.feed):
        """Sends an actor's steps in a thread, as the table holds few of them."""

        def run():
            adder = self.adder(actor)
            feed(adder, stream)
            adder.close()

        self.actors.append(threading.Thread(target=run, daemon=True))
        self.actors[-1].start()

    def close(self):
        self.stopped.set()
        self.fed.close()
        for actor in self.actors:
            actor.join(20)
        self.client.reset(TABLE)  # else a writer that waits would live on


@pytest.fixture
def make_parts(make_server):
    made = []

    def make(**settings):
        made.append(Parts(make_server, **settings))
        return made[-1]

    yield make
    for parts in made:
        parts.close()


def recorded(actor, steps=90):
    return streams.record(steps=steps, frame_stack=STACK, lanes=LANES, seed=actor)


def read(batches):
    batch = batches.next()
    return jax.jit(batches.read)(batch, batches.shared)


def await_true(condition, seconds=100):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it has not come true"
        time.sleep(0.01)


def await_rest(number):
    """Waits until a number has not changed for 1.5 seconds."""
    last, since = number(), time.monotonic()
    while time.monotonic() < since + 1.5:
        if number() != last:
            last, since = number(), time.monotonic()
        time.sleep(0.01)


def test_batches_are_those_of_a_store_that_is_fed_in_the_process(make_parts):
    """One actor: the order of its rows is the only one, whatever the chunks."""
    inserts = len(streams.reference(recorded(0), n_step=3, discount=DISCOUNT))
    storage = dataclasses.replace(STORAGE, min_size=inserts - 15, capacity=inserts)
    assert 2 * 15 < error_buffer(storage), "all rows may be stored at once"
    parts = make_parts(storage=storage)
    local = parts.store()
    for lane, row in stored_rows(parts):
        local.write(lane, row)
    assert local.inserted == inserts
    parts.fed.prepare({}, lambda: None)
    parts.act(0, recorded(0))
    await_true(lambda: parts.fed.owed() and parts.fed._store.inserted == inserts)
    for _ in range(2 * 15 // 7):
        jax.tree.map(np.testing.assert_array_equal, read(parts.fed), read(local))
    parts.acting = False
    with pytest.raises(StopIteration):
        parts.fed.next()


def stored_rows(parts):
    """The rows that an actor's steps become, in its order."""
    rows = parts.rows()
    steps = recorded(0).steps
    yield from rows.observe_first(steps[0][1])
    for actions, timestep in steps[1:]:
        yield from rows.observe(actions, timestep)


@pytest.mark.parametrize("extras", [(), made_up_extras.SPEC], ids=["plain", "extras"])
def test_every_transition_of_all_actors_is_stored_and_no_other(make_parts, extras):
    reference = [
        streams.key(transition)
        for actor in range(ACTORS)
        for transition in streams.reference(
            recorded(actor), n_step=3, discount=DISCOUNT
        )
    ]
    storage = dataclasses.replace(
        STORAGE, min_size=len(reference), capacity=5_000, batch_size=97
    )
    parts = make_parts(storage=storage, extras=extras)
    parts.fed.prepare({}, lambda: None)
    feed = functools.partial(made_up_extras.feed, frame_stack=STACK)
    feed = feed if extras else streams.feed
    for actor in range(ACTORS):
        parts.act(actor, recorded(actor), feed)
    store = parts.fed._store

    def all_stored():
        parts.fed.owed()
        return store.inserted == len(reference)

    await_true(all_stored)
    shared, found = store.shared, set()
    for _ in range(80):
        batch = store.read(store.next(), shared)
        found |= set(streams.keys(batch))
        if extras:
            frames = made_up_extras.newest_frame(np.asarray(batch.observation), STACK)
            wanted = made_up_extras.extras_of(frames, batch.action)
            jax.tree.map(np.testing.assert_array_equal, batch.extras, wanted)
    assert found == set(reference)


def test_actors_wait_when_too_many_samples_are_owed(make_parts):
    """The store takes no rows beyond the tolerance that a Reverb table would have."""
    parts = make_parts()
    parts.fed.prepare({}, lambda: None)
    adder, steps = parts.adder(0), recorded(0, steps=2_000).steps
    done = []

    def act():
        adder.observe_first(steps[0][1])
        for actions, timestep in steps[1:]:
            if parts.stopped.is_set():
                return
            adder.observe(actions, timestep)
            done.append(1)

    actor = threading.Thread(target=act, daemon=True)
    actor.start()
    store = parts.fed._store
    await_true(lambda: (parts.fed.owed(), store.inserted > STORAGE.min_size)[1])
    await_rest(lambda: (parts.fed.owed(), len(done))[1])
    before = len(done)
    due = STORAGE.samples_per_insert * (store.inserted - STORAGE.min_size)
    rows = row_table.rows_of_chunk(STORAGE)
    chunk = rows * STORAGE.samples_per_insert
    assert error_buffer(STORAGE) < due <= error_buffer(STORAGE) + chunk
    # Chunks in the table and in the learner's process, and those under way; the last
    # two decisions of each lane may not be complete transitions yet.
    kinds = [timestep.step_type for _, timestep in steps[1 : before + 1]]
    decisions = int((np.array(kinds) != streams.FIRST).sum())
    most = 2 * row_table.MOST_CHUNKS + 3
    assert decisions < store.inserted + most * rows + 2 * LANES
    for _ in range(20):
        parts.fed.owed()
        parts.fed.next()
    await_true(lambda: (parts.fed.owed(), len(done) > before)[1])
    assert adder.waited_seconds > 1
    parts.stopped.set()
    actor.join(20)
    assert not actor.is_alive()
    assert store.sampled == 20 * STORAGE.batch_size


def test_no_row_is_stored_within_a_turn(make_parts):
    """A batch refers to rows, which must be those of before its update."""
    parts = make_parts(updates_per_call=2)
    parts.fed.prepare({}, lambda: None)
    store = parts.fed._store
    parts.act(0, recorded(0, steps=60))
    await_true(lambda: parts.fed.owed() == 2)
    await_true(lambda: parts.fed._waiting)
    inserted = store.inserted
    for _ in range(2):
        parts.fed.next()
        assert store.inserted == inserted


def test_a_stop_ends_the_wait_for_a_batch(make_parts):
    parts = make_parts()
    parts.fed.prepare({}, lambda: None)
    assert parts.fed.owed() == 1
    threading.Timer(0.3, parts.stopped.set).start()
    began = time.monotonic()
    with pytest.raises(StopIteration):
        parts.fed.next()
    assert 0.2 < time.monotonic() - began < 20


def test_rows_of_a_replay_server_are_refused(make_parts, tmp_path):
    parts = make_parts()
    parts.fed.restore(None, {"store": "reverb"}, learner_steps=1)  # none were saved
    with pytest.raises(RunDirectoryError, match="--replay must be host, as in the run"):
        parts.fed.restore(tmp_path, {"store": "reverb", "replays": 1}, learner_steps=1)


def test_a_resumed_store_continues_with_the_same_batches(make_parts, tmp_path):
    parts, again = make_parts(), make_parts()
    parts.fed.prepare({}, lambda: None)
    parts.act(0, recorded(0, steps=60))
    most = 2 * row_table.MOST_CHUNKS  # of one row each
    await_true(lambda: (parts.fed.owed(), parts.fed.progress()[QUEUED] == most)[1])
    await_rest(lambda: (parts.fed.owed(), parts.fed.progress()[QUEUED])[1])
    parts.fed.save(tmp_path / "replay")
    progress = parts.fed.progress()
    assert progress["store"] == "reverb"  # the run is a program's
    assert progress[QUEUED] == most
    again.fed.restore(tmp_path / "replay", progress, learner_steps=1)
    assert again.fed.stored() == parts.fed.stored() > 50
    assert again.fed._store.owed() == parts.fed._store.owed() > 0
    jax.tree.map(np.testing.assert_array_equal, read(again.fed), read(parts.fed))
