"""Whole local runs beside their parts: what is ideal, and that all is measured."""

import dataclasses

import pytest

from experiments import bench, bench_local, bench_runs, overrides
from experiments.bench_local import Parts
from experiments.bench_runs import Watched
from experiments.catalogue import EXPERIMENTS
from launch.experiment import Evaluation

SECONDS = 0.01
SMALL = {"agent.network.hidden": (5,), "agent.storage.batch_size": 7}


def test_the_ideal_is_all_parts_in_turns():
    experiment = overrides.replace(
        EXPERIMENTS["dqn/catch"],
        {"agent.storage.batch_size": 32, "agent.storage.samples_per_insert": 8.0},
    )
    rate = Parts(environment=1_000.0, policy=500.0, update=25.0)
    # 1 ms + 2 ms, and a quarter of 40 ms.
    assert bench_local.ideal(experiment, rate) == pytest.approx(1 / 0.013)
    lockstep = dataclasses.replace(experiment, evaluation=Evaluation(lockstep=True))
    assert bench_local.ideal(lockstep, rate) == pytest.approx(1 / 0.016)


@pytest.mark.parametrize("name", ["dqn/catch", "td3/hopper"])
def test_every_part_is_measured(name):
    rate = bench_local.parts(overrides.replace(EXPERIMENTS[name], SMALL), SECONDS)
    assert all(each > 0 for each in rate)


def test_whole_runs_stand_beside_their_parts(monkeypatch):
    seen = []

    def watch(line, mode, seconds):
        seen.append((line[0], mode))
        return Watched(1.0, 90.0, 30.0, ())

    monkeypatch.setattr(bench_local, "watch", watch)
    monkeypatch.setattr(bench_local, "parts", lambda *_: Parts(300.0, 300.0, 300.0))
    [minatar] = bench_local.minatar(SECONDS)
    assert seen == [("dqn/minatar-asterix", "local")]
    # Twice environment and policy, and a quarter of an update: 3.33 ms x 4.25.
    assert minatar.limit == pytest.approx(300 / 4.25) and minatar.least == 0.85
    assert {"minatar", "locomotion"} <= set(bench.PARTS)


@pytest.mark.slow
def test_a_whole_run_is_watched_from_its_first_learner_steps():
    line = ("--agent.network.hidden", "5", "--steps", "1_000_000")
    [whole] = bench_local.whole("dqn/catch", SECONDS, line)
    assert 0 < whole.ratio < 2
    assert bench_runs.watch.cache_info().currsize > 0
