"""Programs with queues: how many updates, how old the transitions are, and kills."""

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

ACTORS, LANES, BATCH = 2, 5, 6
# ceil((C + actors * environments) / B), with the capacity C of one batch.
OLDEST = 3
LINE = (
    f"train sft/arithmetic --actors {ACTORS} --environments {LANES} "
    f"--agent.batch_size {BATCH} --agent.network.width 8 --agent.network.layers 1 "
    "--log_period 20 --evaluation.period 500 --evaluation.episodes 8"
)


def ages(directory):
    """The metric `staleness_max` of each row that has it."""
    found = catch_commands.metrics(directory)
    return [row["staleness_max"] for row in found if "staleness_max" in row]


@pytest.mark.parametrize(
    "mode, more", [("processes", "--replays 2"), ("threads", "")], ids=str
)
def test_every_completion_is_used_once_and_none_is_old(command, mode, more):
    line = f"{LINE} --steps 1003 --launch {mode} {more}"
    code, out, err = command.munchausen(line).wait(200)
    assert code == 0, err
    assert not command.alive()
    [directory] = catch_commands.run_directories(command, out)
    last = checkpoint.newest(directory).counts
    assert 1003 <= last.actor_steps < 1100
    assert last.learner_steps == last.actor_steps // BATCH
    assert [row.grid for row in read_evaluations(directory)][-1] == 1003
    found = ages(directory)
    assert len(found) > 10 and 0 < max(found) <= OLDEST


@pytest.fixture
def running(command):
    """Starts a run, and waits until it has rows newer than its last checkpoint."""
    line = f"{LINE} --steps 1000000 --launch processes --checkpoint.period 300"
    command.munchausen(line)
    return catch_commands.await_past_a_checkpoint(command)


def test_killed_actors_are_started_again_and_nothing_becomes_old(command):
    command.munchausen(f"{LINE} --steps 6000 --launch processes")
    directory = catch_commands.await_run(command, ages, "rows")
    pid = command.await_role("munchausen actor/1 ")
    os.kill(pid, signal.SIGKILL)
    code, _, err = command.wait(300)
    assert code == 0, err
    assert not command.alive()
    [row] = events.read(directory)
    assert (row["role"], row["event"], row["how"]) == (
        "actor/1",
        events.RESTART,
        "signal 9",
    )
    last = checkpoint.newest(directory).counts
    assert last.actor_steps >= 6000
    # Lost with the actor: what it had not stored, or not reported yet.
    assert abs(last.learner_steps - last.actor_steps / BATCH) < 40
    assert max(ages(directory)) <= OLDEST


@pytest.mark.parametrize("role", ["learner", "replay"])
def test_a_run_whose_role_was_killed_can_be_resumed(command, running, role):
    catch_commands.kill_role(command, role)
    saved = checkpoint.newest(running)
    steps, queued = saved.counts.actor_steps + 601, saved.extra["queued"]
    assert 0 <= queued <= BATCH + BATCH
    command.munchausen(f"train --resume {running} --steps {steps}")
    code, out, err = command.wait(200)
    assert code == 0, err
    assert not command.alive()
    dropped = f"{queued} transitions that waited in the actors' queues at step "
    assert (dropped in out) is bool(queued), out
    last = checkpoint.newest(running).counts
    assert last.actor_steps >= steps
    acted = last.actor_steps - saved.counts.actor_steps
    assert last.learner_steps - saved.counts.learner_steps == acted // BATCH
    assert read_evaluations(running)[-1].grid == steps
    assert max(ages(running)) <= OLDEST
