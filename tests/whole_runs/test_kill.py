"""kill -9 of any process of a run.

Actors and evaluator are started again. Without one of the others the run ends, names
the role, and can be resumed.
"""

import os
import signal

import pytest

from launch.build import make_agent
from launch.policies.saved_policy import load_policy
from launch.preflight import check
from launch.runs import checkpoint, events, run_directory
from launch.runs.logs import Counts, read_evaluations
from tests.whole_runs import catch_commands

pytestmark = [
    pytest.mark.launchpad,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    # TensorFlow 2.8 is older than NumPy's deprecations.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

# Nothing is overwritten, so that what the table should hold can be counted.
KEEPING = "--checkpoint.period 1000 --agent.storage.capacity 500000"


@pytest.fixture
def running(command):
    """Starts a run, and waits until it has rows newer than its last checkpoint."""

    def is_past_a_checkpoint(directory):
        saved, rows = (
            catch_commands.saved_steps(directory),
            catch_commands.metrics(directory),
        )
        return saved and rows and rows[-1]["actor_steps"] > saved[-1]

    command.munchausen(catch_commands.line("processes", KEEPING))
    return catch_commands.await_run(command, is_past_a_checkpoint, "a checkpoint")


@pytest.fixture
def stored(tmp_path):
    """Starts a server from a checkpoint's snapshot; returns its table's state."""

    def state(saved, experiment):
        import reverb

        from launch.replay import limiter, reverb_store, snapshot

        spec = check(experiment, here=False).spec
        storage = make_agent(experiment, spec).storage
        server = reverb.Server(
            reverb_store.make_tables(storage),
            checkpointer=snapshot.make_checkpointer(tmp_path / "served", saved.replay),
        )
        found = limiter.limiter_state(server.localhost_client())
        server.stop()
        return found

    return state


def counts(row):
    return Counts(*(int(row[name]) for name in Counts._fields))


def logged(directory):
    """Rows of both logs, each as `(counts, its subject, the whole row)`."""
    evaluations = [(row.counts, row.grid, row) for row in read_evaluations(directory)]
    rows = catch_commands.metrics(directory)
    return evaluations, [(counts(r), (r["role"], *sorted(r)), r) for r in rows]


def of_role(row):
    return row[1][0] if isinstance(row[1], tuple) else "evaluator"


def check_goes_on(before, after, saved):
    """Rows up to the checkpoint are unchanged; new rows follow, without duplicates."""
    kept = [row for row in before if row[0].actor_steps <= saved.actor_steps]
    assert after[: len(kept)] == kept
    following = after[len(kept) :]
    assert following and following[0][0].actor_steps >= saved.actor_steps
    assert all(now >= then for now, then in zip(following[0][0], saved, strict=True))
    # An evaluation has the counts of its parameters; other roles are ahead of them.
    for role in {of_role(row) for row in after}:
        own = [row[0] for row in after if of_role(row) == role]
        for column in zip(*own, strict=True):
            assert list(column) == sorted(column)
    about = [(row[0].actor_steps, row[1]) for row in after]
    assert len(set(about)) == len(about)


def check_resumes(command, directory, stored):
    """The run resumes from its last checkpoint, with its replay, and completes."""
    saved = checkpoint.newest(directory)
    assert min(saved.counts) > 0, saved.counts
    experiment = run_directory.read_experiment(directory)
    restored = stored(saved, experiment)
    # Every decision is a transition; the last ones may not have arrived yet.
    assert abs(restored.inserted - saved.counts.actor_steps) < 300, restored
    assert restored.size == restored.inserted
    before, steps = logged(directory), saved.counts.actor_steps + 1700
    command.munchausen(f"train --resume {directory} --steps {steps}")
    code, out, err = command.wait(100)
    assert code == 0, err
    assert f"from step {saved.counts.actor_steps:,}" in out
    assert not command.alive()
    after = logged(directory)
    for old, new in zip(before, after, strict=True):
        check_goes_on(old, new, saved.counts)
    assert after[0][-1][1] == steps, "the last evaluation is missing"
    rows = catch_commands.metrics_csv(directory)
    assert [counts(row) for row in rows] == [row[0] for row in after[1]]
    final = checkpoint.newest(directory)
    acted = final.counts.actor_steps - saved.counts.actor_steps
    assert 1700 <= acted < 3000
    assert stored(final, experiment).inserted == restored.inserted + acted
    owed = 32 * acted / 32  # samples per insert / batch size
    learned = final.counts.learner_steps - saved.counts.learner_steps
    assert abs(learned - owed) < 320 / 32 + 300, (learned, owed)
    assert load_policy(directory) is not None


@pytest.mark.parametrize("role", ("replay", "coordinator", "learner"))
def test_a_run_whose_role_was_killed_ends_and_can_be_resumed(
    command, running, stored, role
):
    catch_commands.kill_role(command, role, seconds=30)
    check_resumes(command, running, stored)


def test_killed_actors_and_evaluators_are_started_again(command):
    steps = 12_000
    line = f"{catch_commands.LINE} --launch processes --steps {steps}"
    command.munchausen(line)
    directory = catch_commands.await_run(command, catch_commands.is_evaluated, "rows")
    killed = ("actor/0", "evaluator", "actor/1")
    for role in killed:
        pid = command.await_role(f"munchausen {role} ")
        os.kill(pid, signal.SIGKILL)
        for _ in command.patiently(30, f"another {role}"):
            if command.await_role(f"munchausen {role} ") != pid:
                break
    code, _, err = command.wait(200)
    assert code == 0, err
    assert not command.alive()
    rows = events.read(directory)
    assert [(row["role"], row["how"]) for row in rows] == [
        ("actor/0", "signal 9"),
        ("evaluator/0", "signal 9"),
        ("actor/1", "signal 9"),
    ]
    assert {row["event"] for row in rows} == {events.RESTART}
    evaluated = [row.grid for row in read_evaluations(directory)]
    assert evaluated == sorted(set(evaluated)), "no point is evaluated twice"
    assert evaluated[-1] == steps
    final = checkpoint.newest(directory).counts
    assert steps <= final.actor_steps < steps + 300
    storage = run_directory.read_experiment(directory).agent.storage
    inserts = final.actor_steps - storage.min_size
    owed = storage.samples_per_insert * inserts / storage.batch_size
    assert abs(final.learner_steps - owed) < 320 / 32 + 300, final


def test_no_role_survives_a_killed_launcher_and_its_run_can_be_resumed(
    command, running, stored
):
    command.process.kill()
    command.wait()  # and close its pipes
    command.await_all_gone(30)
    check_resumes(command, running, stored)
