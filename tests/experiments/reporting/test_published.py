"""Published numbers match their sources; ours are shown at the same steps."""

import collections
import csv
import math

import pytest

from experiments.reporting import published, read_runs
from experiments.reporting.published import PUBLISHED
from tests.experiments import run_directories

MINATAR = {"kind": "MinAtar", "game": "asterix"}
HOPPER = {"kind": "Locomotion", "name": "Hopper-v5"}
CARTPOLE = {"kind": "Classic", "name": "CartPole-v1", "protocol": "dopamine"}


def groups(path):
    [members] = read_runs.read([str(path)]).groups.values()
    return members


def test_every_shipped_number_has_a_source():
    for path in PUBLISHED.glob("*.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert rows
        for row in rows:
            assert row["status"] in ("verified", "computed", "second-hand")
            assert row["source"]
            assert math.isfinite(float(row["value"]))
            assert int(row["window"]) <= int(row["frames"])
            computed = row["environment"] in ("Garnet", "Language", "Maze")
            assert (row["statistic"] in published.STATISTICS) != computed


def test_minatar_has_five_games_of_four_agents_at_seven_steps():
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


def test_our_evaluations_are_shown_at_the_published_steps(tmp_path):
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
    [table] = published.tables(groups(path))
    assert table["columns"][:3] == ["500k frames", "1M frames", "2M frames"]
    assert table["columns"][-2:] == ["10M frames, over 100k", "10M frames, over 1M"]
    [(text, label, ours)] = table["ours"]
    assert (text, label) == ("mdqn, at 2M frames", "mdqn")
    # Latest, 0.5M (no evaluation), 1M, 2M, and steps that the run has not reached.
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
    [table] = published.tables(groups(path))
    assert table["statistic"] == "whole-run training return"
    [(_, _, ours)] = table["ours"]
    assert ours[1] == pytest.approx((300 * 100 + 100 * 500) / 400)  # up to 500,000
    assert dict(table["theirs"])["MD-indirect, best"] == ["481"]


def hopper(folder, seed, points):
    """Writes a run with a frame per step, whose training episodes return 7."""
    reached = max(points)
    training = [
        {
            **run_directories.metrics_row(step, "actor", step, 9, episode_return=7.0),
            "frames": step,
        }
        for step in (reached - 60_000, reached - 30_000, reached)
    ]
    path = run_directories.write(
        folder, "td3/hopper", seed, points, training, steps=10**6, environment=HOPPER
    )
    lines = (path / "evaluations.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines]
    for row in rows[1:]:
        row[2] = row[1]
    (path / "evaluations.csv").write_text("".join(",".join(row) + "\n" for row in rows))


def test_evaluations_and_training_returns_are_compared_separately(tmp_path):
    hopper(tmp_path, 0, {95_000: [900.0], 100_000: [10.0], 10**6: [30.0]})
    hopper(tmp_path, 1, {95_000: [100.0], 100_000: [200.0], 10**6: [40.0]})
    hopper(tmp_path, 2, {95_000: [0.0], 100_000: [3_000.0]})
    tables = {table["statistic"]: table for table in published.tables(groups(tmp_path))}
    ours = {name: table["ours"][0][2] for name, table in tables.items()}
    # At 100k frames over all three runs; one of them has not reached 1M. The latest
    # number comes first.
    evaluation = ours["evaluation return"]
    at_100k = pytest.approx((10 + 200 + 3_000) / 3)
    assert evaluation[:2] == [at_100k, at_100k] and evaluation[-1] is None
    [everyone, whole] = tables["evaluation return"]["ours"]
    assert everyone[0] == "td3, at 100k frames"
    # The next row is over the two complete runs.
    assert whole[:2] == ("td3, complete runs only, at 1M frames", "td3")
    assert whole[2][1:] == [pytest.approx((10 + 200) / 2), *whole[2][2:-1], 35.0]
    assert whole[2][0] == pytest.approx(35)
    # The highest mean of (900 + 100) / 2, 105 and 35; not the mean of each run's best.
    best = tables["best evaluation return"]["ours"][1][2]
    assert best == [pytest.approx(500), pytest.approx(500)]
    # Of all three runs, up to 100k: the mean of 10, 200 and 3,000.
    assert ours["best evaluation return"] == [at_100k, None]
    assert tables["training return"]["ours"][1][2] == [7.0, 7.0]
    assert dict(tables["best evaluation return"]["theirs"])["SAC (Tianshou)"] == [
        "3,542.2 ± 51.5"
    ]
    assert "highest mean" in tables["best evaluation return"]["meaning"]
    assert "5k frames before" in tables["evaluation return"]["meaning"]


def test_unfinished_runs_are_compared_where_all_of_them_are(tmp_path):
    hopper(tmp_path, 0, {95_000: [900.0], 190_000: [10.0]})
    hopper(tmp_path, 1, {95_000: [100.0], 190_000: [20.0], 250_000: [50.0]})
    tables = {table["statistic"]: table for table in published.tables(groups(tmp_path))}
    [(text, _, ours)] = tables["evaluation return"]["ours"]
    assert text == "td3, at 190k frames"
    assert ours[0] == pytest.approx((10 + 20) / 2)


@pytest.mark.parametrize(
    "dataset", ["mine/hopper/medium-replay-v0", "d4rl/hopper_medium_replay-v2.hdf5"]
)
def test_offline_runs_are_compared_with_scores_of_their_quality(dataset, tmp_path):
    """Hopper's random and expert returns: -20.272305 and 3234.3."""
    expert, half = 3234.3, (3234.3 - 20.272305) / 2
    for seed, final in ((0, expert), (1, half)):
        path = run_directories.write(
            tmp_path,
            "td3_bc/hopper-medium-replay",
            seed,
            {500_000: [0.0, 0.0], 1_000_000: [final - 1, final + 1]},
            steps=1_000_000,
            environment=HOPPER,
            dataset=dataset,
        )
    [table] = published.tables(groups(path.parent))
    assert table["statistic"] == "normalised score"
    assert table["columns"] == ["1M learner steps"]
    [(text, _, (latest, there))] = table["ours"]
    assert "at 1M learner steps" in text
    assert latest == there == pytest.approx(75.0)
    theirs = dict(table["theirs"])
    assert theirs["TD3+BC (CORL)"] == ["64.42 ± 21.52"]  # of medium-replay, not medium
    assert theirs["BC (v0)"] == ["11.8"]


@pytest.mark.parametrize(
    "dataset, quality",
    [
        ("D4RL/pen/human-v2", "human"),
        ("d4rl/pen-cloned-v1.hdf5", "cloned"),
        ("d4rl/humanoid-medium-v2.hdf5", "medium"),
        ("d4rl/humanoid-v2.hdf5", "of unknown quality"),
        ("munchausen/adroit-pen/medium-expert-v0", "medium-expert"),
        ("", ""),
    ],
)
def test_the_quality_of_a_dataset_is_the_protocol_of_its_numbers(dataset, quality):
    assert published.quality(dataset) == quality


def test_d4rls_data_of_the_hand_have_published_scores():
    run = {
        "environment": {"kind": "Adroit", "name": "pen"},
        "dataset": "D4RL/pen/human-v2",
    }
    rows = published.read_published(published.environment(run))
    assert {row.agent: row.value for row in rows}["BC (CORL)"] == 71.03


def test_a_dataset_of_unknown_quality_has_no_published_numbers(tmp_path):
    path = run_directories.write(
        tmp_path,
        "td3_bc/hopper-medium",
        0,
        {100: [1.0]},
        environment=HOPPER,
        dataset="of/my/own-v3",
    )
    assert published.tables(groups(path.parent)) == []


def test_published_numbers_from_memory_are_never_shown(tmp_path):
    header = (
        "environment,task,protocol,agent,statistic,frames,window,value,spread,seeds,"
    )
    rows = [
        f"Atari,pong,{protocol},DQN,training return,9,9,{value},,5,{status},book,\n"
        for protocol, value, status in [
            ("dopamine", 1.5, "verified"),
            ("dopamine", 2.5, "computed"),
            ("dopamine", 3.5, "recalled"),
            ("nature", 4.5, "verified"),
        ]
    ]
    (tmp_path / "a.csv").write_text(header + "status,source,note\n" + "".join(rows))
    environment = {"kind": "Atari", "game": "pong", "protocol": "dopamine"}
    found = published.read_published(environment, tmp_path)
    assert [row.value for row in found] == [1.5, 2.5]
    (tmp_path / "a.csv").write_text(
        header + "status,source,note\n" + rows[0].replace("verified", "sure")
    )
    with pytest.raises(ValueError, match=r"status must be one of .*, got 'sure'"):
        published.read_published(environment, tmp_path)


def test_shipped_pong_numbers_have_a_source():
    environment = {"kind": "Atari", "game": "pong", "protocol": "dopamine"}
    rows = published.read_published(environment)
    rainbow = {row.frames: row.value for row in rows if row.agent == "Rainbow"}
    assert rainbow[199_000_000] == 20.2
    assert all(row.source and row.status in ("verified", "computed") for row in rows)
