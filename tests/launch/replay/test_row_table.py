"""Chunks of rows: their size, their order, and what fills the last one."""

import dataclasses

import numpy as np
import pytest

from agents.parts.contract import Storage
from launch.replay import row_table
from launch.replay.limiter import TABLE
from launch.replay.rows import Row, Rows
from tests.launch.replay import recorded_streams as streams

# Chunks of three rows.
STORAGE = Storage(
    n_step=2, capacity=300, min_size=250, batch_size=7, samples_per_insert=2.0
)
LANES, FIRST_LANE = 2, 5


def test_chunks_are_small_where_the_limiter_tolerates_little():
    """Atari's tolerance is 2,000 inserts, divided by eight chunks on their way."""
    atari = Storage(min_size=20_000, batch_size=32, samples_per_insert=8.0)
    assert row_table.rows_of_chunk(atari) == 16
    assert row_table.rows_of_chunk(STORAGE) == 25 // 8
    small = dataclasses.replace(STORAGE, min_size=50)
    assert row_table.rows_of_chunk(small) == 1


def test_rows_that_only_fill_a_chunk_are_skipped():
    lanes = np.array([4, -1, 2], np.int32)
    columns = [np.arange(3) + 10 * i for i in range(6)]
    found = list(row_table.rows_of([lanes, *columns]))
    assert found == [
        (4, Row(0, 10, 20, 30, 40, (50,))),
        (2, Row(2, 12, 22, 32, 42, (52,))),
    ]


@pytest.mark.reverb
# TensorFlow 2.8 is older than NumPy's deprecations.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_actors_rows_arrive_once_in_order_and_in_its_lanes(make_server, monkeypatch):
    """Those of its last, incomplete chunk as well."""
    monkeypatch.setattr(row_table, "MOST_CHUNKS", 100)
    client = make_server(row_table.make_tables())
    settings = {"discount": 0.9, "frame_stack": 4, "num_environments": LANES}
    spec, stream = streams.make_spec(4), streams.record(steps=23, frame_stack=4)
    adder = row_table.ChunkAdder(
        client,
        Rows(STORAGE, spec, **settings),
        chunk=3,
        first_lane=FIRST_LANE,
        stop=lambda: False,
    )
    streams.feed(adder, stream)
    adder.close()
    rows = Rows(STORAGE, spec, **settings)
    wanted = list(rows.observe_first(stream.steps[0][1]))
    for actions, timestep in stream.steps[1:]:
        wanted += rows.observe(actions, timestep)
    assert len(wanted) % 3, "the last chunk must not be full"
    chunks = client.server_info()[TABLE].current_size
    assert chunks == len(wanted) // 3 + 1
    found = [
        each
        for sample in client.sample(TABLE, chunks, emit_timesteps=False)
        for each in row_table.rows_of(sample.data)
    ]
    assert [lane for lane, _ in found] == [FIRST_LANE + lane for lane, _ in wanted]
    for (_, row), (_, other) in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(row.frame, other.frame)
        assert np.allclose(row[1:5], other[1:5])
        assert row.extras == ()
    assert client.server_info()[TABLE].current_size == 0
