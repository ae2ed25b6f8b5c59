"""Signals that ask a run to end: the first is collected, the second ends it."""

import os
import signal
import subprocess
import sys

from launch.engines import signals


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


def test_sighup_of_a_closing_terminal_is_collected_unless_nohup_ignores_it():
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
