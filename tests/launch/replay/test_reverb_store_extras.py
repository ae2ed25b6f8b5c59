"""The Reverb replay holds the same extras as the in-process replay."""

import dataclasses
import itertools

import pytest

from agents.parts.contract import Storage
from launch.replay.in_process import InProcess
from tests.launch.replay import recorded_streams as streams
from tests.launch.replay.made_up_extras import SPEC, assert_belong, feed

DISCOUNT = 0.9
STORAGE = Storage(
    n_step=3, capacity=1000, min_size=40, batch_size=13, samples_per_insert=300.0
)


@pytest.mark.reverb
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("n_step", "frame_stack"), [(1, 4), (3, 1)])
def test_both_stores_hold_the_same_extras(n_step, frame_stack):
    import reverb

    from launch.replay import reverb_reader, reverb_store

    stream = streams.record(steps=60, frame_stack=frame_stack)
    reference = streams.reference(stream, n_step=n_step, discount=DISCOUNT)
    storage = dataclasses.replace(STORAGE, n_step=n_step, min_size=len(reference))
    spec, kept = streams.make_spec(frame_stack), {"frame_stack": frame_stack}
    tables = reverb_store.make_tables(storage)
    server = reverb.Server(tables)
    try:
        client = reverb.Client(f"localhost:{server.port}")
        adder = reverb_store.ReverbAdder(
            client,
            storage,
            spec,
            discount=DISCOUNT,
            num_environments=2,
            stop=lambda: False,
            extras=SPEC,
            **kept,
        )
        feed(adder, stream, frame_stack)
        adder.close()
        reader = reverb_reader.ReverbReader(
            client.server_address,
            storage,
            spec,
            stop=lambda: False,
            extras=SPEC,
            **kept,
        )
        batches = list(itertools.islice(reader, 100))
    finally:
        server.stop()
    store = InProcess(
        storage,
        spec,
        discount=DISCOUNT,
        num_environments=2,
        seed=0,
        extras=SPEC,
        **kept,
    )
    feed(store, stream, frame_stack)
    for batch in batches:
        assert_belong(batch, frame_stack)
    in_process = [store.next() for _ in range(100)]
    held = [
        {key for b in each for key in streams.keys(b)} for each in (batches, in_process)
    ]
    assert held[0] == held[1] == {streams.key(transition) for transition in reference}
