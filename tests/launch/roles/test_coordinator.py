"""A coordinator alone in the test's thread, with a made-up context."""

import pytest

from launch import errors
from launch.roles.coordinator import Coordinator
from launch.runs import logs
from launch.runs.logs import Counts
from tests.launch.roles.fake_context import FakeContext


def test_a_coordinator_counts_and_logs_for_all_roles(run, monkeypatch):
    monkeypatch.setattr("launch.roles.coordinator._LAST_ANSWER_SECONDS", 0.0)
    coordinator = Coordinator(run, FakeContext("coordinator"))
    assert coordinator.report_actor("actor/0", 70, 140, [(1.0, 9)], 0.25) == 70
    coordinator.report_learner(5, {"q_loss": 0.5}, 0.0)
    assert coordinator.report_actor("actor/1", 60, 120, [], 0.5) == 130
    assert coordinator.counts() == Counts(130, 260, 5, 1)
    coordinator.report_evaluation(100, (130, 260, 5, 1), [(0.5, 9), (1.0, 9)])
    assert coordinator.acting() and coordinator.learning() and coordinator.evaluating()
    coordinator.actor_ended()
    coordinator.learner_ended()
    coordinator.evaluator_ended()
    assert not (
        coordinator.acting() or coordinator.learning() or coordinator.evaluating()
    )
    coordinator.finish()
    coordinator.run()
    [row] = logs.read_evaluations(run.directory)
    assert (row.grid, row.counts, row.returns) == (100, (130, 260, 5, 1), [0.5, 1.0])
    text = (run.directory / "metrics.jsonl").read_text()
    assert '"q_loss": 0.5' in text and '"waiting_share": 0.25' in text


def test_a_coordinator_ends_the_program_when_a_log_cannot_be_written(run, monkeypatch):
    coordinator = Coordinator(run, FakeContext("coordinator"))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(coordinator._recorder, "report", full)
    coordinator.report_actor("actor/0", 120, 120, [], 0.0)
    with pytest.raises(errors.DiskFull, match="no space left on device"):
        coordinator.run()
