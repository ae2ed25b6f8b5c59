"""A server's tables are saved, and loaded when another server starts."""

import pytest

from agents.parts.contract import Storage
from launch.replay import limiter
from tests.launch.replay import recorded_streams as streams

pytestmark = [
    pytest.mark.reverb,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of TensorFlow 2.8
]
STORAGE = Storage(n_step=1, min_size=200, capacity=500)  # no side waits


def start(scratch, saved=None):
    import reverb

    from launch.replay import reverb_store, snapshot

    return reverb.Server(
        reverb_store.make_tables(STORAGE),
        checkpointer=snapshot.make_checkpointer(scratch, saved),
    )


def client_of(server):
    import reverb

    client = reverb.Client(f"localhost:{server.port}")
    client.server_info(timeout=90)  # the first answer takes long on a busy machine
    return client


def fill(client):
    from launch.replay import reverb_store

    adder = reverb_store.ReverbAdder(
        client,
        STORAGE,
        streams.make_spec(1),
        discount=0.9,
        frame_stack=1,
        num_environments=2,
        stop=lambda: False,
    )
    streams.feed(adder, streams.record(steps=40, frame_stack=1))
    adder.close()


def test_a_server_starts_with_the_tables_that_another_saved(tmp_path):
    from launch.replay import snapshot

    scratch = tmp_path / "scratch"
    (scratch / "of a run that was killed").mkdir(parents=True)
    first = start(scratch)
    fill(client_of(first))
    held = limiter.limiter_state(client_of(first))
    snapshot.save(client_of(first), tmp_path / "replay")
    first.stop()
    assert held.inserted > 40 and (tmp_path / "replay").is_dir()
    assert list(scratch.iterdir()) == [], "snapshot moved, old files removed"
    second = start(scratch, tmp_path / "replay")
    assert limiter.limiter_state(client_of(second)) == held
    second.stop()


def test_saving_raises_oserror_if_the_server_does_not_answer(tmp_path):
    import reverb

    from launch.replay import snapshot

    with pytest.raises(OSError):
        snapshot.save(reverb.Client("localhost:1"), tmp_path / "replay")
