"""Published numbers: as their sources have them, and ours at the same places."""

import collections
import csv
import math

import pytest

from experiments import beside, run_files
from experiments.comparison import PUBLISHED
from tests.experiments import run_directories

MINATAR = {"kind": "MinAtar", "game": "asterix"}
CARTPOLE = {"kind": "Classic", "name": "CartPole-v1", "protocol": "dopamine"}


def groups(path):
    [members] = run_files.read([str(path)]).groups.values()
    return members


def test_every_shipped_number_has_a_source():
    for path in PUBLISHED.glob("*.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert rows
        for row in rows:
            assert row["status"] in ("verified", "computed") and row["source"]
            assert math.isfinite(float(row["value"]))
            assert int(row["window"]) <= int(row["frames"])
            trained = row["environment"] in ("Atari", "MinAtar", "Classic")
            assert (row["statistic"] in beside.STATISTICS) == trained


def test_minatar_has_five_games_of_four_agents_at_seven_places():
    with (PUBLISHED / "minatar.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    counts = collections.Counter((row["task"], row["agent"]) for row in rows)
    assert len(counts) == 20 and set(counts.values()) == {7}
    values = {
        (row["task"], row["agent"], row["frames"], row["window"]): (
            row["value"],
            row["spread"],
        )
        for row in rows
    }
    assert values["asterix", "M-DQN", "2000000", "100000"] == ("24.1", "1.6")
    assert values["asterix", "DQN", "1000000", "100000"] == ("4.4", "")
    assert values["space_invaders", "M-DQN", "1000000", "100000"] == ("34.6", "")
    assert values["seaquest", "DVW M-DQN", "10000000", "1000000"] == ("85.1", "")


def test_our_evaluations_stand_at_the_published_steps(tmp_path):
    points = {grid: [grid / 1e5, grid / 1e5 + 1] for grid in (10**6, 2 * 10**6)}
    path = run_directories.write(
        tmp_path,
        "mdqn/minatar-asterix",
        0,
        points,
        steps=2 * 10**6,
        environment=MINATAR,
    )
    text = (path / "evaluations.csv").read_text().splitlines()
    rows = [line.split(",") for line in text]
    for row in rows[1:]:
        row[2] = row[1]  # MinAtar shows a frame a step
    (path / "evaluations.csv").write_text("".join(",".join(row) + "\n" for row in rows))
    [table] = beside.tables(groups(path))
    assert table["columns"][:3] == ["500k frames", "1M frames", "2M frames"]
    assert table["columns"][-2:] == ["10M frames, over 100k", "10M frames, over 1M"]
    [(text, label, ours)] = table["ours"]
    assert (text, label) == ("mdqn, at 2M frames", "mdqn")
    # Latest, 0.5M (nothing there), 1M, 2M, and what was not reached.
    assert ours == [20.5, None, 10.5, 20.5, None, None, None, None]
    theirs = dict(table["theirs"])
    assert theirs["M-DQN"][1:3] == ["10.6", "24.1 ± 1.6"]


def test_whole_runs_are_compared_as_means_over_episodes(tmp_path):
    rows = [
        run_directories.metrics_row(100_000, "actor", 1.0, 300, episode_return=100.0),
        run_directories.metrics_row(125_000, "actor", 2.0, 400, episode_return=500.0),
        run_directories.metrics_row(150_000, "actor", 2.0, 500, episode_return=7.0),
    ]
    for row in rows:
        row["frames"] = 4 * row["actor_steps"]
    path = run_directories.write(
        tmp_path, "leverage/cartpole_dqn", 0, {9: [1.0]}, rows, environment=CARTPOLE
    )
    [table] = beside.tables(groups(path))
    assert table["statistic"] == "whole-run training return"
    [(_, _, ours)] = table["ours"]
    assert ours[1] == pytest.approx((300 * 100 + 100 * 500) / 400)  # up to 500,000
    assert dict(table["theirs"])["MD-indirect, best"] == ["481"]
