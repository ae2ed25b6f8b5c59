"""Dashboards: the values they get, and failures before a run starts."""

import subprocess
import sys
from pathlib import Path

import pytest

from launch.errors import RunDirectoryError
from launch.runs import dashboards
from launch.runs.logs import Counts, Episode, Evaluated
from launch.runs.recorder import Recorder
from tests.launch.runs import stand_in_wandb

COUNTS = Counts(8, 32, 2, 1)


@pytest.fixture
def library(monkeypatch):
    return stand_in_wandb.install(monkeypatch)


@pytest.fixture
def absent(monkeypatch):
    stand_in_wandb.remove(monkeypatch)


def test_tensorboard_gets_finite_values_only(tmp_path):
    board = dashboards.TensorBoard(tmp_path)
    board.write(COUNTS, "learner", {"loss": 0.5, "norm": float("nan")})
    board.close()
    [path] = tmp_path.glob("events.out.tfevents.*")
    events = path.read_bytes()
    assert b"learner/loss" in events and b"norm" not in events


def test_wandb_gets_the_run_its_axis_and_finite_values(library, catch, tmp_path):
    board = dashboards.Wandb(tmp_path, catch({"seed": 3}), "offline")
    board.write(COUNTS, "learner", {"loss": 0.5, "norm": float("inf")})
    board.close()
    (_, told), axis, log, end = library.calls
    assert (told["mode"], told["dir"], told["id"]) == (
        "offline",
        str(tmp_path),
        "first",
    )
    assert told["name"] == f"mdqn/catch/{tmp_path.name}"
    assert told["config"]["seed"] == 3
    assert axis == ("define_metric", ("*",), {"step_metric": "actor_steps"})
    assert log == ("log", {"learner/loss": 0.5, **COUNTS._asdict()})
    assert end == ("finish",)


def test_a_resumed_run_continues_the_same_wandb_run(library, catch, tmp_path):
    for _ in range(2):
        dashboards.Wandb(tmp_path, catch(), "online").close()
    told = [call[1] for call in library.calls if call[0] == "init"]
    assert [(each["id"], each["resume"]) for each in told] == 2 * [("first", "allow")]


def test_the_recorder_shows_training_and_evaluations(library, catch, tmp_path):
    recorder = Recorder(catch(), tmp_path, wandb="offline")
    recorder.add_episodes([Episode(1.0, 4), Episode(0.0, 2)])
    recorder.report(Counts(100), {"loss": 0.25}, {"learner": 0.5})
    recorder.evaluation(
        100, Counts(104), Evaluated([Episode(1.0, 4), Episode(-0.5, 6)])
    )
    recorder.close()
    rows = [call[1] for call in library.calls if call[0] == "log"]
    shown = [
        (row["actor_steps"], {name: row[name] for name in row if "/" in name})
        for row in rows
    ]
    assert shown == [
        (100, {"actor/episode_return": 0.5, "actor/episode_length": 3.0}),
        (100, {"learner/loss": 0.25}),
        (100, {"learner/waiting_share": 0.5}),
        (104, {"evaluator/episode_return": 0.25, "evaluator/episode_length": 5.0}),
    ]
    [path] = tmp_path.glob("events.out.tfevents.*")
    events = path.read_bytes()
    for tag in ("actor/episode_return", "learner/loss", "evaluator/episode_return"):
        assert tag.encode() in events


def test_a_full_disk_raises_in_the_run_and_not_at_exit(tmp_path):
    board = dashboards.TensorBoard(tmp_path)
    at_exit = board._writer.file_writer.event_writer.close
    before, board._file.file = board._file.file, open("/dev/full", "wb")
    board.write(COUNTS, "learner", {"loss": 0.5})
    with pytest.raises(OSError, match="No space left"):
        board.close()
    at_exit()
    before.close()  # only now: the library's thread may have been writing to it


def test_a_failure_to_start_is_one_line(library, catch, tmp_path):
    library.failure = stand_in_wandb.Error("no\nroute")
    with pytest.raises(RunDirectoryError, match="Weights & Biases: no route"):
        Recorder(catch(), tmp_path, wandb="online")


def test_a_run_without_wandb_does_not_need_the_package(absent, catch, tmp_path):
    dashboards.check("off")
    Recorder(catch(), tmp_path).close()


def test_without_a_key_online_is_refused(library):
    dashboards.check("offline")
    with pytest.raises(ValueError, match="wandb login"):
        dashboards.check("online")
    library.api.api_key = "secret"
    dashboards.check("online")


def test_tensorboard_events_are_written_without_tensorflow(tmp_path):
    code = """
import sys
from launch.runs import dashboards, logs
board = dashboards.TensorBoard(sys.argv[1])
board.write(logs.Counts(actor_steps=5), "learner", {"loss": 0.5})
board.close()
print(sorted({"tensorflow", "jax", "torch"} & sys.modules.keys()))
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    events = next(tmp_path.glob("events.out.tfevents.*")).read_bytes()
    assert b"learner/loss" in events


def test_tensorboard_takes_no_relative_path_for_a_cloud(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    directory = Path("gs:runs")
    directory.mkdir()
    dashboards.TensorBoard(directory).close()
    assert list(directory.glob("events*"))
