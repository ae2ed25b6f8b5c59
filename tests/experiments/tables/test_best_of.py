"""The best of N samples: numbers by hand, a small run, and runs that are refused."""

import csv
import dataclasses

import numpy as np
import pytest

from agents import REGISTRY
from environments.language.preferences import Preferences
from experiments.tables import best_of
from tests.launch.language_runs import SMALL, sums
from tests.launch.local_runs import run_new
from tests.launch.small_experiments import changed, small_catch

TASK = Preferences(symbols=5, completion_columns=3)


def test_rows_by_hand():
    scores = np.array(
        [[1.0, 3.0, 2.0, 0.0], [5.0, 5.0, 6.0, 9.0], [0.0, 0.0, 1.0, 2.0]]
    )
    one, two, four = best_of.rows(scores, (1, 2, 4))
    assert float(one["mean_return"]) == pytest.approx(34 / 12, rel=1e-5)
    # Pairs: (3 + 2) / 2, (5 + 9) / 2, (0 + 2) / 2.
    assert float(two["mean_return"]) == pytest.approx(3.5)
    assert float(two["standard_error"]) == pytest.approx(np.sqrt(9.75 / 3), rel=1e-2)
    assert float(four["mean_return"]) == pytest.approx(14 / 3, rel=1e-5)
    assert [one["kl"], four["kl"]] == ["0", "0.636294"]
    assert (four["prompts"], four["samples"]) == (3, 4)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    experiment = dataclasses.replace(sums(), name="sft/preferences", environment=TASK)
    return run_new(tmp_path_factory.mktemp("runs"), experiment)


def test_a_table_rises_with_n(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(best_of, "PROMPTS", 7)
    table = tmp_path / "table.csv"
    assert best_of.main([str(run), str(table)]) == 0
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["number"]) for row in rows] == [1, 2, 4, 8, 16, 32, 64]
    means = [float(row["mean_return"]) for row in rows]
    assert (np.diff(means) > 0).all()
    command = f"python -m experiments.tables.best_of {run} {table}"
    assert {row["command"] for row in rows} == {command}
    assert len(capsys.readouterr().out.splitlines()) == 8


def test_runs_without_a_language_policy_are_refused(run, tmp_path, capsys):
    agent = changed(REGISTRY["reward_model"].default(), SMALL)
    model = dataclasses.replace(
        sums(),
        name="reward_model/preferences",
        agent_name="reward_model",
        agent=agent,
        environment=TASK,
        initial={"reward": str(run), "sft": str(run)},
    )
    learned = run_new(tmp_path / "runs", model)
    catch = run_new(tmp_path / "runs", small_catch({"steps": 40}))
    said = {
        learned: "must be of an agent that learns a policy",
        catch: "only networks of language agents can be merged",
        tmp_path: "config.yaml",
    }
    for directory, wanted in said.items():
        assert best_of.main([str(directory), str(tmp_path / "table.csv")]) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith("best_of: ") and wanted in line
    assert best_of.main([]) == 2
