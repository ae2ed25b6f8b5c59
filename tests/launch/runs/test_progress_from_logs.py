"""The live line of a run in several processes, read from the coordinator's logs."""

import time

import pytest

from launch.runs import progress_from_logs, roles
from launch.runs.logs import Counts, Episode, Evaluated
from launch.runs.progress_from_logs import Follower
from launch.runs.recorder import Recorder
from launch.runs.roles import Row
from tests.launch.small_experiments import pendulum

# The earlier stage of some runs, and its learner steps.
EARLIER = {"pretraining": 100_000}
THOUSANDS = {"log_period": 1_000, "agent.pretraining_steps": 100_000}


class Shown:
    """Records what a live line would show."""

    def __init__(self, title, total):
        self.title, self.total = title, total
        self.updates, self.closed = [], False

    def below(self, lines):
        self.table = lines

    def update(self, counts, values):
        self.updates.append((counts, dict(values)))

    def close(self):
        self.closed = True


@pytest.fixture
def lines(monkeypatch):
    """The live lines that were made."""
    made = []

    def make(title, total):
        made.append(Shown(title, total))
        return made[-1]

    monkeypatch.setattr(progress_from_logs, "Progress", make)
    monkeypatch.setattr(progress_from_logs, "_PERIOD_SECONDS", 0.01)
    return made


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_rows_of_another_process_are_shown(catch, tmp_path, lines):
    experiment = catch({"seed": 4})
    with Follower(experiment, tmp_path, EARLIER, progress=True):
        [line] = lines
        assert (line.title, line.total) == ("mdqn/catch seed 4", 300)
        until(lambda: line.updates)
        assert line.updates[0] == (Counts(), {}), "no file yet"
        recorder = Recorder(experiment, tmp_path)
        recorder.add_episodes([Episode(0.5, 9)])
        recorder.report(Counts(100, 100, 3, 11), {"q_loss": 1.0}, {"learner": 0.25})
        until(lambda: line.updates[-1][0] == Counts(100, 100, 3, 11))
        recorder.evaluation(
            100, Counts(100), Evaluated([Episode(1.0, 9), Episode(0.0, 9)])
        )
        until(lambda: "evaluation" in line.updates[-1][1])
        recorder.report(Counts(300, 300, 9, 33), {"q_loss": 1.0})
        recorder.close()
    # The last rows are shown, even if they came just before the end.
    counts, values = line.updates[-1]
    assert counts == Counts(300, 300, 9, 33)
    assert values["evaluation"] == 0.5
    assert values["bottleneck"] == "actors (learner waits 25 %)"
    assert any(values.get("return") == 0.5 for _, values in line.updates)
    assert line.closed


def test_an_evaluation_of_earlier_parameters_does_not_set_the_line_back(
    catch, tmp_path, lines
):
    """Else the rate would be that of the short time since then: it was 15 times it."""
    experiment, now = catch({"seed": 4}), Counts(200, 200, 6, 22)
    with Follower(experiment, tmp_path, EARLIER, progress=True):
        [line] = lines
        recorder = Recorder(experiment, tmp_path)
        recorder.report(now, {"q_loss": 1.0})
        until(lambda: line.updates and line.updates[-1][0] == now)
        earlier = Counts(100, 100, 3, 11)
        measured = Evaluated([Episode(1.0, 9)], measures={"forward_kl": 0.5})
        recorder.evaluation(100, earlier, measured)
        until(lambda: "evaluation" in line.updates[-1][1])
        recorder.close()
    assert earlier not in [counts for counts, _ in line.updates]
    assert line.updates[-1][0] == now


def test_a_half_written_row_is_read_when_it_is_complete(tmp_path):
    rows, path = progress_from_logs._Rows(tmp_path), tmp_path / "metrics.jsonl"
    row = '{"actor_steps": 1, "frames": 2, "learner_steps": 3, "episodes": 4}\n'
    path.write_text(row + row[:30])
    assert len(rows.new()) == 1
    assert rows.new() == []
    path.write_text(row + row)
    assert len(rows.new()) == 1


def test_rows_are_read_again_after_a_resumed_run_truncates_them(tmp_path):
    rows, path = progress_from_logs._Rows(tmp_path), tmp_path / "metrics.jsonl"
    path.write_text('{"learner_steps": 30}\n{"learner_steps": 60}\n')
    assert len(rows.new()) == 2
    path.write_text('{"learner_steps": 30}\n')
    assert rows.new() == [{"learner_steps": 30}]


def test_a_first_stage_has_its_own_line_until_the_agent_learns(tmp_path, lines):
    experiment = pendulum("ploff", "x.hdf5", steps=1_000_000, **THOUSANDS)
    steps = experiment.agent.pretraining_steps
    own = tmp_path / "pretraining"
    with Follower(experiment, tmp_path, EARLIER, progress=True):
        [line] = lines
        until(lambda: line.updates)
        own.mkdir()
        first = Recorder(experiment, own)
        for done in (1_000, 2_000):
            first.report(Counts(learner_steps=done), {"metric_loss": 1.0})
        until(lambda: len(lines) == 2 and lines[1].updates)
        until(lambda: lines[1].updates[-1][0] == Counts(learner_steps=2_000))
        title = "ploff/hopper-medium seed 0  pretraining"
        assert (lines[1].title, lines[1].total) == (title, steps)
        shown = len(line.updates)
        time.sleep(0.05)
        assert len(line.updates) == shown, "the agent's line does not change meanwhile"
        first.close()
        recorder = Recorder(experiment, tmp_path)
        recorder.report(Counts(learner_steps=1_000), {"critic_loss": 1.0})
        recorder.close()
        until(lambda: line.updates[-1][0] == Counts(learner_steps=1_000))
    assert lines[1].closed and line.closed and len(lines) == 2


def test_a_first_stage_that_ended_before_has_no_line(tmp_path, lines):
    experiment = pendulum("ploff", "x.hdf5", steps=1_000_000, **THOUSANDS)
    own = tmp_path / "pretraining"
    own.mkdir()
    for directory in (own, tmp_path):
        recorder = Recorder(experiment, directory)
        recorder.report(Counts(learner_steps=1_000), {"loss": 1.0})
        recorder.close()
    with Follower(experiment, tmp_path, EARLIER, progress=True):
        until(lambda: lines[0].updates)
    assert len(lines) == 1


def test_the_line_closes_when_the_run_fails(catch, tmp_path, lines):
    with pytest.raises(KeyError):
        with Follower(catch(), tmp_path, EARLIER, progress=True):
            raise KeyError
    assert lines[0].closed


def test_without_progress_nothing_is_shown(catch, tmp_path, lines):
    with Follower(catch(), tmp_path, EARLIER, progress=False):
        pass
    assert lines == []


def test_the_table_of_roles_is_shown_below(tmp_path, lines):
    roles.write(tmp_path, [Row("learner", "gpu1", 5, 0, 0.0)])
    experiment = pendulum("ploff", "x.hdf5", steps=1_000_000, **THOUSANDS)
    with Follower(experiment, tmp_path, EARLIER, progress=True):
        pass
    assert lines[0].table == [
        "role     host  pid  restarts  steps/s",
        "learner  gpu1  5    0",
    ]
