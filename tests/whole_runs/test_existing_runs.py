"""Which runs exist already, and how each is resumed."""

import dataclasses

import pytest

from experiments.verbs import train_arguments
from launch.errors import RunDirectoryError
from launch.runs import existing_runs, logs, run_directory
from launch.runs.checkpoint import DIRECTORY
from launch.runs.lock import locked

NAME = "leverage/cartpole"


DQN, MDQN = f"{NAME}_dqn", f"{NAME}_mdqn"


def experiment(line=""):
    return train_arguments.plan([DQN, *line.split()]).experiments[0]


def evaluate(directory, *grid):
    log = logs.EvaluationLog(directory)
    for point in grid:
        log.write(point, logs.Counts(point), [1.0], [1])
    log.close()


def save(directory, steps):
    (directory / DIRECTORY / str(steps)).mkdir(parents=True)


def state(root, wanted):
    [entry] = existing_runs.find(str(root), [wanted])
    return entry.state, entry.directory


def test_a_run_is_missing_cut_short_or_complete(tmp_path):
    wanted = experiment("--steps 100")
    assert state(tmp_path, wanted) == ("missing", None)
    directory = run_directory.create(tmp_path, wanted)
    assert state(tmp_path, wanted) == ("cut short", directory)
    evaluate(directory, 50)
    assert state(tmp_path, wanted) == ("cut short", directory)
    evaluate(directory, 100)
    assert state(tmp_path, wanted) == ("complete", directory)
    assert state(tmp_path, dataclasses.replace(wanted, seed=1)) == ("missing", None)


def test_more_steps_extend_a_run_and_fewer_are_another(tmp_path):
    directory = run_directory.create(tmp_path, experiment("--steps 100"))
    evaluate(directory, 100)
    save(directory, 100)
    assert state(tmp_path, experiment("--steps 101")) == ("cut short", directory)
    assert state(tmp_path, experiment("--steps 99")) == ("missing", None)


def test_a_run_with_other_settings_is_another_run(tmp_path):
    directory = run_directory.create(tmp_path, experiment("--agent.discount 0.9"))
    evaluate(directory, 500_000)
    assert state(tmp_path, experiment()) == ("missing", None)
    assert state(tmp_path, experiment("--agent.discount 0.9"))[0] == "complete"


def test_the_complete_run_counts_else_the_furthest(tmp_path):
    wanted = experiment("--steps 100")
    first, second, third = [run_directory.create(tmp_path, wanted) for _ in range(3)]
    save(first, 10)
    save(second, 30)
    save(third, 20)
    assert state(tmp_path, wanted) == ("cut short", second)
    evaluate(first, 100)
    assert state(tmp_path, wanted) == ("complete", first)


def test_a_run_that_another_process_holds_is_left_to_it(tmp_path):
    wanted = experiment("--steps 100")
    directory = run_directory.create(tmp_path, wanted)
    with locked(directory):
        assert state(tmp_path, wanted) == ("held", directory)
    assert state(tmp_path, wanted) == ("cut short", directory)


def test_directories_without_a_config_do_not_count(tmp_path):
    (tmp_path / DQN / "seed0-notes").mkdir(parents=True)
    assert state(tmp_path, experiment()) == ("missing", None)


def test_looking_up_the_checkpoint_to_resume_leaves_the_logs_unchanged(tmp_path):
    directory = run_directory.create(tmp_path, experiment("--steps 100"))
    evaluate(directory, 50)
    assert existing_runs.checkpoint_to_resume(directory, local=True) is None
    assert len(logs.read_evaluations(directory)) == 1


def test_a_program_is_not_continued_as_a_local_run(tmp_path, monkeypatch):
    directory = run_directory.create(tmp_path, experiment("--steps 100"))
    save(directory, 10)
    saved = existing_runs.Checkpoint(directory, logs.Counts(10), {"store": "reverb"})
    monkeypatch.setattr(existing_runs.checkpoint, "newest", lambda _: saved)
    assert existing_runs.checkpoint_to_resume(directory, local=False) == saved
    with pytest.raises(RunDirectoryError, match="resumed with --launch processes"):
        existing_runs.checkpoint_to_resume(directory, local=True)
