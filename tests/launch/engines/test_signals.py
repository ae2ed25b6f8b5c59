"""Signals that ask a run to end: the first is collected, a later Ctrl+C ends it."""

import os
import signal
import subprocess
import sys

import pytest

from launch.engines import signals


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2]
)
def test_signals_are_collected_and_handlers_restored(number):
    before = signal.getsignal(number)
    with signals.caught_signals() as caught:
        assert not caught
        os.kill(os.getpid(), number)
        assert caught == [number]
    assert signal.getsignal(number) is before


def test_a_notice_is_remembered_also_if_it_does_not_count():
    caught = signals.Caught()
    caught.note(signal.SIGINT)
    assert caught.noticed is None and signals.deadline(caught.noticed, 25.0) is None
    caught.note(signal.SIGUSR2)
    first = caught.noticed
    caught.note(signal.SIGTERM)
    assert list(caught) == [signal.SIGINT] and caught.noticed == first is not None


@pytest.mark.parametrize("grace, left", [(25.0, 23.0), (5.0, 4.0), (0.0, 0.0)])
def test_some_of_the_time_after_a_notice_is_for_the_end(grace, left):
    assert signals.deadline(100.0, grace) == 100.0 + left


def ends_after(signals_sent):
    """Exit code and output of a process that gets these signals, 0.3 s apart."""
    script = (
        "import os, signal, sys, time; from launch.engines import signals\n"
        "with signals.caught_signals() as caught:\n"
        "    for number in map(int, sys.argv[1:]):\n"
        "        os.kill(os.getpid(), number)\n"
        "        print(len(caught), flush=True)\n"
        "        time.sleep(0.3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *(str(int(each)) for each in signals_sent)],
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout.split()


def test_ctrl_c_after_a_signal_ends_the_process_at_once():
    code, counts = ends_after([signal.SIGUSR1, signal.SIGINT, signal.SIGINT])
    assert (code, counts) == (128 + signal.SIGINT, ["1"])


def test_schedulers_repeat_signals_and_the_process_goes_on_to_save():
    """Preemption: SIGUSR1, SIGTERM; a closing terminal: SIGHUP, perhaps twice."""
    sent = [signal.SIGUSR1, signal.SIGTERM, signal.SIGHUP, signal.SIGHUP]
    assert ends_after(sent) == (0, ["1", "1", "1", "1"])


def test_timeout_sends_its_signal_twice_which_counts_once():
    with signals.caught_signals() as caught:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert caught == [signal.SIGINT]


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


def test_a_signal_that_interrupts_the_handler_of_another_counts_once(monkeypatch):
    caught, clock = signals.Caught(), iter([7.0, 7.1])

    def interrupted():
        now = next(clock)
        if now == 7.0:  # the handler of the second signal runs within the first
            caught.note(signal.SIGTERM)
        return now

    monkeypatch.setattr(signals.time, "monotonic", interrupted)
    caught.note(signal.SIGUSR1)
    assert (list(caught), caught.noticed) == ([signal.SIGUSR1], 7.0)
