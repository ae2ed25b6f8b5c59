"""The policy that a run saved is loaded, called and evaluated; errors are one line."""

import numpy as np
import pytest

from launch.errors import RunDirectoryError
from launch.policies import saved_policy
from launch.policies.evaluate import evaluate_run
from launch.roles.evaluator import Evaluator
from launch.runs import logs, run_directory


@pytest.fixture
def run(finished):
    return finished[0]


def test_a_policy_is_loaded_in_one_line(run):
    boards = np.random.default_rng(0).normal(size=(7, 10, 5)).astype(np.float32)
    actions = saved_policy.load_policy(run)(boards)
    assert actions.shape == (7,) and set(actions.tolist()) <= {0, 1, 2}
    assert (
        saved_policy.load_policy(str(run))(boards[:3]).tolist() == actions[:3].tolist()
    )


def test_the_loaded_policy_is_the_one_evaluated_last(run):
    experiment, agent, params = saved_policy.load(run)
    last = logs.read_evaluations(run)[-1]
    played = Evaluator(experiment, agent, 20).evaluate(params, last.grid).episodes
    assert [episode.episode_return for episode in played] == last.returns


@pytest.mark.parametrize(
    "call", [saved_policy.load_policy, lambda d: evaluate_run(d, 1, 0)]
)
def test_a_directory_without_a_policy_is_refused_in_one_line(call, catch, tmp_path):
    with pytest.raises(RunDirectoryError, match=r"nowhere") as missing:
        call(tmp_path / "nowhere")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    with pytest.raises(RunDirectoryError, match=r"not a run directory") as other:
        call(foreign)
    begun = run_directory.create(tmp_path, catch())
    with pytest.raises(RunDirectoryError, match=r"no .*checkpoint") as empty:
        call(begun)
    for error in (missing, other, empty):
        assert "\n" not in str(error.value)
