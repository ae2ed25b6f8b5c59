"""Rows of a log that cannot be used cost only themselves."""

import json

import pytest

from experiments.reporting import read_logs
from launch.errors import RunDirectoryError
from tests.experiments.run_directories import HEADER, metrics_row


def good(grid):
    return f"{grid},1,4,2,3,6.0,5.0 7.0,9 9,{grid}.5"


def evaluations(folder, *lines, end=""):
    text = HEADER + "".join(line + "\n" for line in lines) + end
    (folder / "evaluations.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    return read_logs.read_evaluations(folder)


@pytest.mark.parametrize(
    "line, reason",
    [
        ("20,1,4,2,3,nan,nan 1.0,9 9,2.5", "not finite"),
        ("20,1,4,2,3,inf,-inf,9,2.5", "not finite"),
        ("20,1,4,2,3,inf,1e308 1e308,9 9,2.5", "not finite"),  # their sum
        ("20,1,4,2,3,1.0,1.0,9,nan", "not finite"),
        ("20,1,4,2,3,1.0,1.0,9,", "malformed"),
        ("20,1,4,2,3,1.0,1.0,9", "malformed"),
        ("20,1,4,2,3,1.0,1.0,9,2.5,6", "malformed"),
        ("20,1,4,2,3,1.0,one,9,2.5", "malformed"),
        ("-20,1,4,2,3,1.0,1.0,9,2.5", "malformed"),
        (",1,4,2,3,1.0,1.0,9,2.5", "malformed"),
        ("20,1,4,nan,3,1.0,1.0,9,2.5", "malformed"),
        ("\0\0\0\0", "malformed"),
        ("\udcff\udcfe", "malformed"),
        ('"20,1,4,2', "malformed"),
    ],
)
def test_a_bad_row_costs_one_point(line, reason, tmp_path):
    log, _ = evaluations(tmp_path, good(10), line, good(30))
    assert [row.grid for row in log.rows] == [10, 30]
    assert log.lost == {reason: [3]}
    assert log.note == f"left out 1 point of evaluations.csv ({reason} in line 3)"


def test_the_last_line_may_be_incomplete(tmp_path):
    log, last = evaluations(tmp_path, good(10), good(20), end=good(30)[:-1])
    assert [row.grid for row in log.rows] == [10, 20] and last == 20
    assert log.note == "left out 1 point of evaluations.csv (incomplete in line 4)"


def test_an_evaluation_without_an_episode_is_no_lost_point(tmp_path):
    log, last = evaluations(tmp_path, "10,1,4,2,3,,,,2.5", good(20))
    assert [len(row.returns) for row in log.rows] == [0, 2]
    assert log.note == "" and last == 20


def test_rows_are_in_order_and_the_later_of_two_counts(tmp_path):
    later = good(10).replace("5.0 7.0", "1.0")
    log, last = evaluations(tmp_path, good(30), good(10), later)
    assert [(row.grid, row.mean_return) for row in log.rows] == [(10, 1.0), (30, 6.0)]
    assert last == 30
    assert log.lost == {"repeated by a later line": [3]}


def test_a_return_that_is_not_finite_was_still_reached(tmp_path):
    log, last = evaluations(tmp_path, good(10), "20,1,4,2,3,nan,nan,9,2.5")
    assert [row.grid for row in log.rows] == [10] and last == 20


def test_windows_line_ends_and_blank_lines_are_read(tmp_path):
    log, _ = evaluations(tmp_path, good(10) + "\r", "", good(20) + "\r")
    assert [row.grid for row in log.rows] == [10, 20] and log.note == ""


@pytest.mark.parametrize("start", ["", "grid,act"])
def test_a_file_that_was_just_begun_has_no_rows(start, tmp_path):
    (tmp_path / "evaluations.csv").write_text(start)
    log, last = read_logs.read_evaluations(tmp_path)
    assert log.rows == [] and last == 0


def test_a_file_without_a_column_is_refused(tmp_path):
    (tmp_path / "evaluations.csv").write_text("grid,frames\n1,2\n")
    with pytest.raises(RunDirectoryError, match="it has no column actor_steps"):
        read_logs.read_evaluations(tmp_path)


def test_a_run_that_disappears_is_not_a_run_without_evaluations(tmp_path):
    with pytest.raises(RunDirectoryError, match="gone disappeared"):
        read_logs.read_evaluations(tmp_path / "gone")


def row(**changes):
    return json.dumps(metrics_row(20, "actor", 1.0) | changes)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[1]",
        "null",
        "[" * 100_000,
        '{"role": "actor"}',
        row(wall_time=float("nan")),
        row(frames=True),
        row(episodes=-1),
        row(learner_steps=10**400),
        row(role=3),
    ],
    ids=range(10),
)
def test_a_bad_row_of_metrics_costs_one_point(line, tmp_path):
    kept = metrics_row(50, "learner", 3.0)
    (tmp_path / "metrics.jsonl").write_text(f"{json.dumps(kept)}\n{line}\n")
    log = read_logs.read_metrics(tmp_path)
    assert log.rows == [kept]
    assert log.note == "left out 1 point of metrics.jsonl (malformed in line 2)"


@pytest.mark.parametrize("value", [None, float("nan"), float("-inf"), "x", True])
def test_a_training_return_that_is_not_finite_keeps_its_row(value, tmp_path):
    rows = [metrics_row(n, "actor", n, n, episode_return=value) for n in range(1, 6)]
    text = "".join(json.dumps(each) + "\n" for each in rows)
    (tmp_path / "metrics.jsonl").write_text(text + '{"role": "act')
    log = read_logs.read_metrics(tmp_path)
    assert [each["episode_return"] for each in log.rows] == [None] * 5
    assert log.note == (
        "left out 6 points of metrics.jsonl (incomplete in line 6; not finite in lines "
        "1, 2, 3 and 2 more)"
    )


def sample(grid, completion, **others):
    row = {"grid": grid, "actor_steps": grid, "prompt": "ann ?", "reward": 0.5}
    row |= {"completion": completion, "reference": "ann has hat ."} | others
    return json.dumps(row) + "\n"


def test_samples_are_those_of_the_last_evaluation(tmp_path):
    lines = [sample(20, "early"), sample(40, "ann has"), sample(40, "hat .", reward=1)]
    (tmp_path / "samples.jsonl").write_text("".join(lines))
    log = read_logs.read_samples(tmp_path)
    assert log.rows == [
        ("ann ?", "ann has", 0.5, "ann has hat ."),
        ("ann ?", "hat .", 1.0, "ann has hat ."),
    ]
    assert log.note == ""


def test_a_run_without_samples_has_none(tmp_path):
    assert read_logs.read_samples(tmp_path).rows == []


@pytest.mark.parametrize(
    "line",
    ["[]\n", "{}\n", "7\n", "\0\n", '{"grid": 40\n', sample(40, "bad", reward=None)],
)
def test_a_bad_sample_costs_only_itself(line, tmp_path):
    lines = [sample(40, "one"), line, sample(40, "two")]
    (tmp_path / "samples.jsonl").write_text("".join(lines))
    log = read_logs.read_samples(tmp_path)
    assert [row.completion for row in log.rows] == ["one", "two"]
    note = "left out 1 point of samples.jsonl (malformed in line 2)"
    assert log.note == note
