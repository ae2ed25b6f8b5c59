"""Batches of a server end when the run stops, or when no more will come."""

import contextlib
import time

import jax
import numpy as np
import pytest

from agents.parts.contract import Storage, Transition
from launch.errors import RunDirectoryError
from launch.replay import reverb_batches
from launch.replay.reverb_batches import ReverbBatches
from tests.launch.replay import recorded_streams as streams


def make(*addresses, stop=lambda: False, acting=lambda index: True, learners=1):
    return ReverbBatches(
        addresses or ["localhost:1"],
        Storage(min_size=5, batch_size=12, capacity=100),
        streams.make_spec(1),
        frame_stack=1,
        stop=stop,
        acting=acting,
        learners=learners,
    )


@pytest.mark.parametrize(
    "waited, acting, starved",
    [(1.9, False, False), (2.1, False, True), (60.0, True, False)],
)
def test_the_learner_starves_only_when_the_actors_have_ended(
    monkeypatch, waited, acting, starved
):
    batches = make(acting=lambda index: acting)
    batches._asked = 100.0
    monkeypatch.setattr(reverb_batches.time, "monotonic", lambda: 100.0 + waited)
    assert batches._starved(0) is starved


def test_one_batch_is_owed_at_a_time_and_progress_counts_the_servers():
    batches = make("a:1", "b:1", "c:1")
    assert batches.owed() == 1
    assert batches.progress() == {"store": "reverb", "replays": 3}


class Server:
    """A server that has given `batches` parts when its actors end; then it waits."""

    def __init__(self, index, batches):
        self.index, self.left = index, batches
        self.asked = 0

    def __next__(self):
        self.asked += 1
        if not self.left:
            raise StopIteration
        self.left -= 1
        return Transition(*[np.full((2, 3), self.index)] * 5)


def from_servers(monkeypatch, *batches, **settings):
    """Batches of made-up servers, at a time that the test moves."""
    now = [100.0]
    monkeypatch.setattr(reverb_batches.time, "monotonic", lambda: now[0])
    made = make(*[f"{index}:1" for index in range(len(batches))], **settings)
    made._readers = [Server(index, left) for index, left in enumerate(batches)]
    return made, now


def sources(batch):
    return batch.observation[:, 0].tolist()


def test_a_batch_has_equal_parts_of_all_servers(monkeypatch):
    batches, _ = from_servers(monkeypatch, 9, 9, 9)
    assert [sources(batches.next()) for _ in range(2)] == [[0, 0, 1, 1, 2, 2]] * 2
    assert batches.next().extras == () and batches.next().reward.shape == (6, 3)


def test_servers_without_actors_do_not_hold_up_the_others(monkeypatch):
    batches, now = from_servers(monkeypatch, 9, 1, 9)
    assert sources(batches.next()) == [0, 0, 1, 1, 2, 2]
    assert sources(batches.next()) == [0, 0, 2, 2, 2, 2]
    assert sources(batches.next()) == [0, 0, 2, 2, 2, 2]
    silent = batches._readers[1]
    assert silent.asked == 2, "a server that is silent is not waited for at each batch"
    silent.left = 1  # an actor of it was started again
    now[0] += 60
    assert sources(batches.next()) == [0, 0, 1, 1, 2, 2]


def test_batches_end_when_no_server_has_more(monkeypatch):
    batches, _ = from_servers(monkeypatch, 3, 1)
    assert sources(batches.next()) == [0, 0, 1, 1]
    assert sources(batches.next()) == [0, 0, 0, 0]
    with pytest.raises(StopIteration):
        batches.next()


def test_a_stop_ends_batches_at_once(monkeypatch):
    batches, _ = from_servers(monkeypatch, 0, 7, stop=lambda: True)
    with pytest.raises(StopIteration):
        batches.next()
    assert batches._readers[1].asked == 0


def test_rows_of_a_learner_are_refused(tmp_path):
    progress = {"store": "reverb", "rows": {"inserted": 7}}
    make("a:1").restore(None, progress, 0)  # no replay was saved
    with pytest.raises(RunDirectoryError, match="--replay must be learner or device"):
        make("a:1").restore(tmp_path, progress, 0)


def test_another_number_of_servers_cannot_restore_a_snapshot(tmp_path):
    batches = make("a:1", "b:1", "c:1")
    batches.restore(tmp_path, {"store": "reverb", "replays": 3}, 0)
    batches.restore(None, {"store": "reverb"}, 0)  # no replay was saved
    with pytest.raises(RunDirectoryError) as caught:
        batches.restore(tmp_path, {"store": "reverb"}, 0)
    assert str(caught.value) == (
        f"--replays must be 1, the number of servers that saved {tmp_path}, got 3"
    )


@pytest.mark.reverb
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TensorFlow 2.8
def test_iteration_ends_without_experience_and_actors():
    from launch.replay import server

    storage = Storage(min_size=5, batch_size=4, capacity=100)
    with server.served(storage) as served:
        batches = make(served.address, acting=lambda index: False)
        batches.prepare({}, tick=lambda: None)
        began = time.monotonic()
        with pytest.raises(StopIteration):
            batches.next()
        assert 2 <= time.monotonic() - began < 20
        batches.close()


@pytest.mark.reverb
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TensorFlow 2.8
def test_a_learner_of_two_reads_its_half_from_both_servers_and_saves_both(tmp_path):
    """Twelve rows in a batch: three for each learner from each server."""
    import reverb

    from launch.replay import limiter, reverb_store, shards, snapshot

    storage = Storage(min_size=10, batch_size=12, capacity=100)
    spec = streams.make_spec(1)
    with contextlib.ExitStack() as stack:
        servers = []
        for index in range(2):
            server = reverb.Server(
                reverb_store.make_tables(shards.storage_of(storage, index, 2)),
                checkpointer=snapshot.make_checkpointer(tmp_path / str(index), None),
            )
            stack.callback(server.stop)
            servers.append(f"localhost:{server.port}")
        for index, address in enumerate(servers):
            adder = reverb_store.ReverbAdder(
                reverb.Client(address),
                storage,
                spec,
                discount=0.9,
                frame_stack=1,
                num_environments=2,
                stop=lambda: True,
            )
            streams.feed(adder, streams.record(steps=10 + index, frame_stack=1))
            adder.close()
        batches = make(*servers, learners=2)
        batches.prepare({}, tick=lambda: None)
        batch, empty = batches.next(), batches.empty()
        assert batch.reward.shape == (6,)
        shapes = [
            [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(each)]
            for each in (batch, empty)
        ]
        assert shapes[0] == shapes[1]
        for address in servers:
            assert limiter.limiter_state(reverb.Client(address)).sampled >= 3
        batches.save(tmp_path / "replay")
        assert sorted(path.name for path in (tmp_path / "replay").iterdir()) == [
            "0",
            "1",
        ]
        batches.close()
