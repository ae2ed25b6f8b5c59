"""A run's policy is added to a zoo in another folder, with its row."""

import numpy as np
import pytest

from experiments.tables import zoo as table
from launch.policies import saved_policy, zoo
from launch.policies.evaluate import evaluate_run
from launch.runs import checkpoint, checkpoint_saving, logs
from tests.experiments.verbs.saved_runs import make_run


@pytest.fixture
def run(tmp_path):
    """A run with two checkpoints, at steps 7 and 9; nothing has been learned."""
    directory = make_run(tmp_path / "runs", "mdqn/catch")
    saved = checkpoint.newest(directory)
    agent = saved_policy.load(directory)[1]
    state = checkpoint.load_state(saved, agent)
    more = {"extra": {}, "replay": None, "keep": 2}
    checkpoint_saving.save(directory, logs.Counts(9), state, **more)
    return directory


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty zoo, and a working directory without one."""
    monkeypatch.setattr(zoo, "FOLDER", tmp_path / "trained")
    monkeypatch.setattr(zoo, "TABLE", tmp_path / "trained/zoo.csv")
    monkeypatch.chdir(tmp_path)
    return zoo.FOLDER


def test_a_policy_of_the_zoo_plays_like_its_run(run, folder, capsys):
    assert table.main([str(run), "small-catch"]) == 0
    assert zoo.names() == ["zoo/small-catch"]
    [row] = table.table()
    assert row["policy"] == "zoo/small-catch" and row["actor_steps"] == "9"
    returns = evaluate_run(run, table.EPISODES, table.SEED).returns
    assert float(row["mean_return"]) == pytest.approx(np.mean(returns))
    assert float(row["lowest_return"]) == min(returns)
    assert float(row["highest_return"]) == max(returns)
    assert "actor_steps    9" in capsys.readouterr().out
    found = saved_policy.load(zoo.find("zoo/small-catch"))[2]
    wanted = saved_policy.load(run)[2]
    assert found["q"]["params"].keys() == wanted["q"]["params"].keys()


def test_an_earlier_checkpoint_can_be_chosen_and_replaces_the_row(run, folder):
    table.add(run, "small-catch")
    table.add(run, "other")
    table.add(run, "small-catch", steps=7)
    rows = [(row["policy"], row["actor_steps"]) for row in table.table()]
    assert rows == [("zoo/other", "9"), ("zoo/small-catch", "7")]


def test_mistakes_end_in_one_line_and_change_nothing(run, folder, tmp_path, capsys):
    assert table.main([str(run), "small-catch", "8"]) == 2
    assert capsys.readouterr().err == (
        f"zoo: {run} has no checkpoint at step 8; it has [7, 9]\n"
    )
    assert table.main([str(tmp_path / "nowhere"), "small-catch"]) == 2
    assert table.main([str(run)]) == 2
    assert not folder.exists()
