"""Updates per second from each replay, with several updates in a call."""

import threading

from experiments import flags
from experiments.benchmarks import dispatch, measure
from experiments.catalogue.experiments import EXPERIMENTS
from tests.experiments.benchmarks.measured_figures import check

TINY = flags.replace(
    EXPERIMENTS["dqn/catch"],
    {"agent.network.hidden": (5,), "agent.storage.batch_size": 7},
)


def test_each_replay_and_each_number_of_updates_is_measured():
    measured = dispatch.dispatch(TINY, 0.01, size=100, together=(1, 3))
    check(measured, ["steps/s"] * 6)
    assert [one.name for one in measured] == [
        "dqn/catch, 1 update a call, alone",
        "dqn/catch, 1 update a call, replay on the host",
        "dqn/catch, 1 update a call, replay on the device",
        "dqn/catch, 3 updates a call, alone",
        "dqn/catch, 3 updates a call, replay on the host",
        "dqn/catch, 3 updates a call, replay on the device",
    ]
    assert "batches" not in [thread.name for thread in threading.enumerate()]


def test_rates_of_calls_are_counted_in_updates(monkeypatch):
    """Ten calls a second alone, eight from the host and five from the device."""

    def turns(what, seconds):
        of = {"alone": 10.0, "host": 8.0, "device": 5.0}
        rates = {name: of[name.split()[0]] for name in what}
        return measure.Turns([rates] * 3, others=0.0)

    monkeypatch.setattr(dispatch, "timed_turns", turns)
    measured = dispatch.dispatch(TINY, 0.01, size=100, together=(1, 3))
    assert [one.value for one in measured] == [10, 8, 5, 30, 24, 15]
    assert [one.limit for one in measured] == [10, 10, 10, 10, 30, 30]
    assert [one.met for one in measured] == [None, False, False, None, False, False]


def test_each_learner_has_its_replay_and_its_number_of_updates(monkeypatch):
    made = []

    class Noted(dispatch.Learner):
        def __init__(self, agent, seed, batches, *, updates_per_call):
            on_device = batches.shared is not None
            made.append((type(batches).__name__, on_device, updates_per_call))
            super().__init__(agent, seed, batches, updates_per_call=updates_per_call)

    monkeypatch.setattr(dispatch, "Learner", Noted)
    dispatch.dispatch(TINY, 0.01, size=100, together=(1, 3))
    assert made == [
        (name, on_device, many)
        for many in (1, 3)
        for name, on_device in [
            ("Given", False),
            ("BatchesAhead", False),
            ("InProcess", True),
        ]
    ]
