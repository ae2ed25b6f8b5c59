"""The logs of a run, against files written by hand."""

import csv
import json
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from launch.runs import logs


@pytest.fixture
def seconds(monkeypatch):
    """Makes time.time() count seconds from 100."""
    ticks = iter(range(100, 200))
    monkeypatch.setattr(logs.time, "monotonic", lambda: next(ticks))


def read_csv(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_metrics_files_equal_those_written_by_hand(tmp_path, seconds):
    log = logs.MetricsLog(tmp_path)  # starts at 100
    log.write(logs.Counts(8, 32, 2, 1), "learner", {"loss": 0.5})
    log.write(logs.Counts(16, 64, 4, 1), "actor", {"return": -21.0})
    log.close()
    assert b"\r" not in (tmp_path / "metrics.csv").read_bytes()
    assert (tmp_path / "metrics.csv").read_text().splitlines() == [
        "actor_steps,frames,learner_steps,episodes,wall_time,role,loss,return",
        "8,32,2,1,1,learner,0.5,",
        "16,64,4,1,2,actor,,-21.0",
    ]
    assert (tmp_path / "metrics.jsonl").read_text().splitlines() == [
        '{"actor_steps": 8, "frames": 32, "learner_steps": 2, "episodes": 1, '
        '"wall_time": 1, "role": "learner", "loss": 0.5}',
        '{"actor_steps": 16, "frames": 64, "learner_steps": 4, "episodes": 1, '
        '"wall_time": 2, "role": "actor", "return": -21.0}',
    ]


def test_a_reopened_log_keeps_its_rows_and_columns(tmp_path):
    for value in ({"loss": 1.0}, {"return": 2.0}, {"loss": 3.0}):
        log = logs.MetricsLog(tmp_path)
        log.write(logs.Counts(), "learner", value)
        log.close()
    rows = read_csv(tmp_path / "metrics.csv")
    assert [(row["loss"], row["return"]) for row in rows] == [
        ("1.0", ""),
        ("", "2.0"),
        ("3.0", ""),
    ]
    assert not list(tmp_path.glob(".*"))  # no draft of the rewriting is left


def test_rows_can_be_read_while_the_log_is_open(tmp_path):
    log = logs.MetricsLog(tmp_path)
    log.write(logs.Counts(actor_steps=5), "learner", {"loss": 1.0})
    assert read_csv(tmp_path / "metrics.csv")[0]["actor_steps"] == "5"
    assert json.loads((tmp_path / "metrics.jsonl").read_text())["loss"] == 1.0
    log.close()


def test_nan_and_infinity_leave_the_json_valid(tmp_path):
    log = logs.MetricsLog(tmp_path)
    values = {"a": float("nan"), "b": jnp.float32(jnp.inf), "c": np.float64(-np.inf)}
    log.write(logs.Counts(), "learner", values)
    log.close()

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    row = json.loads((tmp_path / "metrics.jsonl").read_text(), parse_constant=refuse)
    assert (row["a"], row["b"], row["c"]) == (None, None, None)
    row = read_csv(tmp_path / "metrics.csv")[0]
    assert (row["a"], row["b"], row["c"]) == ("nan", "inf", "-inf")


@pytest.mark.parametrize(
    "value, expected",
    [
        (np.int64(7), 7),
        (np.float32(0.25), 0.25),
        (np.bool_(True), True),
        (jnp.float32(0.5), 0.5),
        (np.array([1.5]), 1.5),
        ("learner waits", "learner waits"),
        (None, None),
    ],
)
def test_scalars_of_every_kind_are_plain_in_json(tmp_path, value, expected):
    log = logs.MetricsLog(tmp_path)
    log.write(logs.Counts(), "learner", {"value": value})
    log.close()
    row = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert row["value"] == expected and type(row["value"]) is type(expected)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"frames": 1.0}, "name of a row's own column"),
        ({"loss": np.zeros(3)}, "'loss' must be a scalar"),
    ],
)
def test_a_row_with_an_invalid_metric_is_refused(tmp_path, values, message):
    log = logs.MetricsLog(tmp_path)
    with pytest.raises(ValueError, match=message):
        log.write(logs.Counts(), "learner", values)
    log.close()
    assert (tmp_path / "metrics.jsonl").read_text() == ""


def test_logs_do_not_import_tensorboardx():
    code = (
        "import sys; from launch.runs import logs; print('tensorboardX' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_the_evaluations_file_equals_one_written_by_hand(tmp_path, seconds):
    log = logs.EvaluationLog(tmp_path)  # starts at 100
    counts = logs.Counts(250_040, 1_000_160, 57_510, 99)
    log.write(250_000, counts, [np.float32(-21.0), 0.5], [900, 13])
    log.close()
    log = logs.EvaluationLog(tmp_path, start=90.0)
    log.write(500_000, counts, [1.0], [7])
    log.close()
    assert (tmp_path / "evaluations.csv").read_text().splitlines() == [
        "grid,actor_steps,frames,learner_steps,episodes,"
        "mean_return,returns,lengths,wall_time",
        "250000,250040,1000160,57510,99,-10.25,-21.0 0.5,900 13,1",
        "500000,250040,1000160,57510,99,1.0,1.0,7,12.0",
    ]


def test_evaluations_are_read_as_they_were_written(tmp_path):
    assert logs.read_evaluations(tmp_path) == []
    log = logs.EvaluationLog(tmp_path, start=0.0)
    assert logs.read_evaluations(tmp_path) == []
    log.write(50, logs.Counts(52, 208, 13, 2), [0.1, -3], [7, 5])
    log.write(100, logs.Counts(100, 400, 25, 4), [2.0], [9])
    log.close()
    first, last = logs.read_evaluations(tmp_path)
    assert first[:4] == (50, logs.Counts(52, 208, 13, 2), [0.1, -3.0], [7, 5])
    assert first.mean_return == pytest.approx(-1.45)
    assert (last.grid, last.returns) == (100, [2.0])
    assert last.wall_time >= first.wall_time > 0


@pytest.mark.parametrize(
    "name, expected",
    [
        ("wall_time", True),
        ("actor_steps_per_second", True),
        ("wait_seconds", True),
        ("actor_steps", False),
        ("loss", False),
    ],
)
def test_wall_time_fields_are_recognised_by_their_names(name, expected):
    assert logs.is_wall_time(name) is expected


def write_evaluations(directory, *rows):
    written = logs.EvaluationLog(directory)
    for grid, actor_steps in rows:
        written.write(grid, logs.Counts(actor_steps), [1.0], [9])
    written.close()


def test_an_evaluation_in_progress_at_the_checkpoint_is_repeated(tmp_path):
    write_evaluations(tmp_path, (100, 104), (200, 207), (300, 301))
    assert logs.last_evaluated_step(tmp_path, 250) == 200
    assert logs.last_evaluated_step(tmp_path, 205) == 100, (
        "the evaluation at 200 was in progress, and its row is removed"
    )
    assert logs.last_evaluated_step(tmp_path, 0) == 0


def test_a_run_without_evaluations_begins_with_the_first(tmp_path):
    assert logs.last_evaluated_step(tmp_path, 250) == 0
