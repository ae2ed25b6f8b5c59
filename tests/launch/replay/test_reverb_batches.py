"""Batches of a server end when the run stops, or when no more will come."""

import time

import pytest

from agents.parts.contract import Storage
from launch.replay import reverb_batches
from launch.replay.reverb_batches import ReverbBatches
from tests.launch.replay import recorded_streams as streams


def make(address="localhost:1", stop=lambda: False, acting=lambda: True):
    return ReverbBatches(
        address,
        Storage(min_size=5, batch_size=4, capacity=100),
        streams.make_spec(1),
        frame_stack=1,
        stop=stop,
        acting=acting,
    )


@pytest.mark.parametrize(
    "waited, acting, starved",
    [(1.9, False, False), (2.1, False, True), (60.0, True, False)],
)
def test_the_learner_starves_only_when_the_actors_have_ended(
    monkeypatch, waited, acting, starved
):
    batches = make(acting=lambda: acting)
    batches._asked = 100.0
    monkeypatch.setattr(reverb_batches.time, "monotonic", lambda: 100.0 + waited)
    assert batches._starved() is starved


def test_one_batch_is_owed_at_a_time_and_progress_names_reverb():
    batches = make()
    assert batches.owed() == 1 and batches.progress() == {"store": "reverb"}


@pytest.mark.reverb
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TensorFlow 2.8
def test_iteration_ends_without_experience_and_actors():
    from launch.replay import server

    storage = Storage(min_size=5, batch_size=4, capacity=100)
    spec = streams.make_spec(1)
    with server.served(storage, spec, frame_stack=1) as served:
        batches = make(served.address, acting=lambda: False)
        batches.prepare({}, tick=lambda: None)
        began = time.monotonic()
        with pytest.raises(StopIteration):
            batches.next()
        assert 2 <= time.monotonic() - began < 20
        batches.close()
