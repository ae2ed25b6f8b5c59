"""A scheduler's notice: the state is saved at once, and the same command continues."""

import os
import signal
import time
from pathlib import Path

import pytest

from launch.runs import checkpoint, events
from launch.runs.logs import read_evaluations
from tests.whole_runs import catch_commands

pytestmark = [pytest.mark.launchpad, pytest.mark.slow, pytest.mark.timeout(400)]
LINE = (
    "train patient_mdqn/catch --plugin slow_disk --run-directory here --resume auto "
    "--grace 5 --environments 2 --log_period 200 --evaluation.period 500 "
    "--evaluation.episodes 20 --agent.network.hidden 16 --checkpoint.minutes 0 "
    "--checkpoint.period 1500"
)


@pytest.fixture
def slow_disk(monkeypatch):
    """Lets commands find the plugin of this name."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def line(mode, steps):
    actors = "" if mode == "local" else "--actors 2"
    return f"{LINE} --launch {mode} {actors} --steps {steps}"


def await_steps(command, directory, steps):
    for _ in command.patiently(200, f"step {steps:,}"):
        assert command.process.poll() is None, command.process.communicate()
        rows = catch_commands.metrics(directory)
        if rows and rows[-1]["actor_steps"] >= steps:
            return


def check_logs(directory):
    """No row is lost, repeated or out of order."""
    learner = [row for row in catch_commands.metrics(directory) if "q_loss" in row]
    steps = [row["actor_steps"] for row in learner]
    assert steps == sorted(set(steps))
    # A row for each 200 steps, except for the first ones, in which nothing is learned.
    points = [step // 200 for step in steps[:-1]]  # the last one is the end
    assert points == list(range(points[0], points[-1] + 1))
    assert len(catch_commands.metrics_csv(directory)) == len(
        catch_commands.metrics(directory)
    )
    grid = [row.grid for row in read_evaluations(directory)]
    assert grid[:-1] == list(range(500, grid[-1], 500))[: len(grid) - 1]


@pytest.mark.parametrize("mode", ["local", "threads", "processes"])
def test_a_replay_that_takes_too_long_is_left_and_the_older_one_used(
    mode, command, slow_disk
):
    directory = command.directory / "here"
    command.munchausen(line(mode, 1_000_000))
    for _ in command.patiently(200, "a checkpoint"):
        assert command.process.poll() is None, command.process.communicate()
        if catch_commands.saved_steps(directory):
            break
    [whole] = catch_commands.saved_steps(directory)
    (command.directory / "slow").touch()
    await_steps(command, directory, whole + 400)
    sent = time.monotonic()
    command.process.send_signal(signal.SIGTERM)
    code, _, err = command.wait(60)
    assert code == 75, err
    assert time.monotonic() - sent < 9  # with the exits of many processes under load
    assert not command.alive()
    saved = checkpoint.newest(directory)
    step = saved.counts.actor_steps
    assert step >= whole + 400 and saved.replay_of == whole
    assert err.splitlines()[-1] == (
        f"munchausen: stopped by SIGTERM; saved: the state of step {step:,}, with the "
        f"replay of step {whole:,}; continue with --resume here"
    )

    (command.directory / "slow").unlink()
    steps = step + 1_000
    code, out, err = command.munchausen(line(mode, steps)).wait()
    assert code == 0, err
    assert f"here: the replay is that of step {whole:,}; there was no time" in out
    check_logs(directory)
    ended = checkpoint.newest(directory)
    assert ended.replay_of is None and ended.replay is not None
    # Samples per insert: as many updates for each step as without the interruption.
    agent = checkpoint_agent(directory)
    ratio = agent.storage.samples_per_insert / agent.storage.batch_size
    updates = ended.counts.learner_steps - saved.counts.learner_steps
    inserted = ended.counts.actor_steps - step
    slack = 0.2 * agent.storage.min_size * ratio + 4
    assert abs(updates - ratio * inserted) <= slack

    code, out, err = command.munchausen(line(mode, steps)).wait()
    assert (code, out) == (0, f"here is complete: it has done {steps:,} steps\n"), err


def checkpoint_agent(directory):
    import sys

    from launch.runs import run_directory

    sys.path.append(str(Path(__file__).parent))
    try:
        return run_directory.read_experiment(directory).agent
    finally:
        sys.path.pop()


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_runs_side_by_side_save_themselves_and_the_command_continues_them(
    number, command
):
    words = catch_commands.line("local", "--seeds 2")
    command.munchausen(words)

    def both_learn(_):
        found = list(command.directory.glob("runs/*/*/seed*"))
        return len(found) == 2 and all(map(catch_commands.is_evaluated, found))

    catch_commands.await_run(command, both_learn, "training")
    command.process.send_signal(number)
    code, out, err = command.wait(60)
    assert code == 75, err
    for directory in catch_commands.run_directories(command, out):
        saved = checkpoint.newest(directory)
        assert saved.replay is not None and saved.replay_of is None
        log = (directory / "run.log").read_text()
        said = f"saved: the state of step {saved.counts.actor_steps:,}, with its replay"
        assert log.count(said) == 1


def test_a_program_without_a_learner_starts_again_from_its_newest_checkpoint(
    command, slow_disk
):
    directory = command.directory / "here"
    command.munchausen(f"{line('processes', 4_500)} --restarts 2")
    for _ in command.patiently(200, "a checkpoint"):
        assert command.process.poll() is None, command.process.communicate()
        if catch_commands.saved_steps(directory):
            break
    [step] = catch_commands.saved_steps(directory)
    [learner] = [pid for pid, name in command.alive().items() if "learner" in name]
    os.kill(learner, signal.SIGKILL)
    code, _, err = command.wait(200)
    assert code == 0, err
    said = "learner/0 died (signal 9); the program is started again from step "
    assert f"{said}{step:,}, as generation 2" in err
    [row] = [each for each in events.read(directory) if each["event"] == "generation"]
    assert (row["number"], row["steps"]) == (2, step)
    check_logs(directory)
    assert read_evaluations(directory)[-1].grid == 4_500
    assert not command.alive()
