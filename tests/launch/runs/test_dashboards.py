"""Dashboards: what they are given, and what stops a run before it starts."""

import sys
import types

import pytest

from experiments import cli
from launch import run
from launch.errors import RunDirectoryError
from launch.runs import dashboards
from launch.runs.logs import Counts, Episode
from launch.runs.recorder import Recorder

COUNTS = Counts(8, 32, 2, 1)


class Error(Exception):
    """What the library raises."""


class Library(types.ModuleType):
    """Stands in for the package wandb; notes its calls."""

    Error = Error

    def __init__(self):
        super().__init__("wandb")
        self.calls, self.ids = [], iter(["first", "second"])
        self.util = types.SimpleNamespace(generate_id=lambda: next(self.ids))
        self.api = types.SimpleNamespace(api_key=None)
        self.failure = None
        self.__spec__ = types.SimpleNamespace(name="wandb")

    def Settings(self, **settings):
        return settings

    def init(self, **arguments):
        if self.failure is not None:
            raise self.failure
        self.calls.append(("init", arguments))
        return self

    def define_metric(self, *arguments, **options):
        self.calls.append(("define_metric", arguments, options))

    def log(self, row):
        self.calls.append(("log", row))

    def finish(self):
        self.calls.append(("finish",))


@pytest.fixture
def library(monkeypatch):
    fake = Library()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    for name in ("ERROR_REPORTING", "SILENT"):
        monkeypatch.setenv(f"WANDB_{name}", "true")
    return fake


@pytest.fixture
def absent(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setattr(dashboards.importlib.util, "find_spec", lambda name: None)


def test_tensorboard_gets_what_is_finite(tmp_path):
    board = dashboards.TensorBoard(tmp_path)
    board.write(COUNTS, "learner", {"loss": 0.5, "norm": float("nan")})
    board.close()
    [path] = tmp_path.glob("events.out.tfevents.*")
    events = path.read_bytes()
    assert b"learner/loss" in events and b"norm" not in events


def test_wandb_is_told_of_the_run_and_its_axis(library, catch, tmp_path):
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


def test_a_resumed_run_goes_on_there(library, catch, tmp_path):
    for _ in range(2):
        dashboards.Wandb(tmp_path, catch(), "online").close()
    told = [call[1] for call in library.calls if call[0] == "init"]
    assert [(each["id"], each["resume"]) for each in told] == 2 * [("first", "allow")]


def test_the_recorder_shows_training_and_evaluations(library, catch, tmp_path):
    recorder = Recorder(catch(), tmp_path, wandb="offline")
    recorder.add_episodes([Episode(1.0, 4), Episode(0.0, 2)])
    recorder.report(Counts(100), {"loss": 0.25}, {"learner": 0.5})
    recorder.evaluation(100, Counts(104), [Episode(1.0, 4), Episode(-0.5, 6)])
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


def test_a_full_disk_is_the_runs_error_and_nobody_elses(tmp_path):
    board = dashboards.TensorBoard(tmp_path)
    at_exit = board._writer.file_writer.event_writer.close
    before, board._file.file = board._file.file, open("/dev/full", "wb")
    board.write(COUNTS, "learner", {"loss": 0.5})
    with pytest.raises(OSError, match="No space left"):
        board.close()
    at_exit()
    before.close()  # only now: the library's thread may have been writing to it


def test_a_failure_to_start_is_one_line(library, catch, tmp_path):
    library.failure = Error("no\nroute")
    with pytest.raises(RunDirectoryError, match="Weights & Biases: no route"):
        Recorder(catch(), tmp_path, wandb="online")


def test_off_needs_nothing(absent, catch, tmp_path):
    dashboards.check("off")
    Recorder(catch(), tmp_path).close()


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_without_the_package_nothing_starts(mode, absent, capsys, tmp_path):
    line = ["train", "mdqn/catch", "--runs", str(tmp_path / "runs"), "--wandb", mode]
    assert cli.main(line) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert "not installed: `make wandb`" in err
    assert not list(tmp_path.iterdir())


def test_without_a_key_online_is_refused(library):
    dashboards.check("offline")
    with pytest.raises(ValueError, match="wandb login"):
        dashboards.check("online")
    library.api.api_key = "secret"
    dashboards.check("online")


def test_the_flag_reaches_the_run(library, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        run, "run_experiment", lambda *_, wandb, **__: asked.append(wandb)
    )
    line = ["train", "mdqn/catch", "--runs", str(tmp_path), "--wandb", "offline"]
    assert cli.main(line) == 0
    assert asked == ["offline"]
    assert cli.main([*line[:-1], "onlin"]) == 2
