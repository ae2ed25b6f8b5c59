"""`munchausen report` names what it leaves out, and still shows the rest.

The seeds and returns of the first tests are of an outside report, with means worked
out by hand.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from experiments.reporting import bootstrap
from tests.experiments.report_pages import POINTS, ROWS, report, text_of
from tests.experiments.run_directories import metrics_row, write


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """The working directory; runs lie below it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bootstrap, "REPETITIONS", 100)
    return tmp_path


def curve(points, slope):
    """Two episodes at each thousandth step: i * slope, and one more."""
    return {
        1000 * i: [float(i * slope), float(i * slope + 1)] for i in range(1, points + 1)
    }


def seeds(root, *returns, name="mdqn/catch", **options):
    return [
        write(root, name, seed, points, steps=4000, **options)
        for seed, points in enumerate(returns)
    ]


def shown(capsys, *paths):
    """The page's text, and the lines on the terminal."""
    assert report(*paths, "--output", "page.html") == 0
    out, err = capsys.readouterr()
    assert out == "page.html\n"
    with open("page.html", encoding="utf-8") as file:
        return text_of(file.read()), err.splitlines()


def test_seeds_that_were_cut_short_are_in_the_mean_and_are_named(elsewhere, capsys):
    paths = seeds(elsewhere / "runs", curve(4, 100), curve(2, 1), curve(2, 1))
    text, lines = shown(capsys, "runs")
    # At step 2,000: 200.5, 2.5 and 2.5. Of all evaluations up to there: 150.5, 2, 2.
    assert "latest return 68.50 3 seeds, at step 2k" in text
    assert "mdqn 68.50 [-215.5, 352.5] 3 seeds 51.50 2k" in text
    assert "mdqn, complete runs only 400.5 [394.1, 406.9] 1 of 3 seeds 250.5 4k" in text
    assert "Seeds 1 and 2 end at 2,000 of 4,000 steps." in text
    assert "Thin dashed lines: single seeds where not all seeds have a value." in text
    sentences = [
        f"{path.relative_to(elsewhere)} ended early: evaluated to 2,000 of 4,000 steps"
        for path in paths[1:]
    ]
    assert lines == [f"munchausen: {sentence}" for sentence in sentences]
    assert f"Incomplete: 2 runs {' '.join(sentences)}" in text


def test_a_return_that_is_not_finite_costs_one_point(elsewhere, capsys):
    first = curve(4, 10) | {4000: [float("nan"), 1.0]}
    paths = seeds(elsewhere / "runs", first, curve(4, 10), curve(4, 10))
    text, lines = shown(capsys, "runs")
    assert "final return 30.50 3 seeds" in text  # at step 3,000, in all three
    assert "Seed 0 ends at 3,000 of 4,000 steps." in text
    sentence = (
        f"{paths[0].relative_to(elsewhere)}: left out 1 point of evaluations.csv (not "
        "finite in line 5)"
    )
    assert lines == [f"munchausen: {sentence}"]
    assert f"Without some points: 1 run {sentence}" in text
    assert "Incomplete" not in text


def test_settings_that_changed_are_told_on_page_and_terminal(elsewhere, capsys):
    [path] = seeds(elsewhere / "runs", curve(4, 10))
    config = yaml.safe_load((path / "config.yaml").read_text())
    config["resumed"] = [{"step": 2_000, "changed": {"agent.discount": [0.99, 0.5]}}]
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    text, lines = shown(capsys, "runs")
    sentence = (
        f"{path.relative_to(elsewhere)}: from step 2,000 on with agent.discount 0.5 "
        "(before: 0.99)"
    )
    assert lines == [f"munchausen: {sentence}"]
    assert f"Changed settings: 1 resumption {sentence}" in text


def test_a_gap_is_interpolated_and_told(elsewhere, capsys):
    gap = {step: value for step, value in curve(4, 10).items() if step != 2000}
    seeds(elsewhere / "runs", gap, curve(4, 10))
    text, lines = shown(capsys, "runs")
    assert "final return 40.50 2 seeds" in text and lines == []
    assert "Seed 0 lacks evaluations that others have" in text


def test_one_seed_of_each_of_two_agents(elsewhere, capsys):
    seeds(elsewhere / "runs", curve(4, 10))
    seeds(elsewhere / "runs", curve(4, 5), name="dqn/catch")
    text, lines = shown(capsys, "runs")
    assert lines == [] and "One seed, so no band." in text
    # The interval is of the two episodes; the interquartile mean of one has none.
    assert "mdqn 40.50 [34.15, 46.85] 1 seed 25.50 4k" in text
    assert "dqn 20.50 none 1 seed 4k" in text and "mdqn 40.50 none 1 seed 4k" in text


def test_agents_are_compared_where_all_their_seeds_are(elsewhere, capsys):
    seeds(elsewhere / "runs", curve(4, 100), curve(2, 1), curve(2, 4))
    seeds(elsewhere / "runs", curve(4, 5), name="dqn/catch")
    text, _ = shown(capsys, "runs")
    # 200.5, 2.5 and 8.5 at step 2,000: rliable's interquartile mean drops no whole
    # value of three, and the mean of all three is 70.5.
    assert "mdqn 70.50" in text and "3 seeds 2k" in text
    assert "mdqn: seeds 1 and 2 end at 2,000 of 4,000 steps." in text


def test_returns_of_training_go_as_far_as_all_seeds(elsewhere, capsys):
    rows = [
        metrics_row(1000 * i, "actor", float(i), i, episode_return=10.0 * i)
        for i in (1, 2, 3, 4)
    ]
    write(elsewhere, "dqn/catch", 0, curve(4, 1), rows, steps=4000)
    write(elsewhere, "dqn/catch", 1, curve(2, 1), rows[:2], steps=4000)
    text, _ = shown(capsys, "dqn")
    # One episode every 1,000 steps: 10 and 20 in both seeds, up to step 2,000.
    assert "dqn 15.00 [15.00, 15.00] 15.00 [15.00, 15.00] 2 seeds" in text
    assert "wall time 400 s" not in text and "6 min 40 s per complete run" in text


def test_runs_that_cannot_be_read_are_named_and_the_others_shown(elsewhere, capsys):
    good, broken, new = seeds(elsewhere / "runs", POINTS, POINTS, None)
    (broken / "config.yaml").write_text("experiment: 5")
    (elsewhere / "runs/notes.txt").write_text("mine")
    (elsewhere / "empty").mkdir()
    paths = ["runs", "runs/notes.txt", "empty"]
    text, lines = shown(capsys, *paths)
    sentences = [
        "runs/notes.txt is a file: name a run directory",
        "empty is not a run directory or a folder of run directories: no config.yaml "
        "there",
        f"{broken.relative_to(elsewhere)}/config.yaml describes no experiment",
        f"{new.relative_to(elsewhere)} has no evaluation yet",
    ]
    assert lines[:4] == [f"munchausen: left out: {each}" for each in sentences]
    assert f"Left out: 4 paths {' '.join(sentences)}" in text
    assert str(good.relative_to(elsewhere)) in text


def test_a_killed_process_leaves_an_incomplete_line(elsewhere, capsys):
    [path] = seeds(elsewhere / "runs", curve(3, 1), metrics=ROWS)
    for name, start in (("evaluations.csv", "4000,40"), ("metrics.jsonl", '{"actor_')):
        with (path / name).open("a") as file:
            file.write(start)
    text, lines = shown(capsys, "runs")
    run = path.relative_to(elsewhere)
    assert lines == [
        f"munchausen: {run} ended early: evaluated to 3,000 of 4,000 steps",
        f"munchausen: {run}: left out 1 point of evaluations.csv (incomplete in line "
        "5)",
        f"munchausen: {run}: left out 1 point of metrics.jsonl (incomplete in line 5)",
    ]
    assert "Seed 0 ends at 3,000 of 4,000 steps." in text


def test_hundreds_of_runs_are_named_on_the_page(elsewhere, capsys):
    for seed in range(33):
        write(elsewhere / "runs", "dqn/catch", seed, {50: [float(seed)]})
    text, lines = shown(capsys, "runs")
    assert len(lines) == 21
    assert lines[-1] == "munchausen: and 13 more; see the page"
    assert "latest return 16.00 33 seeds, at step 50" in text  # the mean of 0 to 32
    assert text.count("ended early: evaluated to 50 of 100 steps") == 33
    assert report("runs", "--picture", "p.svg") == 0
    assert len(capsys.readouterr().err.splitlines()) == 33


def test_a_run_that_is_read_only_is_reported_in_the_working_directory(
    elsewhere, capsys, monkeypatch
):
    path = write(elsewhere / "runs", evaluations=POINTS)
    real = os.access
    monkeypatch.setattr(os, "access", lambda at, mode: at != path and real(at, mode))
    assert report(path) == 0
    assert capsys.readouterr().out == "report.html\n"
    assert (elsewhere / "report.html").exists() and not (path / "report.html").exists()


def test_no_home_no_utf_8_and_a_name_that_is_not_text(elsewhere):
    name = os.fsdecode(b"\xff \xc3\xbc%#'<b>\n")
    write(elsewhere / name, evaluations=POINTS, directory="seed0")
    (elsewhere / "file").touch()
    done = subprocess.run(
        [sys.executable, "-m", "experiments.cli", "report", name],
        env={
            "PATH": os.defpath,
            "HOME": f"{elsewhere}/file/home",
            "LC_ALL": "C",
            "PYTHONIOENCODING": "latin-1",
        },
        capture_output=True,
    )
    path = os.fsencode(f"{name}/mdqn/catch/seed0/report.html")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == path + b"\n"
    page = Path(os.fsdecode(path)).read_text(encoding="utf-8")
    assert r"\xff ü%#&#39;&lt;b&gt;\n/mdqn/catch/seed0" in page
    assert not list(elsewhere.glob("munchausen-*"))
