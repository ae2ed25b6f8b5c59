"""Programs whose learner has the replay: updates, kills, and a resume."""

import os
import signal

import pytest

from launch.runs import checkpoint, events
from launch.runs.logs import read_evaluations
from tests.whole_runs import catch_commands

pytestmark = [
    pytest.mark.launchpad,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    # TensorFlow 2.8 is older than NumPy's deprecations.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

MIN_SIZE = 100
SETTINGS = "--updates_per_call 3"


@pytest.mark.parametrize(
    "mode, replay",
    [("processes", "device"), ("threads", "device"), ("processes", "learner")],
)
def test_every_step_is_followed_by_its_updates_and_the_agent_learns(
    command, mode, replay
):
    line = f"{catch_commands.LINE} {SETTINGS} --steps 6000 --launch {mode}"
    line = f"{line} --replay {replay}"
    code, out, err = command.munchausen(line).wait(200)
    assert code == 0, err
    assert not command.alive()
    [directory] = catch_commands.run_directories(command, out)
    newest = checkpoint.newest(directory)
    last = newest.counts
    assert 6000 <= last.actor_steps < 6200
    # One batch for each transition beyond the first ones.
    assert last.learner_steps == last.actor_steps - MIN_SIZE
    rows = newest.extra["rows"]
    assert rows["inserted"] == last.actor_steps
    assert len(rows["written"]) == 4  # lanes of two actors with two environments
    evaluations = read_evaluations(directory)
    assert [row.grid for row in evaluations][-1] == 6000
    assert max(row.mean_return for row in evaluations[-3:]) > 0.6  # at best 1


@pytest.fixture
def running(command):
    """Starts a run, and waits until it has rows newer than its last checkpoint."""
    line = catch_commands.line(
        "processes", SETTINGS, "--replay device", "--checkpoint.period 300"
    )
    command.munchausen(line)
    return catch_commands.await_past_a_checkpoint(command)


def test_a_killed_actor_is_started_again_in_its_lanes(command):
    line = f"{catch_commands.LINE} {SETTINGS} --steps 6000 --launch processes"
    command.munchausen(f"{line} --replay device")
    directory = catch_commands.await_run(command, catch_commands.is_evaluated, "rows")
    os.kill(command.await_role("munchausen actor/1 "), signal.SIGKILL)
    code, _, err = command.wait(300)
    assert code == 0, err
    assert not command.alive()
    [row] = events.read(directory)
    assert (row["role"], row["event"]) == ("actor/1", events.RESTART)
    last = checkpoint.newest(directory)
    assert last.counts.actor_steps >= 6000
    # Lost with the actor: what it had not stored, or not reported yet.
    assert abs(last.extra["rows"]["inserted"] - last.counts.actor_steps) < 200


@pytest.mark.parametrize("role", ["learner", "replay"])
def test_a_run_whose_role_was_killed_continues_with_its_rows(command, running, role):
    catch_commands.kill_role(command, role)
    saved = checkpoint.newest(running)
    steps = saved.counts.actor_steps + 601
    command.munchausen(f"train --resume {running} --steps {steps}")
    code, _, err = command.wait(200)
    assert code == 0, err
    assert not command.alive()
    last = checkpoint.newest(running)
    assert last.counts.actor_steps >= steps
    acted = last.counts.actor_steps - saved.counts.actor_steps
    inserted = [each.extra["rows"]["inserted"] for each in (saved, last)]
    assert inserted[1] - inserted[0] == acted
    assert read_evaluations(running)[-1].grid == steps
