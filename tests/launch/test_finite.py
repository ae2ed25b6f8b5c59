"""NaN and signals: found, and named."""

import os
import signal
import subprocess
import sys

import dm_env
import numpy as np
import pytest

from launch import errors, finite
from launch.engines import signals


def timestep(reward=(0.5, -1.0), observation=((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))):
    return dm_env.TimeStep(
        np.array([1, 1], np.int32),
        np.array(reward, np.float32),
        np.ones(2, np.float32),
        np.array(observation, np.float32),
    )


def test_finite_values_pass():
    finite.check_timestep(timestep(), 7)
    finite.check_metrics({"q_loss": 0.5, "q_mean": -3.0}, 7)


def test_reward_that_is_not_a_number_names_lane_and_step():
    with pytest.raises(
        errors.NotFinite, match=r"reward of nan in lane 1 at actor step 7"
    ):
        finite.check_timestep(timestep(reward=(0.5, np.nan)), 7)


def test_infinite_observation_is_named():
    bad = ((1.0, np.inf, 3.0), (4.0, 5.0, 6.0))
    with pytest.raises(errors.NotFinite, match=r"observation of .*inf.* in lane 0"):
        finite.check_timestep(timestep(observation=bad), 7)


def test_infinities_that_cancel_are_found():
    bad = ((np.inf, -np.inf, 3.0), (4.0, 5.0, 6.0))
    with pytest.raises(errors.NotFinite, match="lane 0"):
        finite.check_timestep(timestep(observation=bad), 7)


def test_bytes_are_not_looked_at():
    step = timestep()._replace(observation=np.zeros((2, 4, 5, 7), np.uint8))
    finite.check_timestep(step, 7)


def test_loss_names_its_network():
    with pytest.raises(
        errors.NotFinite, match="loss of network pi is nan at learner step 9"
    ):
        finite.check_metrics({"q_loss": 0.5, "pi_loss": np.nan}, 9)


def test_signals_are_collected_and_handlers_restored():
    before = signal.getsignal(signal.SIGTERM)
    with signals.caught_signals() as caught:
        assert not caught
        os.kill(os.getpid(), signal.SIGTERM)
        assert caught == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is before


def test_second_signal_ends_the_process_at_once():
    script = (
        "import os, signal; from launch.engines import signals\n"
        "with signals.caught_signals():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print('alive', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print('survived', flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (128 + signal.SIGINT, "alive\n")


def test_a_terminal_that_closes_is_heard_unless_nohup_was_told_otherwise():
    with signals.caught_signals() as caught:
        os.kill(os.getpid(), signal.SIGHUP)
        assert caught == [signal.SIGHUP]
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.caught_signals() as caught:
            os.kill(os.getpid(), signal.SIGHUP)
            assert caught == []
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
