"""Comparisons with other projects, with a stand-in for their loops."""

import contextlib
import sys

import pytest
from pytest import approx

from experiments.benchmarks import peer_driver, peers
from experiments.benchmarks.measure import BenchFailed
from experiments.benchmarks.peer_environments import Unavailable
from experiments.catalogue.experiments import EXPERIMENTS
from launch import build
from launch.datasets import load

# Counts at once to where updates begin, and then 200 steps a second.
LOOP = f"""
import importlib.util, pathlib, sys, time
spec = importlib.util.spec_from_file_location("driver", {peer_driver.__file__!r})
driver = importlib.util.module_from_spec(spec)
spec.loader.exec_module(driver)
peer, work, path, dataset = sys.argv[1:]
if peer == "broken":
    raise SystemExit("first\\nlast of many lines")
counter = driver.Counter(pathlib.Path(path))
for step in range(100_000):
    counter.count()
    if step > driver.LEARNING_STARTS:
        time.sleep(0.005)
"""


@pytest.fixture
def loop(tmp_path, monkeypatch):
    driver = tmp_path / "loop.py"
    driver.write_text(LOOP)
    monkeypatch.setattr(peers, "_DRIVER", driver)
    monkeypatch.setattr(peers, "_WARM_UP_SECONDS", 0.05)
    return tmp_path


def test_a_loop_counts_only_in_its_turns(loop):
    python = sys.executable
    # An interpreter older than 3.11 has no -P; the stand-in needs none.
    wrapper = loop / "python"
    wrapper.write_text(f'#!/bin/sh\nshift\nexec {python} "$@"\n')
    wrapper.chmod(0o755)
    with peers.peer_in_turns("sbx", "dqn/pong", wrapper, loop / "none") as turns:
        before = peers.read(turns._counter)
        assert before >= peer_driver.LEARNING_STARTS + 10
        assert 10 < turns.go(0.3) <= 210
        after = peers.read(turns._counter)
        assert after > before
        assert peers.read(turns._counter) == after
        place = turns._counter.parent
    assert not place.exists()
    with pytest.raises(BenchFailed, match="with exit code 1\nfirst\nlast of many"):
        with peers.peer_in_turns("broken", "dqn/pong", wrapper, loop / "none"):
            pass


class Run:
    def __init__(self, *given):
        self.given = list(given)

    def go(self, seconds):
        return self.given.pop(0)


@pytest.fixture
def stand_ins(monkeypatch):
    """Ours has 60, 80 and 100 steps/s, and peers 50, 40 and 25; SBX does not run."""
    asked = []

    @contextlib.contextmanager
    def ours(line, counted):
        asked.append((line, counted))
        yield Run(60.0, 80.0, 100.0)

    @contextlib.contextmanager
    def peer(name, work, python, dataset):
        if name == "sbx":
            raise BenchFailed("the run ended early, with exit code 1\n\n  no GPU \n")
        asked.append((name, python))
        yield Run(50.0, 40.0, 25.0)

    def python(name, folder):
        if name == "sb3":
            raise Unavailable("no network")
        return folder / name

    monkeypatch.setattr(peers, "in_turns", ours)
    monkeypatch.setattr(peers, "peer_in_turns", peer)
    monkeypatch.setattr(peers.peer_environments, "python", python)
    return asked


def test_figures_are_ours_against_each_peer_that_runs(
    stand_ins, monkeypatch, capsys, tmp_path
):
    works = {"td3/hopper": peers.WORKS["td3/hopper"]}
    monkeypatch.setattr(peers, "WORKS", works)
    [found] = peers.compare(0.3, tmp_path)
    assert found.name == "TD3 on Hopper / CleanRL"
    assert (found.value, found.limit) == (80, approx(115 / 3))
    assert (found.lowest, found.highest, found.turns) == (1.2, 4.0, 3)
    assert found.least == 1.2 and found.unit == "actor steps/s"
    assert [each[0] for each in stand_ins[:-1]] == ["cleanrl"]
    left_out = capsys.readouterr().err.splitlines()
    assert left_out == [
        "left out: Stable-Baselines3, td3/hopper: no network",
        "left out: SBX, td3/hopper: the run ended early, with exit code 1: no GPU",
    ]


def test_without_a_peer_nothing_is_measured(stand_ins, monkeypatch, tmp_path):
    work = peers.WORKS["td3/hopper"]._replace(peers=("sbx", "sb3"))
    monkeypatch.setattr(peers, "WORKS", {"td3/hopper": work})
    assert peers.compare(0.3, tmp_path) == []
    assert stand_ins == []


def test_an_offline_agent_counts_learner_steps_and_gets_the_dataset(
    stand_ins, monkeypatch, tmp_path
):
    name = "td3_bc/hopper-medium"
    monkeypatch.setattr(peers, "WORKS", {name: peers.WORKS[name]})
    [found] = peers.compare(0.3, tmp_path)
    assert found.name == "TD3+BC from a dataset / d3rlpy" and found.least is None
    _, (line, counted) = stand_ins
    assert counted == "learner_steps" and found.unit == "learner steps/s"
    assert line[-2] == "--dataset" and line[-1].endswith("noise.npz")


def test_the_noise_is_a_dataset_for_our_agents(tmp_path):
    peers.write_noise(tmp_path / "noise.npz", 3_000)
    experiment = EXPERIMENTS["td3_bc/hopper-medium"]
    spec = build.spec_of(experiment)
    dataset = load.load(str(tmp_path / "noise.npz"), spec, experiment.environment)
    # The last step of each of three episodes has no next observation.
    assert len(dataset.transitions.reward) == 2_997
    assert not dataset.notes


def test_our_side_of_each_work_is_an_experiment_with_the_peers_sizes():
    for name, work in peers.WORKS.items():
        assert all(line[0] == name for line in work.ours.values())
        assert {*work.jax} <= {*work.peers} <= {*peers.PEERS}
        agent = EXPERIMENTS[name].agent
        if name == "dqn/pong":
            assert agent.storage.batch_size == 32
            assert agent.storage.samples_per_insert == 32 / 4
        elif name == "td3_bc/hopper-medium":
            assert agent.batch_size == 256 and agent.network.hidden == (256, 256)
        else:
            assert agent.storage.batch_size == 256
            assert agent.storage.samples_per_insert == 256
            assert agent.network.hidden == (256, 256)
