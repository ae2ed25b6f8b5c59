"""Queues of Reverb: each transition once and in order, and none too old."""

import math
import threading
import time

import dm_env
import jax
import numpy as np
import pytest

from agents.parts.contract import Spec, Storage
from launch.replay import limiter, reverb_queue, shards
from tests.launch.replay import recorded_streams as streams

pytestmark = [
    pytest.mark.reverb,
    # TensorFlow 2.8 is older than NumPy's deprecations.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

COLUMNS, TOKENS = 7, 4
SPEC = Spec(
    jax.ShapeDtypeStruct((COLUMNS,), np.int32),
    11,
    jax.ShapeDtypeStruct((TOKENS,), np.int32),
)
EXTRAS = {
    "agent": {"log_probs": jax.ShapeDtypeStruct((TOKENS,), np.float32)},
    "version": jax.ShapeDtypeStruct((), np.int32),
}


def storage(batch_size, capacity=None):
    return Storage(
        order="queue",
        batch_size=batch_size,
        capacity=capacity or batch_size,
        min_size=1,
        samples_per_insert=1.0,
    )


class Queues:
    """Servers with a queue for each actor, and what writes to them and reads them."""

    def __init__(
        self, batch_size, actors, replays=1, spec=SPEC, extras=EXTRAS, chunk=1, **more
    ):
        import reverb

        self.storage, self.spec, self.extras = storage(batch_size, **more), spec, extras
        self.chunk = chunk
        self.stopped = threading.Event()
        self.acting = [True] * actors
        self.adders = []
        self.servers = [
            reverb.Server(
                reverb_queue.make_queues(
                    self.storage,
                    actors=actors,
                    queues=range(index, actors, replays),
                    chunk=chunk,
                )
            )
            for index in range(replays)
        ]
        self.addresses = [
            f"localhost:{self.servers[shards.shard_of(actor, replays)].port}"
            for actor in range(actors)
        ]
        self.batches = reverb_queue.QueueBatches(
            self.addresses,
            self.storage,
            spec,
            chunk=chunk,
            stop=self.stopped.is_set,
            acting=self.acting.__getitem__,
            extras=extras,
        )
        self.batches.prepare({}, lambda: None)

    def adder(self, actor, lanes):
        import reverb

        made = reverb_queue.QueueAdder(
            reverb.Client(self.addresses[actor]),
            self.storage,
            self.spec,
            num_environments=lanes,
            table=shards.queue_name(actor),
            chunk=self.chunk,
            stop=self.stopped.is_set,
            extras=self.extras,
        )
        self.adders.append(made)
        return made

    def close(self):
        self.stopped.set()
        self.batches.close()
        for server in self.servers:  # it would wait for actors that wait for room
            client = server.localhost_client()
            for _ in range(5):
                for table in client.server_info():
                    client.reset(table)
        for adder in self.adders:
            adder.close()
        for server in self.servers:
            server.stop()


@pytest.fixture
def make_queues():
    """Makes servers that end with the test."""
    made = []

    def make(*arguments, **settings):
        made.append(Queues(*arguments, **settings))
        return made[-1]

    yield make
    for queues in made:
        queues.close()


class Generations:
    """An actor of one-step episodes; its items are full of their number."""

    def __init__(self, adder, lanes, first=0):
        self.adder, self.lanes, self.number = adder, lanes, first
        adder.observe_first(self.timestep(streams.FIRST))

    def timestep(self, kind):
        zeros = np.zeros(self.lanes, np.float32)
        observation = np.full((self.lanes, COLUMNS), self.number, np.int32)
        kinds = np.full(self.lanes, kind, np.int32)
        return dm_env.TimeStep(kinds, zeros, zeros, observation)

    def add(self, version):
        """Stores the completions of one generation, then begins the next episodes."""
        tokens = np.arange(self.lanes * TOKENS, dtype=np.int32).reshape(-1, TOKENS)
        tokens += self.number
        extras = {
            "agent": {"log_probs": -tokens.astype(np.float32)},
            "version": np.full(self.lanes, version, np.int32),
        }
        self.adder.observe(tokens, self.timestep(streams.LAST), extras)
        self.number += self.lanes * TOKENS
        self.adder.observe(tokens, self.timestep(streams.FIRST), extras)


def test_a_chunk_divides_capacity_batch_and_environments():
    """So that full chunks fill a queue and an actor's part of a batch."""
    assert reverb_queue.chunk_of(storage(32), actors=1, environments=32) == 32
    assert reverb_queue.chunk_of(storage(12, 24), actors=2, environments=9) == 3
    assert reverb_queue.chunk_of(storage(12, 20), actors=2, environments=6) == 2
    assert reverb_queue.chunk_of(storage(12), actors=4, environments=4) == 1


# With several lanes some steps complete fewer transitions than a chunk holds.
@pytest.mark.parametrize("chunk", [1, 2])
def test_each_transition_is_taken_once_and_in_order(make_queues, chunk):
    # Capacity for all, so that one thread can write and then read.
    queues = make_queues(
        6, actors=2, capacity=1000, spec=streams.make_spec(1), extras=(), chunk=chunk
    )
    wanted = []
    for actor, lanes in enumerate((2, 3)):
        stream = streams.record(steps=31, frame_stack=1, lanes=lanes, seed=actor)
        adder = queues.adder(actor, lanes)
        streams.feed(adder, stream)
        adder.close()
        queues.acting[actor] = False
        reference = streams.reference(stream, n_step=1, discount=0.9)
        wanted += [streams.key(transition) for transition in reference]
    count = len(wanted)
    progress = queues.batches.progress()
    assert progress["store"] == "reverb"
    assert count <= progress["queued"] <= chunk * count
    assert (progress["queued"] == count) is (chunk == 1)
    taken = []
    with pytest.raises(StopIteration):
        while True:
            taken += streams.keys(queues.batches.next())
    # All but the rest, also where one queue has ended before the other.
    assert len(taken) == count // 6 * 6 and count % 6
    assert len(set(taken)) == len(taken) and set(taken) <= set(wanted)
    assert queues.batches.progress()["queued"] == count % 6


@pytest.mark.parametrize("chunk", [1, 3])
def test_batches_hold_completions_and_what_was_stored_with_them(make_queues, chunk):
    queues = make_queues(6, actors=2, chunk=chunk)
    for actor, first in ((0, 0), (1, 500)):
        Generations(queues.adder(actor, 3), 3, first).add(version=7 + actor)
    batch = queues.batches.next()
    assert batch.observation.shape == (6, COLUMNS)
    assert (batch.action.shape, batch.action.dtype) == ((6, TOKENS), np.int32)
    assert batch.action[:, 0].tolist() == [0, 4, 8, 500, 504, 508]
    assert batch.extras["version"].tolist() == [7, 7, 7, 8, 8, 8]
    log_probs = batch.extras["agent"]["log_probs"]
    assert log_probs.dtype == np.float32
    np.testing.assert_array_equal(log_probs, -batch.action)
    assert batch.discount.tolist() == [0.0] * 6


@pytest.mark.parametrize("replays", [1, 2])
def test_queues_share_the_capacity_and_the_servers(make_queues, replays):
    queues = make_queues(12, actors=3, replays=replays, capacity=24)
    sizes = [
        {
            name: table.max_size
            for name, table in server.localhost_client().server_info().items()
        }
        for server in queues.servers
    ]
    names = ["queue/0", "queue/1", "queue/2"]
    assert sizes == [dict.fromkeys(names[i::replays], 8) for i in range(replays)]
    for actor in range(3):
        Generations(queues.adder(actor, 4), 4, 100 * actor).add(0)
    sources = queues.batches.next().action[:, 0] // 100
    assert sources.tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_an_actor_waits_while_its_queue_is_full_and_a_stop_frees_it(make_queues):
    queues = make_queues(3, actors=1)
    adder = queues.adder(0, 2)
    done = []

    def act():
        actor = Generations(adder, 2)
        for version in range(5):
            actor.add(version)
            done.append(version)

    acting = threading.Thread(target=act, daemon=True)
    acting.start()
    for batches in range(2):
        _until(lambda batches=batches: len(done) == (3 * batches + 3) // 2)
        time.sleep(0.2)
        assert len(done) == (3 * batches + 3) // 2, "no more fits into the queue"
        assert limiter.describe_all(queues.servers[0].localhost_client(), "replay")[
            0
        ].endswith("the actors wait for 1 samples")
        queues.batches.next()
    queues.stopped.set()
    acting.join(20)
    assert not acting.is_alive()
    assert adder.waited_seconds > 0.3


def _until(true, seconds=20.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_stop_ends_the_wait_for_a_batch(make_queues):
    queues = make_queues(3, actors=1)
    threading.Timer(0.3, queues.stopped.set).start()
    with pytest.raises(StopIteration):
        queues.batches.next()


@pytest.mark.parametrize("slow, chunk", [(0.02, 1), (0.1, 1), (0.02, 2)])
def test_no_transition_is_older_than_the_bound(make_queues, slow, chunk):
    """Also if an actor takes much longer than the others for a generation."""
    lanes, actors, batch_size = 2, 3, 6
    queues = make_queues(batch_size, actors=actors, chunk=chunk)
    steps = [0]  # of the learner

    def act(index):
        actor = Generations(queues.adder(index, lanes), lanes)
        while not queues.stopped.is_set():
            version = steps[0]
            time.sleep(0.0 if index else slow)
            actor.add(version)

    threads = [threading.Thread(target=act, args=(i,), daemon=True) for i in range(3)]
    for thread in threads:
        thread.start()
    ages = []
    for _ in range(25):
        batch = queues.batches.next()
        ages += (steps[0] - batch.extras["version"]).tolist()
        steps[0] += 1
    queues.stopped.set()
    for thread in threads:
        thread.join(20)
    bound = math.ceil((batch_size + actors * lanes) / batch_size)
    assert bound == 2
    assert 0 < max(ages) <= bound and min(ages) >= 0


def test_nothing_is_saved_and_a_resumed_run_starts_with_empty_queues(
    make_queues, tmp_path
):
    queues = make_queues(3, actors=1)
    Generations(queues.adder(0, 2), 2).add(0)
    assert queues.batches.progress() == {"store": "reverb", "queued": 2}
    assert queues.batches.stored() == 0
    queues.batches.save(tmp_path / "replay")
    assert list((tmp_path / "replay").iterdir()) == []
    again = make_queues(3, actors=1)
    again.batches.restore(tmp_path / "replay", queues.batches.progress(), 5)
    assert again.batches.progress()["queued"] == 0
