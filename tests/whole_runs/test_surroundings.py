"""What is around a run does not lose it: readers, schedulers, shells, file systems."""

import os
import re
import shutil
import signal
import sys
import time

import pytest

from launch import errors
from launch.runs import checkpoint
from launch.runs.logs import read_evaluations
from tests.whole_runs import catch_commands

pytestmark = pytest.mark.launchpad
MODES = ("local", "threads", "processes")
SHORT = (
    "train mdqn/catch --steps 300 --evaluation.period 300 --evaluation.episodes 1 "
    "--agent.network.hidden 16"
)


def in_a_shell(command, line):
    """Exit code, output and errors of a line for bash, in which `M` is the command."""
    m = f"{sys.executable} -m experiments.cli"
    command.start(
        "-c",
        "import os, sys; os.execvp('bash', ['bash', '-c', sys.argv[1]])",
        f'M() {{ {m} "$@"; }}; {line}',
    )
    return command.wait(110)


@pytest.mark.parametrize("line", ["list", "--help"])
def test_a_reader_that_leaves_ends_a_list_with_the_code_of_sigpipe(command, line):
    # The reader has left before the first line is written.
    code, out, err = in_a_shell(command, f"(sleep 0.3; M {line}) | :; echo $PIPESTATUS")
    assert (code, out, err) == (0, "141\n", "")
    assert in_a_shell(command, f"M {line} >/dev/full")[::2] == (
        1,
        "munchausen: cannot write to standard output: no space left on device\n",
    )


REDIRECTIONS = ["2>&1 | head -1", ">&- 2>&- <&-", ">/dev/full 2>/dev/full"]


@pytest.mark.parametrize(
    "redirection, mode, options",
    [
        ("2>&1 | head -1", "local", ""),
        *(
            pytest.param(redirection, mode, options, marks=pytest.mark.slow)
            for redirection in REDIRECTIONS
            for mode, options in [*((m, "") for m in MODES), ("local", "--seeds 2")]
            if (redirection, mode, options) != ("2>&1 | head -1", "local", "")
        ),
    ],
)
def test_a_run_goes_on_without_its_output(redirection, mode, options, command):
    code, _, err = in_a_shell(
        command,
        f"M {SHORT} --launch {mode} {options} {redirection}; echo $PIPESTATUS >code",
    )
    assert (code, err) == (0, "")
    assert (command.directory / "code").read_text() == "0\n"
    runs = list(command.directory.glob("runs/*/*/seed*"))
    assert len(runs) == (2 if options else 1)
    for directory in runs:
        assert read_evaluations(directory)[-1].grid == 300
        assert checkpoint.newest(directory).counts.actor_steps >= 300


def check_saved(command, directory, number, err):
    """The run has saved everything, and said how to resume it; no process is left."""
    end = "; continue with --resume"
    said = rf"stopped by {number.name}(; saved: the state of step [\d,]+, .*)?{end}"
    [saved_line] = re.findall(said, err)
    whole = saved_line.endswith(", with its replay")
    assert whole == (number in errors.NOTICES), err
    assert "Traceback" not in err and "died" not in err and "did not end" not in err
    assert not command.alive()
    saved = checkpoint.newest(directory).counts
    rows = catch_commands.metrics(directory)
    assert saved.actor_steps >= rows[-1]["actor_steps"] and saved.learner_steps > 0


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM])
def test_a_scheduler_that_signals_every_process_of_a_job_loses_nothing(
    number, mode, command
):
    command.munchausen(catch_commands.line(mode))
    directory = catch_commands.await_run(
        command, catch_commands.is_evaluated, "training"
    )
    for pid in [*command.alive(), command.process.pid]:
        os.kill(pid, number)
    command.process.send_signal(signal.SIGTERM)  # it insists, while the run saves
    code, _, err = command.wait(60)
    assert code == errors.exit_code(number), err
    check_saved(command, directory, number, err)


@pytest.mark.slow
def test_a_signal_ends_runs_side_by_side(command):
    command.munchausen(catch_commands.line("local", "--seeds 2"))

    def are_evaluated(_):
        found = list(command.directory.glob("runs/*/*/seed*"))
        return len(found) == 2 and all(map(catch_commands.is_evaluated, found))

    catch_commands.await_run(command, are_evaluated, "training")
    for pid in [*command.alive(), command.process.pid]:
        os.kill(pid, signal.SIGUSR1)
    code, out, err = command.wait(60)
    assert code == 75, err
    assert "stopped by SIGUSR1; continue with the same command" in err
    assert not command.alive()
    for directory in catch_commands.run_directories(command, out):
        assert checkpoint.newest(directory).counts.learner_steps > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["INT", "TERM", "USR1", "HUP"])
def test_timeout_ends_a_run_in_order(name, command):
    number = signal.Signals[f"SIG{name}"]
    line = catch_commands.line("local")
    code, _, err = in_a_shell(
        command,
        # In a process group of its own, like a job of a shell.
        f"timeout --preserve-status -s {name} 15 {sys.executable} -m experiments.cli "
        f"{line}",
    )
    [directory] = command.directory.glob("runs/*/*/seed*")
    assert code == errors.exit_code(number), err
    check_saved(command, directory, number, err)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["local", "processes"])
def test_a_closed_terminal_saves_and_nohup_goes_on(mode, command):
    """The kernel and the shell both send SIGHUP."""
    command.munchausen(catch_commands.line(mode))
    directory = catch_commands.await_run(
        command, catch_commands.is_evaluated, "training"
    )
    for _ in range(3):
        os.killpg(command.process.pid, signal.SIGHUP)
        time.sleep(0.05)
    code, _, err = command.wait(60)
    assert code == 128 + signal.SIGHUP
    check_saved(command, directory, signal.SIGHUP, err)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_the_first_save_is_by_wall_time_if_the_grid_is_far(mode, command):
    command.munchausen(
        catch_commands.line(mode, "--checkpoint.minutes 0.05 --checkpoint.keep 9")
    )

    def is_saved_twice(directory):
        return len(catch_commands.saved_steps(directory)) > 1

    directory = catch_commands.await_run(command, is_saved_twice, "two checkpoints")
    command.process.kill()
    command.wait(60)
    command.await_all_gone(40)
    steps = checkpoint.newest(directory).counts.actor_steps
    name = directory.relative_to(command.directory)
    command.munchausen(f"train --resume {name} --steps {steps + 500}")
    code, out, err = command.wait()
    assert code == 0, err
    assert f"{name}: from step {steps:,}" in out


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_a_run_survives_the_loss_of_its_checkpoints(mode, command):
    command.munchausen(catch_commands.line(mode, "--checkpoint.period 1000"))
    directory = catch_commands.await_run(
        command, catch_commands.saved_steps, "a checkpoint"
    )
    shutil.rmtree(directory / checkpoint.DIRECTORY, ignore_errors=True)
    time.sleep(1)
    command.process.send_signal(signal.SIGUSR1)
    code, _, err = command.wait(60)
    assert code == 75, err
    check_saved(command, directory, signal.SIGUSR1, err)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_a_suspended_run_goes_on(mode, command):
    command.munchausen(catch_commands.line(mode, "--stall_seconds 8"))
    directory = catch_commands.await_run(
        command, catch_commands.is_evaluated, "training"
    )
    everyone = [*command.alive(), command.process.pid]
    for pid in everyone:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(20)
    before = len(catch_commands.metrics(directory))
    for pid in everyone:
        os.kill(pid, signal.SIGCONT)
    for _ in command.patiently(30, "new rows"):
        assert command.process.poll() is None, command.process.communicate()
        if len(catch_commands.metrics(directory)) > before:
            break
    command.process.send_signal(signal.SIGTERM)
    code, _, err = command.wait(60)
    assert code == 75, err
    check_saved(command, directory, signal.SIGTERM, err)
