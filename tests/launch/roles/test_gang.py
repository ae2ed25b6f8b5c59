"""A learner of several processes: equal to one, and it ends if one of them does."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from launch import errors
from launch.roles import gang
from tests.launch.roles import gang_process

ROOT = Path(__file__).parents[3]
PROGRAM = gang_process.__name__
FAST = "--xla_backend_optimization_level=0"


def free_port():
    with socket.socket() as server:
        server.bind(("localhost", 0))
        return server.getsockname()[1]


def start(result, mode, *names, devices=1):
    """Two learners as processes."""
    port = str(free_port())
    flags = f"{FAST} --xla_force_host_platform_device_count={devices}"
    return [
        subprocess.Popen(
            [sys.executable, "-m", PROGRAM, str(rank), "2", port, result, mode, *names],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
            cwd=ROOT,
        )
        for rank in range(2)
    ]


def end(ranks):
    """Standard output of each, after its orderly end."""
    said = [rank.communicate(timeout=200) for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], said
    return [output for output, _ in said]


@pytest.mark.parametrize(
    "name, devices",
    [
        ("dqn", 1),
        pytest.param("sac", 1, marks=pytest.mark.slow),
        pytest.param("dqn", 2, marks=pytest.mark.slow),
    ],
)
@pytest.mark.timeout(300)
def test_two_learners_equal_one_over_twenty_updates(name, devices, tmp_path):
    ranks = start(tmp_path / "state.npz", "equal", name, devices=devices)
    one = gang_process.train(name, 0, 1)  # meanwhile
    expected = gang_process.plain(one)
    end(ranks)
    with np.load(tmp_path / "state.npz") as saved:
        leaves = [saved[f"arr_{place}"] for place in range(len(saved.files))]
    assert one.learner_steps == 20 and len(leaves) == len(expected)
    for leaf, other in zip(leaves, expected, strict=True):
        np.testing.assert_allclose(leaf, other, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_no_learner_steps_further_than_the_batches_of_all_last(tmp_path):
    """The first one has 20 batches, the second one 13."""
    assert end(start(tmp_path, "ends")) == ["13 13\n"] * 2


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["kill", "hang"])
@pytest.mark.timeout(200)
def test_a_learner_that_is_lost_ends_the_other_within_five_seconds(mode, tmp_path):
    first, second = start(tmp_path, mode)
    try:
        assert first.stdout.readline() == "begins\n"
        began = time.monotonic()
        output, log = first.communicate(timeout=100)
        assert time.monotonic() - began < 5 + (mode == "hang")  # heartbeats each second
        assert first.returncode != 0
        if mode == "kill":
            assert re.search("must run as long as the others.*failed: .+", output)
        else:
            assert "/task:1" in log and "stopped sending heartbeats" in log
    finally:
        second.send_signal(signal.SIGKILL)
        second.communicate()


def test_a_stop_ends_the_waiting_for_learners_that_never_start(monkeypatch):
    context = SimpleNamespace(
        index=0, address=lambda role: "localhost:1", stop=threading.Event()
    )
    waits = threading.Event()
    monkeypatch.setattr(
        gang.distributed.global_state, "initialize", lambda *_, **__: waits.wait(60)
    )
    context.stop.set()
    with pytest.raises(errors.Stopped):
        gang.join(context, 2)
    waits.set()


def test_an_error_at_the_start_is_raised_where_it_is_noticed(monkeypatch):
    def refuse(*arguments, **settings):
        raise RuntimeError("no port")

    context = SimpleNamespace(
        index=0, address=lambda role: "localhost:1", stop=threading.Event()
    )
    monkeypatch.setattr(gang.distributed.global_state, "initialize", refuse)
    with pytest.raises(
        errors.RankLost, match=r"^learner 0 of 2 must reach .* no port$"
    ):
        gang.join(context, 2)


def test_an_error_of_one_learner_alone_is_not_that_of_a_gang():
    with pytest.raises(jax.errors.JaxRuntimeError), gang.whole():
        raise jax.errors.JaxRuntimeError("out of memory")


def test_the_first_learner_decides_ten_times_a_second(monkeypatch):
    now = [100.0]
    told = []
    monkeypatch.setattr(gang, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(gang, "agree", lambda steps: told.append(steps) or steps)
    decisions = gang.Decisions()
    for seconds, left in [
        (0.0, 99),
        (0.01, 99),  # at most twice as many as before
        (0.02, 99),
        (0.04, 99),
        (0.3, 99),  # 8 took 0.3 seconds
        (9.0, 99),  # a checkpoint
        (0.01, 99),
        (0.01, 3),
        (0.01, 1),
    ]:
        now[0] += seconds
        decisions.next(left)
    assert told == [1, 2, 4, 8, 2, 1, 2, 3, 1]
