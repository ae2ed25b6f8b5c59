"""Runs sorted by the tasks of a suite and by agent; what is missing is named."""

import pytest

from experiments.catalogue.suites import SUITES
from experiments.reporting import read_runs, suite_runs
from launch.errors import RunDirectoryError
from tests.experiments.run_directories import write


def game(name):
    """As an earlier version wrote it: without a field that came later."""
    return {"kind": "MinAtar", "game": name, "sticky_actions": 0.1}


def sort(path, name="minatar-5"):
    groups = [
        group
        for members in read_runs.read([str(path)]).groups.values()
        for group in members
    ]
    return suite_runs.sort(groups, name, SUITES[name])


def test_returns_are_taken_where_all_runs_of_a_task_have_been(tmp_path):
    breakout = game("breakout")
    points = {40: [1.0, 3.0], 80: [5.0, 7.0], 100: [9.0]}
    write(tmp_path, "dqn/minatar-breakout", 0, points, environment=breakout)
    short = {40: [2.0], 80: [4.0]}
    write(tmp_path, "mdqn/minatar-breakout", 0, short, environment=breakout)
    found = sort(tmp_path)
    [one] = found.played
    assert (one.name, one.step, one.reached) == (
        "minatar-breakout",
        80,
        "80 actor steps",
    )
    assert one.returns("dqn") == {0: 6.0} and one.mean("mdqn") == 4.0
    assert one.mean("iqn") is None
    *absent, shortened = found.missing
    assert absent == [
        f"minatar-{name}: no run"
        for name in ("asterix", "freeway", "seaquest", "space-invaders")
    ]
    assert shortened == (
        "minatar-breakout: no result of mdqn after 80 actor steps, so all agents are "
        "compared there; others have 100"
    )


def test_a_run_that_ended_early_shortens_no_other(tmp_path):
    """Seed 1 of mdqn has come to 40 of 100 steps; the agents are compared at 100."""
    breakout, points = game("breakout"), {40: [1.0, 3.0], 100: [9.0]}
    for name in ("dqn", "mdqn"):
        for seed in (0, 1, 2):
            own = {40: [50.0]} if (name, seed) == ("mdqn", 1) else points
            write(tmp_path, f"{name}/breakout", seed, own, environment=breakout)
    found = sort(tmp_path)
    [one] = found.played
    assert one.step == 100
    assert one.returns("dqn") == {0: 9.0, 1: 9.0, 2: 9.0}
    assert one.returns("mdqn") == {0: 9.0, 2: 9.0}
    assert "minatar-breakout: no result of seed 1 of mdqn" in found.missing


def test_missing_agents_and_seeds_are_named(tmp_path):
    for seed in (0, 1, 2):
        point = {100: [seed + 0.5]}
        write(tmp_path, "dqn/a", seed, point, environment=game("asterix"))
    write(tmp_path, "dqn/b", 1, {100: [7.0]}, environment=game("breakout"))
    write(tmp_path, "mdqn/a", 0, {100: [8.0]}, environment=game("asterix"))
    found = sort(tmp_path)
    assert found.labels == ["dqn", "mdqn"]
    assert found.missing[3:] == [
        "minatar-breakout: no result of seeds 0 and 2 of dqn",
        "minatar-breakout: no run of mdqn",
    ]
    assert found.returns() == {
        "dqn": {"minatar-asterix": [0.5, 1.5, 2.5], "minatar-breakout": [7.0]},
        "mdqn": {"minatar-asterix": [8.0], "minatar-breakout": []},
    }


def test_an_agents_label_is_the_same_on_all_tasks(tmp_path):
    """Two temperatures on one task; on the other one, only one of them."""
    for heat in (0.1, 0.3):
        write(
            tmp_path / str(heat),
            "mdqn/a",
            0,
            {100: [heat]},
            environment=game("asterix"),
            temperature=heat,
        )
    b = game("breakout")
    write(tmp_path, "mdqn/b", 0, {100: [5.0]}, environment=b, temperature=0.3)
    found = sort(tmp_path)
    assert found.labels == ["mdqn, temperature 0.1", "mdqn, temperature 0.3"]
    assert found.returns()["mdqn, temperature 0.3"] == {
        "minatar-asterix": [0.3],
        "minatar-breakout": [5.0],
    }


def test_groups_of_no_task_are_named_first(tmp_path):
    write(tmp_path, "dqn/a", 0, {100: [1.0]}, environment=game("asterix"))
    other = game("breakout") | {"sticky_actions": 0.0}
    for seed in (3, 5):
        write(tmp_path, "dqn/b", seed, {100: [1.0]}, environment=other)
    found = sort(tmp_path)
    assert found.missing[:2] == [
        "left out: dqn/b, seeds 3 and 5: MinAtar breakout sticky_actions 0.0 is no "
        "task of minatar-5",
        "minatar-breakout: no run",
    ]


def test_runs_of_other_settings_of_the_environment_or_datasets_are_no_tasks(tmp_path):
    write(
        tmp_path / "sticky",
        "dqn/minatar-breakout",
        0,
        {100: [1.0]},
        environment=game("breakout") | {"sticky_actions": 0.0},
    )
    with pytest.raises(RunDirectoryError, match="suite minatar-5 needs runs of its"):
        sort(tmp_path / "sticky")
    hopper = {"kind": "Locomotion", "name": "Hopper-v5"}
    for root, dataset in (("acting", ""), ("offline", "D4RL/hopper/medium-v2")):
        points = {100: [3.0]}
        write(
            tmp_path / root,
            "td3/hopper",
            0,
            points,
            environment=hopper,
            dataset=dataset,
        )
    assert [one.name for one in sort(tmp_path / "acting", "locomotion").played] == [
        "hopper"
    ]
    assert [
        one.name for one in sort(tmp_path / "offline", "d4rl-locomotion").played
    ] == ["hopper-medium"]
    with pytest.raises(RunDirectoryError):
        sort(tmp_path / "acting", "d4rl-locomotion")
