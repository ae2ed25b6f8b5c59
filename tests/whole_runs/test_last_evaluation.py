"""A resumed run that lacks nothing but its last evaluation only evaluates."""

import pytest

from experiments import cli
from launch.datasets.sampler import DatasetBatches
from launch.engines import one_thread
from launch.runs import checkpoint, checkpoint_saving, logs, run_directory
from tests.launch import pendulum_dataset
from tests.launch.local_runs import run_local
from tests.launch.small_experiments import pendulum
from tests.whole_runs import catch_commands


def lose_last_evaluation(directory):
    """Removes the last evaluation, as a kill would; returns all of them."""
    path, rows = directory / logs.EVALUATIONS, logs.read_evaluations(directory)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    return [(row.grid, row.counts, row.returns) for row in rows]


def evaluations(directory):
    rows = logs.read_evaluations(directory)
    return [(row.grid, row.counts, row.returns) for row in rows]


def never(*arguments, **keywords):
    raise AssertionError("it does more than evaluate")


def test_a_run_with_a_dataset_only_evaluates(tmp_path, monkeypatch, capsys):
    path = str(pendulum_dataset.write(tmp_path / "pendulum.hdf5", 60))
    changes = {"agent.pretraining_steps": 5, "evaluation.period": 15}
    wanted = pendulum("ploff", path, steps=30, **changes)
    directory = run_directory.create(tmp_path, wanted)
    run_local(wanted, directory)
    before = lose_last_evaluation(directory)
    monkeypatch.setattr(DatasetBatches, "prepare", never)
    monkeypatch.setattr(checkpoint_saving, "save", never)
    # Fewer steps are refused as always, without an evaluation.
    assert cli.main(["train", "--resume", str(directory), "--steps", "20"]) == 2
    assert "--steps must be at least 30" in capsys.readouterr().err
    assert cli.main(["train", "--resume", str(directory)]) == 0
    assert evaluations(directory) == before
    assert cli.main(["train", "--resume", str(directory)]) == 2
    assert "complete: it has done 30 of 30 steps" in capsys.readouterr().err


def test_a_local_run_only_evaluates(catch, tmp_path, monkeypatch):
    """A local run evaluates before it saves, so this happens only if logs are lost."""
    wanted = catch({"steps": 30, "evaluation.period": 15, "evaluation.episodes": 2})
    directory = run_directory.create(tmp_path, wanted)
    run_local(wanted, directory)
    before = lose_last_evaluation(directory)
    monkeypatch.setattr(one_thread.Local, "act", never)
    assert cli.main(["train", "--resume", str(directory)]) == 0
    assert evaluations(directory) == before


CATCH = (
    "train mdqn/catch --steps 600 --agent.network.hidden 16 --launch threads "
    "--evaluation.period 300 --evaluation.episodes 4 --agent.storage.min_size 50"
)
PENDULUM = (
    "train bc/hopper --dataset pendulum.hdf5 --environment.name InvertedPendulum-v5 "
    "--steps 90 --agent.network.hidden 13 --agent.batch_size 7 --launch threads "
    "--evaluation.period 30 --evaluation.episodes 2"
)


@pytest.mark.launchpad
@pytest.mark.slow
@pytest.mark.parametrize("line", [CATCH, PENDULUM], ids=["catch", "pendulum"])
def test_a_program_only_evaluates(line, command):
    pendulum_dataset.write(command.directory / "pendulum.hdf5", 40)
    code, out, error = command.munchausen(line).wait()
    assert code == 0, error
    [directory] = catch_commands.run_directories(command, out)
    *_, (grid, counts, returns) = lose_last_evaluation(directory)
    resume = f"train --resume {directory} --launch processes"
    code, _, error = command.munchausen(resume).wait()
    assert code == 0, error
    again = logs.read_evaluations(directory)[-1]
    assert again.grid == grid and len(again.returns) == len(returns)
    assert again.counts.actor_steps == counts.actor_steps
    assert checkpoint.newest(directory).counts.clock == again.counts.clock
