"""Whole local runs against their parts: the ideal, and the measurement of each part."""

import contextlib
import dataclasses

import pytest
from pytest import approx

from experiments import flags
from experiments.benchmarks import whole_local_runs
from experiments.benchmarks.parts import LANES, Bench, fill
from experiments.catalogue.experiments import EXPERIMENTS
from experiments.verbs import bench
from launch.experiment import Evaluation

SECONDS = 0.01
SMALL = {"agent.network.hidden": (5,), "agent.storage.batch_size": 7}


def test_the_ideal_is_the_sum_of_all_parts():
    experiment = flags.replace(
        EXPERIMENTS["dqn/catch"],
        {"agent.storage.batch_size": 32, "agent.storage.samples_per_insert": 8.0},
    )
    rate = {"environment": 1_000.0, "policy": 500.0, "update": 25.0, "turns": 60.0}
    # 1 ms + 2 ms, and a quarter of 40 ms.
    assert whole_local_runs.ideal(experiment, rate) == approx(1 / 0.013)
    lockstep = dataclasses.replace(experiment, evaluation=Evaluation(lockstep=True))
    assert whole_local_runs.ideal(lockstep, rate) == approx(1 / 0.016)


@pytest.mark.parametrize("name", ["dqn/catch", "td3/hopper"])
def test_every_part_is_measured(name):
    with whole_local_runs.parts(flags.replace(EXPERIMENTS[name], SMALL)) as measure:
        assert all(each > 0 for each in measure(SECONDS).values())


def test_turns_alternate_actor_evaluator_and_learner_as_a_run_does(monkeypatch):
    called, seen = [], []
    select = whole_local_runs.Actor.select_action

    def counted(actor, observation):
        called.append(actor)
        seen.append(observation)
        return select(actor, observation)

    monkeypatch.setattr(whole_local_runs.Actor, "select_action", counted)
    settings = SMALL | {"agent.storage.samples_per_insert": 14.0}  # two updates a step
    experiment = flags.replace(EXPERIMENTS["dqn/minatar-asterix"], settings)
    bench = Bench(experiment, 20)
    store = bench.in_process(LANES)
    fill(bench, store, 20)
    learner, _ = bench.learner(store.next)
    turns = whole_local_runs.Turns(experiment, bench, learner)
    for _ in range(3):
        turns.step()
    assert learner.learner_steps == 6
    assert len(set(called)) == 2  # actor and evaluator, one after the other
    assert called == called[:2] * 3
    assert len(set(map(id, seen))) == 6  # each follows from the last action
    turns.close()


def test_whole_runs_take_turns_with_their_parts(monkeypatch):
    asked = []

    class Run:
        def go(self, seconds):
            asked.append(("run", seconds))
            return 60.0 + 30 * len(asked)  # 180, 240, 300

    def measure(seconds):
        asked.append(("parts", seconds))
        names = ("environment", "policy", "update")
        return dict.fromkeys(names, 300.0) | {"turns": 50.0 + len(asked)}

    @contextlib.contextmanager
    def in_turns(line):
        asked.append((line[0], *line[-2:]))
        yield Run()

    monkeypatch.setattr(whole_local_runs, "in_turns", in_turns)
    monkeypatch.setattr(
        whole_local_runs, "parts", lambda _: contextlib.nullcontext(measure)
    )
    minatar, against_turns = whole_local_runs.minatar(2.4)
    start = [("parts", 1.0), ("dqn/minatar-asterix", "--log_period", "5")]
    assert asked == start + [("parts", approx(0.8)), ("run", approx(0.8))] * 3
    assert minatar.value == approx(240) and minatar.least == 0.85
    # Twice environment and policy, and a quarter of an update: 3.33 ms x 4.25.
    assert minatar.limit == approx(300 / 4.25)
    assert (against_turns.value, against_turns.limit) == (minatar.value, approx(55))
    # Ratios of single turns: 180 / 53, 240 / 55 and 300 / 57.
    assert against_turns.lowest == approx(180 / 53)
    assert against_turns.highest == approx(300 / 57)
    assert {"minatar", "locomotion"} <= set(bench.PARTS)


@pytest.mark.slow
def test_a_whole_run_is_measured_after_its_first_learner_steps():
    line = ("--agent.network.hidden", "5", "--steps", "100_000_000")
    alone, in_turns = whole_local_runs.whole("dqn/catch", SECONDS, line)
    assert 0 < alone.ratio < 2 and 0 < in_turns.ratio < 2
