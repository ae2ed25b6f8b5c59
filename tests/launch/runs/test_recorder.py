"""The rows that the recorder writes, and the values it shows."""

import csv
import json
import math

import pytest

from launch import errors
from launch.runs.logs import Counts, Episode, Evaluated, Sample, read_evaluations
from launch.runs.recorder import Recorder


class Shown:
    """Records what a live line would show."""

    def __init__(self):
        self.updates, self.closed = [], False

    def update(self, counts, values=None):
        self.updates.append((counts.actor_steps, values))

    def close(self):
        self.closed = True


class OnDevice:
    """A metric whose fetching is counted."""

    size, fetched = 1, 0

    def item(self):
        self.fetched += 1
        return 0.25

    def __float__(self):
        return self.item()


@pytest.fixture
def shown():
    return Shown()


@pytest.fixture
def recorder(catch, tmp_path, shown):
    recorder = Recorder(catch({"steps": 250, "log_period": 100}), tmp_path, shown)
    yield recorder
    recorder.close()


def rows(directory):
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_row_averages_the_episodes_since_the_last_row(recorder, tmp_path, shown):
    recorder.add_episodes([Episode(3.0, 10)])
    recorder.report(Counts(50, 200, 5, 1), {"loss": 1.0})
    recorder.add_episodes([Episode(-1.0, 20)])
    recorder.report(Counts(101, 404, 6, 2), {"loss": 0.5})
    recorder.add_episodes([Episode(7.0, 5)])
    recorder.report(Counts(200, 800, 7, 3), {})
    columns = ("actor_steps", "frames", "learner_steps", "episodes", "role")
    assert [[row[name] for name in columns] for row in rows(tmp_path)] == [
        [101, 404, 6, 2, "actor"],
        [101, 404, 6, 2, "learner"],
        [200, 800, 7, 3, "actor"],
    ]
    first, learner, last = rows(tmp_path)
    assert (first["episode_return"], first["episode_length"]) == (1.0, 15.0)
    assert learner["loss"] == 0.5
    assert (last["episode_return"], last["episode_length"]) == (7.0, 5.0)
    assert shown.updates == [(50, {}), (101, {"return": 1.0}), (200, {"return": 7.0})]


def test_each_role_has_a_row_for_how_long_it_waited(recorder, tmp_path):
    recorder.report(Counts(100), {}, {"actor/0": 0.25, "learner": 0.5})
    waited = [(row["role"], row["waiting_share"]) for row in rows(tmp_path)]
    assert waited == [("actor/0", 0.25), ("learner", 0.5)]


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_the_run(recorder, loss):
    recorder.report(Counts(99), {"q_loss": loss})  # not looked at yet
    with pytest.raises(errors.NotFinite, match=r"network q is .* at learner step 7"):
        recorder.report(Counts(100, learner_steps=7), {"q_loss": loss})


def test_without_values_no_row_is_written(recorder, tmp_path):
    recorder.report(Counts(100), {})
    assert rows(tmp_path) == []


def test_the_end_of_the_run_is_logged(recorder, tmp_path):
    for steps in (100, 200, 249, 250):
        recorder.report(Counts(steps), {"loss": 1.0})
    assert [row["actor_steps"] for row in rows(tmp_path)] == [100, 200, 250]


def test_metrics_are_fetched_from_the_device_only_for_a_row(recorder):
    metric = OnDevice()
    recorder.report(Counts(99), {"loss": metric})
    assert metric.fetched == 0
    recorder.report(Counts(100), {"loss": metric})
    assert metric.fetched == 1


def test_an_evaluation_is_written_and_shown(recorder, tmp_path, shown):
    episodes = [Episode(1.0, 4), Episode(-0.5, 6)]
    recorder.evaluation(100, Counts(104, 416, 13, 9), Evaluated(episodes))
    [row] = read_evaluations(tmp_path)
    assert (row.grid, row.counts) == (100, Counts(104, 416, 13, 9))
    assert (row.returns, row.lengths, row.mean_return) == ([1.0, -0.5], [4, 6], 0.25)
    assert shown.updates == [(104, {"evaluation": 0.25})]


def test_samples_and_measures_are_written_with_the_evaluation(recorder, tmp_path):
    samples = [Sample("2+3=", "5", 1.0), Sample("4+ü=", "8", 0.0)]
    measures = {"kl": 0.25, "entropy": 2.0}
    counts = Counts(104, 416, 13, 9)
    recorder.evaluation(100, counts, Evaluated([Episode(1.0, 1)], samples, measures))
    [row] = rows(tmp_path)
    assert (row["role"], row["kl"], row["entropy"]) == ("evaluator", 0.25, 2.0)
    assert (row["actor_steps"], row["learner_steps"]) == (104, 13)
    text = (tmp_path / "samples.jsonl").read_text(encoding="utf-8")
    found = [json.loads(line) for line in text.splitlines()]
    place = {"grid": 100, **counts._asdict()}
    assert found == [place | sample._asdict() for sample in samples]
    assert "ü" in text


def test_without_samples_there_is_no_file(recorder, tmp_path):
    recorder.evaluation(100, Counts(104), Evaluated([Episode(1.0, 1)]))
    assert not (tmp_path / "samples.jsonl").exists()
    assert rows(tmp_path) == []


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_a_measure_that_is_not_finite_ends_the_run(value, recorder, tmp_path):
    with pytest.raises(errors.NotFinite, match=r"kl is .* at learner step 13"):
        recorder.evaluation(100, Counts(104, 416, 13), Evaluated([], [], {"kl": value}))
    assert rows(tmp_path) == []


def test_recording_works_without_a_live_line(catch, tmp_path):
    recorder = Recorder(catch(), tmp_path)
    recorder.add_episodes([Episode(1.0, 2)])
    recorder.report(Counts(100), {"loss": 1.0})
    recorder.evaluation(100, Counts(100), Evaluated([Episode(1.0, 2)]))
    recorder.close()
    with (tmp_path / "metrics.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 2


def test_closing_the_recorder_closes_the_live_line(catch, tmp_path):
    shown = Shown()
    Recorder(catch(), tmp_path, shown).close()
    assert shown.closed
