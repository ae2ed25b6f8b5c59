"""Whole Launchpad programs through the command line: how they run and how they end."""

import signal
import time
from pathlib import Path

import pytest

from launch.policies import saved_policy
from launch.policies.evaluate import evaluate_run
from launch.runs import checkpoint
from launch.runs.logs import read_evaluations
from tests.whole_runs import catch_commands

pytestmark = pytest.mark.launchpad


def titles(command):
    """The roles that the titles of the processes name."""
    words = [title.split() for title in command.alive().values()]
    return {found[1] for found in words if found[:1] == ["munchausen"]}


def check(directory, steps):
    """Checks the evaluations, counts and policy of a finished run."""
    rows = read_evaluations(directory)
    grid = [row.grid for row in rows]
    assert grid == sorted(set(grid)) and grid[-1] == steps
    assert all(point % 500 == 0 for point in grid)
    counts = [row.counts for row in rows]
    assert all(
        now.actor_steps >= point for now, point in zip(counts, grid, strict=True)
    )
    last = counts[-1]
    assert steps <= last.actor_steps == last.frames < steps * 1.5
    assert 0 < last.episodes <= last.actor_steps / 9
    assert all(len(row.returns) == 20 for row in rows)
    # As many updates as samples per insert calls for, within the limiter's tolerance.
    owed = (last.actor_steps - 100) * 32 / 32
    assert abs(last.learner_steps - owed) < 320 / 32 + 16
    assert checkpoint.newest(directory).counts.learner_steps == last.learner_steps
    assert len(evaluate_run(directory, 3, 0).returns) == 3
    assert saved_policy.load_policy(directory) is not None


def test_processes_run_to_the_end(command):
    command.munchausen(f"{catch_commands.LINE} --steps 1000 --launch processes")
    seen = set()
    for _ in command.patiently(100, "the end"):
        seen |= titles(command)
        if command.process.poll() is not None:
            break
    code, out, err = command.wait()
    assert code == 0, err
    assert not command.alive()
    # A process that is being started briefly has the title of its parent.
    assert seen - {"launcher"} == set(catch_commands.ROLES)
    [directory] = catch_commands.run_directories(command, out)
    check(directory, 1000)
    logs = {path.name for path in (directory / "logs").iterdir()}
    assert logs == {
        "replay-0.log",
        "coordinator-0.log",
        "learner-0.log",
        "actor-0.log",
        "actor-1.log",
        "evaluator-0.log",
    }
    assert "final evaluation return" in out


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_the_evaluator_keeps_step_with_the_actors(command, mode):
    line = (
        f"{catch_commands.LINE} --steps 3000 --evaluation.lockstep true --launch {mode}"
    )
    code, out, err = command.munchausen(line).wait()
    assert code == 0, err
    assert not command.alive()
    [directory] = catch_commands.run_directories(command, out)
    rows = read_evaluations(directory)
    assert rows[-1].grid == 3_000 and all(row.grid % 500 == 0 for row in rows)
    decisions = sum(sum(row.lengths) for row in rows)
    # Four lanes stop at once, and it may fall behind but never gets ahead.
    assert 1_000 < decisions < rows[-1].counts.actor_steps + 4


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_catch_is_learnt_for_two_seeds_in_a_row(command, mode):
    line = "train mdqn/catch --seeds 2 --steps 10000 --evaluation.episodes 30"
    code, out, err = command.munchausen(f"{line} --launch {mode}").wait(400)
    assert code == 0, err
    assert not command.alive()
    directories = catch_commands.run_directories(command, out)
    assert len(directories) == 2
    for directory in directories:
        assert read_evaluations(directory)[-1].returns == [1.0] * 30


@pytest.fixture
def running(command):
    """Starts a long run and waits for its first evaluation."""

    def start(mode="processes"):
        command.munchausen(catch_commands.line(mode))
        return catch_commands.await_run(
            command, catch_commands.is_evaluated, "an evaluation"
        )

    return start


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["processes", "threads", "local"])
def test_ctrl_c_saves_and_ends_in_order(command, running, mode):
    directory = running(mode)
    command.process.send_signal(signal.SIGINT)
    code, _, err = command.wait(60)
    assert code == 130
    assert "Traceback" not in err
    assert "did not end" not in err
    assert not command.alive()
    saved = checkpoint.newest(directory)
    assert (
        saved.counts.actor_steps >= read_evaluations(directory)[-1].counts.actor_steps
    )


@pytest.mark.slow
def test_ctrl_c_ends_the_second_program_of_a_process_too(command):
    """Launchpad handles signals only for the first program of a process."""
    line = f"{catch_commands.LINE} --launch threads --seeds 3 --steps 2000"
    command.munchausen(line)
    for _ in command.patiently(100, "the second seed"):
        found = list(Path(command.directory).glob("runs/*/*/seed1-*/evaluations.csv"))
        if found and len(found[0].read_text().splitlines()) > 1:
            break
    command.process.send_signal(signal.SIGINT)
    code, out, _ = command.wait(60)
    assert code == 130
    first, second = catch_commands.run_directories(command, out)
    assert read_evaluations(first)[-1].grid == 2000
    assert checkpoint.newest(second).counts.actor_steps <= 2000


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["processes", "threads", "local"])
def test_a_second_ctrl_c_ends_at_once(command, running, mode):
    running(mode)
    command.process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    command.process.send_signal(signal.SIGINT)
    assert command.wait(10)[0] != 0
    assert not command.alive()
