"""What a peer's process counts, and the names that CleanRL's scripts need."""

import subprocess
import sys

import gymnasium
import numpy as np
import pytest

from experiments.benchmarks import peer_driver, peers


def test_another_process_reads_the_count(tmp_path):
    path = tmp_path / "steps"
    assert peers.read(path) == 0
    counter = peer_driver.Counter(path)
    assert peers.read(path) == 0
    assert all(counter.count("locals", "globals") for _ in range(300))
    assert peers.read(path) == 300


@pytest.fixture
def gym(monkeypatch):
    """The module `gym` of 2023, made of Gymnasium's parts."""
    monkeypatch.setattr(gymnasium.wrappers, "GrayScaleObservation", None, raising=False)
    monkeypatch.setattr(gymnasium.wrappers, "FrameStack", None, raising=False)
    monkeypatch.setitem(sys.modules, "gym", None)
    peer_driver._name_as_in_2023(gymnasium)
    return sys.modules["gym"]


def test_vectors_answer_as_gyms_did(gym):
    def make():
        environment = gym.wrappers.RecordEpisodeStatistics(gym.make("CartPole-v1"))
        environment.seed(3)
        return environment

    vector = gym.vector.SyncVectorEnv([make])
    assert vector.reset().shape == (1, 4)
    steps, done = 0, [False]
    while not done[0]:
        steps += 1
        observation, reward, done, infos = vector.step(np.array([1]))
        assert observation.shape == (1, 4) and reward.tolist() == [1.0]
        [info] = infos
        assert info["terminal_observation"].shape == (4,)
        assert info["TimeLimit.truncated"] is False
    assert 5 < steps < 20  # a pole that is always pushed to the right falls soon
    assert gymnasium.wrappers.FrameStack is gymnasium.wrappers.FrameStackObservation


def test_an_unknown_peer_is_a_fault_of_ours(tmp_path):
    done = subprocess.run(
        [sys.executable, peer_driver.__file__, "acme", "td3/hopper", "steps"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "KeyError: 'acme'" in done.stderr
