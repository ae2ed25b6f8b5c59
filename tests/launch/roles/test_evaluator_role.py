"""An evaluator alone in the test's thread, with a made-up context."""

from launch.roles.evaluator_role import EvaluatorRole
from launch.runs.logs import Counts
from tests.launch.roles.fake_context import FakeContext
from tests.launch.roles.made_up_program import Parameters


class Evaluating:
    """A coordinator at these actor steps, one per call; learning ends at the last."""

    def __init__(self, *points, done=0):
        self._points = list(points)
        self._done = done
        self._at = 0
        self.evaluations, self.ended = [], 0

    def join(self, name, life):
        assert name == "evaluator"
        return (self._points[0], 0, 0, 0)

    def evaluated(self):
        return self._done

    def learning(self):
        return len(self._points) > 1

    def counts(self):
        self._at = self._points.pop(0)
        return tuple(Counts(self._at, self._at, 3))

    def report_evaluation(self, point, counts, episodes, samples, measures):
        assert samples == [], "Catch has none"
        # Each episode ends with a reward of 1 or -1, discounted by its length.
        assert 0 < abs(measures.pop("discounted_return")) < 1 and not measures
        self.evaluations.append((point, Counts(*counts), len(episodes)))

    def moved(self, role):
        assert role == "evaluator"

    def evaluator_ended(self):
        self.ended += 1


def test_an_evaluator_reports_the_learner_step_of_the_parameters(run, monkeypatch):
    monkeypatch.setattr("launch.roles.evaluator_role.REPORT_SECONDS", 0.001)
    coordinator = Evaluating(99, 104, 300)
    context = FakeContext("evaluator", coordinator=coordinator, learner=Parameters(run))
    EvaluatorRole(run, context).run()
    assert coordinator.evaluations == [
        (100, Counts(104, 104, 17), 20),
        (300, Counts(300, 300, 17), 20),
    ]
    assert coordinator.ended == 1


def test_an_evaluator_that_is_stopped_does_not_report_its_evaluation(run):
    class Stopping(Evaluating):
        def counts(self):
            context.stop.set()
            return super().counts()

    coordinator = Stopping(104, 300)
    context = FakeContext("evaluator", coordinator=coordinator, learner=Parameters(run))
    EvaluatorRole(run, context).run()
    assert (coordinator.evaluations, coordinator.ended) == ([], 0)


def evaluated_by_a_second_life(run, monkeypatch, coordinator):
    monkeypatch.setattr("launch.roles.evaluator_role.REPORT_SECONDS", 0.001)
    context = FakeContext(
        "evaluator", 1, coordinator=coordinator, learner=Parameters(run)
    )
    EvaluatorRole(run, context).run()
    return [point for point, *_ in coordinator.evaluations]


def test_a_restarted_evaluator_neither_repeats_nor_loses_a_point(run, monkeypatch):
    coordinator = Evaluating(140, 204, 300, done=100)
    assert evaluated_by_a_second_life(run, monkeypatch, coordinator) == [200, 300]
    coordinator = Evaluating(140, 204, 300, done=0)
    assert evaluated_by_a_second_life(run, monkeypatch, coordinator) == [100, 200, 300]


def test_an_evaluator_that_died_after_its_last_evaluation_only_ends(run, monkeypatch):
    coordinator = Evaluating(300, done=300)
    assert evaluated_by_a_second_life(run, monkeypatch, coordinator) == []
    assert coordinator.ended == 1
