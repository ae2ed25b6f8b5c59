"""Several replay servers: the parts of each add up to one."""

from pathlib import Path

from agents.parts.contract import Storage
from launch.replay import shards


def test_parts_of_capacity_and_minimum_size_add_up():
    storage = Storage(n_step=3, capacity=101, min_size=11, batch_size=12)
    parts = [shards.storage_of(storage, index, 3) for index in range(3)]
    assert [part.capacity for part in parts] == [34, 34, 33]
    assert [part.min_size for part in parts] == [4, 4, 3]
    assert [part.batch_size for part in parts] == [4, 4, 4]
    assert all(part.n_step == 3 for part in parts)
    assert all(part.samples_per_insert == 8.0 for part in parts)


def test_one_server_has_all():
    storage = Storage(capacity=101, min_size=11, batch_size=13)
    assert shards.storage_of(storage, 0, 1) == storage


def test_a_part_is_not_smaller_than_its_minimum_size():
    storage = Storage(capacity=13, min_size=13, batch_size=8)
    parts = [shards.storage_of(storage, index, 4) for index in range(4)]
    assert [(part.capacity, part.min_size) for part in parts] == [(4, 4)] + 3 * [(3, 3)]


def test_actors_take_servers_in_turn():
    assert [shards.shard_of(actor, 3) for actor in range(5)] == [0, 1, 2, 0, 1]


def test_a_server_alone_has_no_number():
    assert shards.names(1) == ["replay"]
    assert shards.names(2) == ["replay/0", "replay/1"]
    root = Path("saved")
    assert shards.snapshot_of(root, "replay") == root
    assert shards.snapshot_of(root, "replay/1") == root / "1"
