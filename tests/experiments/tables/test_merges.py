"""Merges of two small runs are measured on the same prompts."""

import csv
import dataclasses

import pytest

from agents import REGISTRY
from environments.language.preferences import Preferences
from experiments.tables import merges
from launch.experiment import Evaluation, Experiment
from launch.runs import initial_weights
from tests.launch.language_runs import SMALL, sums
from tests.launch.local_runs import run_new
from tests.launch.small_experiments import changed

TASK = Preferences(symbols=5, completion_columns=3)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of WARP, and the run with whose weights both began."""
    root = tmp_path_factory.mktemp("runs")
    first = dataclasses.replace(sums(), name="sft/preferences", environment=TASK)
    base = run_new(root, first)
    origins = [
        initial_weights.origin(name, base, "policy") for name in ("policy", "sft")
    ]
    experiment = Experiment(
        name="warp/preferences",
        agent_name="warp",
        agent=changed(
            REGISTRY["warp"].default(),
            {**SMALL, "optimizer.learning_rate": 0.03, "evaluation_temperature": 1.0},
        ),
        environment=TASK,
        steps=70,
        environments=5,
        evaluation=Evaluation(period=35, episodes=7),
        initial=dict.fromkeys(("policy", "sft"), str(base)),
        origins=tuple(origins),
    )
    both = [
        run_new(root, dataclasses.replace(experiment, seed=seed)) for seed in (1, 2)
    ]
    return [*both, base]


def test_each_merge_has_a_row_and_its_ends_are_equal(
    runs, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(merges, "EPISODES", 96)
    table = tmp_path / "table.csv"
    assert merges.main([*map(str, runs), str(table)]) == 0
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    ways = len(merges.WEIGHTS) + len(merges.FRACTIONS)
    assert len(rows) == 2 * ways
    assert len(capsys.readouterr().out.splitlines()) == 2 * ways + 1
    found = {
        (row["method"], float(row["weight"]), float(row["fraction"])): (
            float(row["mean_return"]),
            float(row["sft_kl"]),
        )
        for row in rows
    }
    for weight in (0.0, 1.0):  # one of the runs alone: the same prompts and draws
        assert found["slerp", weight, 1.0] == found["lerp", weight, 1.0]
    assert found["slerp", 0.0, 1.0] != found["slerp", 1.0, 1.0]
    # SLERP keeps the length of task vectors, so it goes farther than LERP.
    assert found["slerp", 0.5, 1.0][1] > found["lerp", 0.5, 1.0][1]
    divergences = [found["slerp", 0.5, each][1] for each in merges.FRACTIONS]
    assert divergences == sorted(divergences) and divergences[0] > 0
    assert rows[0]["episodes"] == "96" and rows[0]["code"]


def test_mistakes_end_in_one_line(runs, tmp_path, capsys):
    one, _, base = map(str, runs)
    assert merges.main([one, base, base]) == 2
    assert capsys.readouterr().err.startswith("usage: ")
    assert merges.main([base, base, base, str(tmp_path / "table.csv")]) == 2
    assert capsys.readouterr().err == (
        f"merges: {base} must be of warp, which measures sft_kl\n"
    )
    assert merges.main([one, one, str(tmp_path), str(tmp_path / "table.csv")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "table.csv").exists()
