"""Tables, writers and readers of Reverb for the streams of `recorded_streams`."""

from agents.parts.contract import Storage
from tests.launch.replay import recorded_streams as streams

DISCOUNT = 0.9
# Enough samples for the min_size transitions of the streams below to show each one.
STORAGE = Storage(
    n_step=3, capacity=1000, min_size=40, batch_size=13, samples_per_insert=300.0
)


def make_tables(storage: Storage):
    from launch.replay import reverb_store

    return reverb_store.make_tables(storage)


def make_adder(client, storage: Storage, *, lanes=2, frame_stack=1, stop=lambda: False):
    from launch.replay import reverb_store

    return reverb_store.ReverbAdder(
        client,
        storage,
        streams.make_spec(frame_stack),
        discount=DISCOUNT,
        frame_stack=frame_stack,
        num_environments=lanes,
        stop=stop,
    )


def make_reader(client, storage: Storage, *, frame_stack=1, stop=lambda: False):
    from launch.replay import reverb_reader

    return reverb_reader.ReverbReader(
        client.server_address,
        storage,
        streams.make_spec(frame_stack),
        frame_stack=frame_stack,
        stop=stop,
    )
