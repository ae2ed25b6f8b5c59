"""The section on a suite: its numbers as a reader sees them."""

import re

import pytest

from experiments.catalogue.suites import SUITES, Suite
from experiments.catalogue.tasks import TASKS
from experiments.flags import OverrideError
from experiments.reporting import (
    bootstrap,
    plots,
    read_runs,
    suite_runs,
    suite_section,
)
from launch.errors import RunDirectoryError
from tests.experiments.report_pages import report, text_of
from tests.experiments.run_directories import write


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Two seeds of two agents on Asterix; on Breakout, DQN has only one of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bootstrap, "REPETITIONS", 100)
    for agent, game, returns in (
        ("dqn", "asterix", (0.55, 19.8)),
        ("mdqn", "asterix", (19.8, 39.05)),
        ("dqn", "breakout", (36.2,)),
        ("mdqn", "breakout", (0.49, 0.49)),
    ):
        for seed, value in enumerate(returns):
            write(
                tmp_path / "runs",
                f"{agent}/{game}",
                seed,
                {100: [value]},
                environment={"kind": "MinAtar", "game": game},
            )
    return tmp_path


def test_numbers_by_hand(root, capsys):
    assert report("runs", "--suite", "minatar-5") == 0
    assert "minatar-breakout: no result of seed 1 of dqn" in capsys.readouterr().err
    text = text_of((root / "report.html").read_text())
    for part in (
        "Runs of 2 of 5 tasks",
        "minatar-seaquest: no run",
        # DQN enters with one seed on both tasks: scores 0 and 1.
        "dqn 0.500 none 0.500 none 0.500 none 0.500 none 1",
        # M-DQN has 1 and 2 on Asterix, 0 and 0 on Breakout. The middle two are 0 and 1.
        "mdqn 0.750 [0.500, 1.00] 0.750 [0.500, 1.00] 0.500 [",
        "minatar-asterix: 1 of 2 seeds of dqn, which has 1 on another task",
        # On Asterix, M-DQN's mean of 29.425 is 2 distances of 9.625 above DQN's; on
        # Breakout it is one below. The seed of DQN that enters loses against both
        # seeds on Asterix and wins against both on Breakout.
        "mdqn 1 of 2 50.00 % 50.00 % 0.500 none",
        "minatar-asterix, at 100 actor steps dqn 2 10.1",
        "random play 0.55 DQN, published 19.8",
        "Published evaluation return, DQN-normalised",
    ):
        assert part in text, part


def section(baseline=None):
    reading = read_runs.read(["runs"])
    groups = [group for members in reading.groups.values() for group in members]
    suite = SUITES["minatar-5"]
    runs = suite_runs.sort(groups, "minatar-5", suite)
    looks = plots.looks(runs.labels)
    return suite_section.section("minatar-5", suite, runs, baseline, looks)


def test_a_picture_has_the_profile_and_the_gains(root):
    assert report("runs", "--suite", "minatar-5", "--picture", "suite.svg") == 0
    assert not (root / "report.html").exists()
    comments = re.findall(r"<!-- (.*) -->", (root / "suite.svg").read_text())
    for text in ("Performance profile, DQN-normalised", "mdqn against dqn", "dqn"):
        assert comments.count(text) == 1, text
    assert "share of seeds above" in comments and "minatar-breakout" in comments


def test_nothing_to_draw_is_one_line(root, capsys):
    """One agent, on a task without reference returns."""
    one = write(root / "one", "dqn/catch", 0, {100: [1.0]})
    suite = Suite("none", "nowhere", {"catch": TASKS["catch"]})
    reading = read_runs.read([str(one)])
    groups = [group for members in reading.groups.values() for group in members]
    runs = suite_runs.sort(groups, "none", suite)
    with pytest.raises(RunDirectoryError, match="two agents on a task, or tasks with"):
        suite_section.picture(runs, None, plots.looks(runs.labels), "png")


def test_another_baseline(root):
    [agent] = section("mdqn")["against"]
    assert agent["label"] == "dqn" and agent["cells"][0] == "1 of 2"
    assert agent["left_out"][0] == (
        "minatar-breakout: no improvement, since the baseline is as good as random play"
    )
    with pytest.raises(OverrideError, match="one of the agents dqn, mdqn, got sac"):
        section("sac")


def test_a_profile_ends_at_a_score_of_eight(root):
    assert "axis ends" not in section()["aggregates"][0]["profile"].caption
    asterix = {"kind": "MinAtar", "game": "asterix"}
    again = root / "runs" / "again"
    write(again, "dqn/asterix", 0, {100: [900.0], 200: [1.0]}, environment=asterix)
    caption = section()["aggregates"][0]["profile"].caption
    assert "The axis ends at 8; some scores are higher." in caption


def test_agents_without_a_common_task_have_no_aggregate(root):
    freeway = {"kind": "MinAtar", "game": "freeway"}
    write(root / "runs", "iqn/freeway", 0, {100: [3.0]}, environment=freeway)
    found = section()
    [aggregate] = found["aggregates"]
    assert aggregate["left_out"] == [
        "no aggregate: the agents must have a task in common, got none"
    ]
    iqn = next(each for each in found["against"] if each["label"] == "iqn")
    assert iqn["bars"] is None and len(iqn["left_out"]) == 3


@pytest.mark.parametrize(
    "line, said",
    [
        ("--suite atari57", "unknown suite 'atari57'; did you mean 'atari-57'?"),
        ("--suite atari-57", "none of the runs is of one: alien, amidar"),
        ("--baseline dqn", "--baseline dqn needs --suite"),
    ],
)
def test_mistakes(root, line, said, capsys):
    assert report("runs", *line.split()) == 2
    assert said in capsys.readouterr().err
    assert not (root / "report.html").exists()
