"""Reading one run directory."""

import pytest
import yaml

from experiments.reporting import read_run
from launch.errors import RunDirectoryError
from launch.runs import events, lock
from tests.experiments.run_directories import metrics_row, write

NAN = float("nan")


def test_progress_is_the_furthest_of_the_last_rows(tmp_path):
    rows = [metrics_row(30, "actor", 1.5), metrics_row(70, "learner", 8.0)]
    run = read_run.read(write(tmp_path, evaluations={50: [1.0]}, metrics=rows), [])
    assert (run.actor_steps, run.clock, run.frames) == (70, 70, 280)
    assert run.wall_time == 8.0 and run.counted == "actor"
    assert (run.evaluated, run.end, run.complete) == (50, 50, False)


def test_a_lost_last_return_leaves_a_run_complete(tmp_path):
    path = write(tmp_path, evaluations={50: [1.0], 100: [NAN]})
    points = []
    run = read_run.read(path, points)
    assert run.complete and run.end == 50 and run.evaluated == 100
    assert [row.grid for row in run.evaluations] == [50]
    assert points == [
        f"{path}: left out 1 point of evaluations.csv (not finite in line 3)"
    ]


def test_a_run_tells_which_settings_changed_and_when(tmp_path):
    path = write(tmp_path, evaluations={50: [1.0]})
    config = yaml.safe_load((path / "config.yaml").read_text())
    config["resumed"] = [
        {"step": 4_000, "changed": {"agent.discount": [0.99, 0.5], "steps": [1, 2]}},
        {"step": 5_000, "changed": {"log_period": [1_000, 500]}},
        {"step": 6_000},
        {"changed": "edited by hand"},
        {"step": 7_000, "changed": {"agent.network.hidden": [[16], [16, 8]]}},
    ]
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    assert read_run.read(path, []).changes == [
        f"{path}: from step 4,000 on with agent.discount 0.5 (before: 0.99)",
        f"{path}: from step 7,000 on with agent.network.hidden 16,8 (before: 16)",
    ]


def test_a_run_tells_how_far_it_is_and_whether_it_is_running(tmp_path):
    path = write(tmp_path, evaluations={50: [1.0]}, steps=4_000)
    place = "evaluated to 50 of 4,000 steps"
    assert read_run.read(path, []).progress == f"{path} ended early: {place}"
    with lock.locked(path):
        run = read_run.read(path, [])
    assert run.running and run.progress == f"{path} is still running: {place}"


@pytest.mark.parametrize(
    "evaluations, reason",
    [
        (None, "has no evaluation yet"),
        ({50: [NAN], 100: [NAN]}, "has no evaluation that can be used: left out 2"),
    ],
)
def test_a_run_without_an_evaluation_is_refused(evaluations, reason, tmp_path):
    path = write(tmp_path, evaluations=evaluations)
    with pytest.raises(RunDirectoryError, match=reason):
        read_run.read(path, [])


def test_a_dataset_that_is_no_text_is_refused(tmp_path):
    path = write(tmp_path, evaluations={50: [1.0]})
    config = path / "config.yaml"
    config.write_text(
        config.read_text().replace("  seed: 0", "  seed: 0\n  dataset: 7")
    )
    with pytest.raises(RunDirectoryError, match="`dataset` must be a text, got 7"):
        read_run.read(path, [])


DEATH = {"role": "actor/3", "host": "a", "how": "signal 9", "steps": 70, "line": ""}


def test_deaths_of_roles_are_read_in_their_order(tmp_path):
    path = write(tmp_path, evaluations={50: [1.0]})
    assert read_run.read(path, []).deaths == []
    events.append(path, events.RESTART, **DEATH)
    events.append(path, "generation", number=2)
    events.append(path, events.LOST, **DEATH)
    run = read_run.read(path, [])
    assert [death["event"] for death in run.deaths] == [events.RESTART, events.LOST]
    assert len(run.events) == 3


def test_damaged_events_cost_the_report_only_its_events(tmp_path):
    path = write(tmp_path, evaluations={50: [1.0]})
    events.append(path, events.RESTART, **{**DEATH, "steps": "many"})
    points = []
    assert read_run.read(path, points).deaths == []
    assert points == [f"{path}: no events, since a row of events.jsonl has no steps"]
