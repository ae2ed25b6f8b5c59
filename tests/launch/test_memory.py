"""The memory that a run needs, by hand."""

import jax
import numpy as np
import pytest

from agents.parts.contract import Spec, Storage, TrainingState, discrete_spec
from launch import memory

ATARI = discrete_spec((4, 84, 84), np.uint8, 6)
STORAGE = Storage(capacity=1_000_000, min_size=20_000)


def test_replay_of_atari_keeps_each_frame_once():
    # 84 x 84 bytes and 20 for the rest, not four frames of them.
    assert memory.replay_bytes(STORAGE, ATARI, 4, in_process=True) == 1_000_000 * (
        7_056 + 20
    )


def test_replay_of_vectors_counts_their_four_bytes():
    spec = discrete_spec((7,), np.float32, 3)
    storage = Storage(capacity=50_000)
    assert memory.replay_bytes(storage, spec, 1, in_process=True) == 50_000 * 48


def test_actions_of_several_numbers_count_too():
    hopper = Spec(
        jax.ShapeDtypeStruct((11,), np.float32),
        0,
        jax.ShapeDtypeStruct((3,), np.float32),
    )
    storage = Storage(capacity=1_000_000)
    own = memory.replay_bytes(storage, hopper, 1, in_process=True)
    assert own == 1_000_000 * (44 + 12 + 16)
    # In Reverb the overhead counts: 4.0 kB were measured, a fifth is for safety.
    distributed = memory.replay_bytes(storage, hopper, 1, in_process=False)
    assert 4.0e9 < distributed < 1.25 * 4.0e9


def test_images_are_compressed_and_small_ones_cost_the_overhead():
    storage = Storage(capacity=1_000, min_size=100)
    minatar = discrete_spec((4, 10, 10), np.uint8, 6)
    assert memory.replay_bytes(storage, minatar, 1, in_process=False) == 1_000 * 4_800
    assert memory.replay_bytes(storage, ATARI, 4, in_process=False) == 1_000 * 7_076


def test_the_memory_of_every_actor_counts():
    roles = memory.estimate(STORAGE, ATARI, 4, actors=5, keeper="replay")
    assert roles["actor"] == 5 * 0.7e9
    assert roles["replay"] == 0.3e9 + 7.076e9
    local = memory.estimate(STORAGE, ATARI, 4, actors=1, keeper="local")
    assert local == {"local": 1e9 + 7.076e9, "networks": 0}


def test_a_run_that_fits_into_memory_passes():
    memory.check(STORAGE, ATARI, 4, actors=1, keeper="local", available=9 * 10**9)


def test_too_large_a_capacity_is_refused_with_one_that_would_fit():
    # 5 GB less 1 GB for the rest, in transitions of 7,076 bytes: 565,291.
    with pytest.raises(
        ValueError, match=r"8\.1 GB.*5\.0 GB are free.*565291 would fit"
    ):
        memory.check(STORAGE, ATARI, 4, actors=1, keeper="local", available=5 * 10**9)
    fitting = Storage(capacity=565_291)
    memory.check(fitting, ATARI, 4, actors=1, keeper="local", available=5 * 10**9)


def test_no_capacity_is_proposed_if_none_fits():
    with pytest.raises(ValueError, match="fewer actors, or a machine with more memory"):
        memory.check(STORAGE, ATARI, 4, actors=9, keeper="replay", available=10**9)


def state(parameters):
    """A network of float32 parameters, with Adam's moments; another does not learn."""
    network = {"w": jax.ShapeDtypeStruct((parameters,), np.float32)}
    return TrainingState(
        {"policy": network, "teacher": network},
        {},
        {"policy": (network, network)},
        jax.ShapeDtypeStruct((), np.int32),
        jax.eval_shape(jax.random.key, 0),
    )


def test_networks_count_in_the_learner_and_where_they_act():
    """Four arrays of 7 million numbers of four bytes; the counter and the key."""
    large, own = state(7_000_000), 4 * 28e6 + 4 + 8
    roles = memory.estimate(STORAGE, ATARI, 4, actors=1, keeper="local", state=large)
    assert roles["networks"] == 3 * own
    assert roles["local"] == 1e9 + 7.076e9
    others = {"learner": 3, "replay": 2}
    roles = memory.estimate(
        STORAGE, ATARI, 4, actors=5, keeper="replay", others=others, state=large
    )
    assert roles["networks"] == 3 * 3 * own + (5 + 1) * 2 * 2 * 28e6
    elsewhere = others | {"evaluator": 0}
    roles = memory.estimate(
        STORAGE, ATARI, 4, actors=0, keeper="replay", others=elsewhere, state=large
    )
    assert roles["networks"] == 3 * 3 * own


def test_too_large_networks_are_refused():
    storage = Storage(capacity=32, min_size=32)
    text = discrete_spec((24,), np.int32, 90)
    settings = {"actors": 1, "keeper": "local", "available": 20 * 10**9}
    memory.check(storage, text, 1, state=state(300_000_000), **settings)
    with pytest.raises(
        ValueError,
        match=r"needs 25\.0 GB \(local 1\.0, networks 24\.0\), 20\.0 GB are free; "
        "choose smaller networks, or a machine with more memory",
    ):
        memory.check(storage, text, 1, state=state(500_000_000), **settings)


def test_networks_of_a_run_on_a_dataset_count_without_a_replay():
    local = {"local": True, "available": 20 * 10**9}
    memory.check_offline(state(300_000_000), **local)
    with pytest.raises(
        ValueError,
        match=r"memory: it needs 25\.0 GB \(local 1\.0, networks 24\.0\), 20\.0 GB",
    ):
        memory.check_offline(state(500_000_000), **local)
    with pytest.raises(ValueError, match="for each of 2 runs; choose smaller"):
        memory.check_offline(state(300_000_000), at_once=2, **local)
    program = {"local": False, "learners": 2, "available": 40 * 10**9}
    memory.check_offline(state(300_000_000), **program)
    with pytest.raises(
        ValueError,
        match=r"needs 58\.7 GB \(learner 2\.0, evaluator 0\.7, networks 56\.0\)",
    ):
        memory.check_offline(state(500_000_000), **program)


def test_the_memory_of_every_learner_and_replay_server_counts():
    others = {"learner": 3, "replay": 2}
    roles = memory.estimate(STORAGE, ATARI, 4, actors=1, keeper="replay", others=others)
    assert roles["learner"] == 3 * 1.0e9
    assert roles["replay"] == 2 * 0.3e9 + 7.076e9


def test_the_learner_of_a_program_may_keep_the_replay():
    """Without Reverb's overhead."""
    storage = Storage(capacity=1_000, min_size=100)
    hopper = discrete_spec((11,), np.float32, 3)
    roles = memory.estimate(storage, hopper, 1, actors=2, keeper="learner")
    own = memory.replay_bytes(storage, hopper, 1, in_process=True)
    assert roles["replay"] == 0.3e9
    assert roles["learner"] == 1.0e9 + own < 1.0e9 + 1_000 * 4_800


def test_frames_that_do_not_fit_into_a_device_are_refused_with_the_bytes():
    memory.check_device(STORAGE, ATARI, 4, free=7_056_000_000)
    with pytest.raises(ValueError, match=r"need 7\.1 GB, 5\.0 GB are free") as caught:
        memory.check_device(STORAGE, ATARI, 4, free=5_000_000_000)
    assert "--agent.storage.capacity 708616 would fit" in str(caught.value)
    memory.check_device(STORAGE, ATARI, 4)  # a CPU does not tell


def test_memory_is_also_what_the_cgroups_leave(tmp_path):
    """A pod has 10 MB and uses 4; its container may use 9 and uses 2.5, 8, or all."""
    whole = memory.free(tmp_path)  # no files: that of the machine
    assert whole <= memory.psutil.virtual_memory().total
    write(tmp_path / "proc/self/cgroup", "0::/pod/box\n")
    tree = tmp_path / "sys/fs/cgroup"
    group(tree / "pod", 10 * 10**6, 4 * 10**6, "anon 7\ninactive_file 3000\n")
    group(tree / "pod/box", "max", 25 * 10**5, "inactive_file 0\n")
    assert memory.free(tmp_path) == 6 * 10**6 + 3_000
    group(tree / "pod/box", 9 * 10**6, 8 * 10**6, "inactive_file 5\n")
    assert memory.free(tmp_path) == 10**6 + 5
    group(tree / "pod/box", 9 * 10**6, 9 * 10**6 + 1, "inactive_file 0\n")
    assert memory.free(tmp_path) == 0


def test_cgroups_of_the_first_version_count_too(tmp_path):
    write(tmp_path / "proc/self/cgroup", "5:cpu:/x\n4:memory,hugetlb:/job\n0::/\n")
    job = tmp_path / "sys/fs/cgroup/memory/job"
    write(job / "memory.limit_in_bytes", 7_000)
    write(job / "memory.usage_in_bytes", 6_000)
    write(job / "memory.stat", "inactive_file 1\ntotal_inactive_file 20\n")
    assert memory.free(tmp_path) == 1_020


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(text))


def group(path, limit, used, stat):
    write(path / "memory.max", limit)
    write(path / "memory.current", used)
    write(path / "memory.stat", stat)
