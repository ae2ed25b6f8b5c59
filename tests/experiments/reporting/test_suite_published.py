"""Published numbers over several tasks: mean and median, and ours where complete."""

import pytest

from experiments.catalogue.suites import SUITES
from experiments.reporting import read_runs, scales, suite_published, suite_runs
from tests.experiments.run_directories import write


def tables(path, name):
    groups = [
        group
        for members in read_runs.read([str(path)]).groups.values()
        for group in members
    ]
    runs = suite_runs.sort(groups, name, SUITES[name])
    known = {one.name: scales.scales(one.environment) for one in runs.played}
    [scale] = {scale for own in known.values() for scale in own}
    ends = {task: own[scale] for task, own in known.items()}
    return suite_published.tables(scale, ends, runs.played, runs.labels)


def test_minatar_by_hand(tmp_path):
    """DQN at its end is 1 by definition; at 500,000 frames it has 2.2 and 5.1.

    Our run is there after 125,000 steps: in these files a step has four frames.
    """
    for game, own in (("asterix", 0.55 + 19.25 * 0.5), ("breakout", 0.49 + 35.71)):
        write(
            tmp_path,
            f"mdqn/{game}",
            0,
            {125_000: [own]},
            steps=125_000,
            environment={"kind": "MinAtar", "game": game},
            metrics=[],
        )
    [table] = tables(tmp_path, "minatar-5")
    assert (table["statistic"], table["count"]) == ("evaluation return", "2 tasks")
    theirs = dict(table["theirs"])
    first = table["columns"].index("500k frames")
    last = table["columns"].index("10M frames, over 1M")
    assert theirs["DQN"][last] == "1.00 / 1.00"
    asterix, breakout = (2.2 - 0.55) / 19.25, (5.1 - 0.49) / 35.71
    mean = (asterix + breakout) / 2
    assert theirs["DQN"][first] == f"{mean:.3f} / {mean:.3f}"
    [(label, cells)] = table["ours"]
    assert label == "mdqn" and cells[last] == "\N{EN DASH}"
    assert cells[first] == f"{(0.5 + 1) / 2:.3f} / {(0.5 + 1) / 2:.3f}"


def test_published_scores_of_datasets_are_in_per_cent(tmp_path):
    for name, quality in (("Hopper-v5", "medium"), ("HalfCheetah-v5", "medium")):
        write(
            tmp_path,
            f"td3_bc/{name}",
            0,
            {100: [3.0]},
            environment={"kind": "Locomotion", "name": name},
            dataset=f"munchausen/{name.lower()}/{quality}-v0",
        )
    [table] = tables(tmp_path, "d4rl-locomotion")
    assert table["columns"] == ["1M learner steps"]
    mean = float(dict(table["theirs"])["BC (CORL)"][0].split(" / ")[0])
    # BC of CORL: 42.40 on HalfCheetah and 53.51 on Hopper
    assert mean == pytest.approx((0.4240 + 0.5351) / 2, abs=1e-3)
