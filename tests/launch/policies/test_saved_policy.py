"""The policy that a run saved is loaded, called and evaluated; errors are one line."""

import re
import shutil

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


@pytest.mark.parametrize(
    "observations, shape",
    [
        (np.zeros((10, 5)), "[10, 5]"),
        (np.zeros((0, 10, 5)), "[0, 10, 5]"),
        ([[1, 2]], "[1, 2]"),
    ],
)
def test_a_policy_takes_batches_of_its_observations_only(run, observations, shape):
    policy = saved_policy.load_policy(run)
    with pytest.raises(ValueError) as error:
        policy(observations)
    assert str(error.value) == (
        "observations must be a batch [N, 10, 5] with N of at least 1, got " + shape
    )
    assert policy(np.zeros((2, 10, 5), np.float32).tolist()).shape == (2,)


def test_a_network_that_was_changed_in_the_configuration_is_named(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    config = copy / "config.yaml"
    text = config.read_text()
    config.write_text(re.sub(r"(hidden:\s+- )\d+", r"\g<1>7", text))
    with pytest.raises(RunDirectoryError) as error:
        saved_policy.load(copy)
    assert "does not fit the agent: q/" in str(error.value)
    assert "; restore the network's settings in config.yaml" in str(error.value)


def test_a_policy_needs_no_replay(run, tmp_path):
    """Users delete replays to save space, and large ones take long to read."""
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    replays = list(copy.glob("checkpoints/*/replay"))
    assert replays
    for replay in replays:
        shutil.rmtree(replay)
    boards = np.random.default_rng(0).normal(size=(7, 10, 5)).astype(np.float32)
    policies = [saved_policy.load_policy(each) for each in (run, copy)]
    whole, bare = (policy(boards).tolist() for policy in policies)
    assert whole == bare


def test_functions_take_names_of_the_zoo_and_texts(run):
    assert len(evaluate_run("zoo/mdqn-catch", 3, 0).returns) == 3
    assert evaluate_run(str(run), 3, 0).returns == evaluate_run(run, 3, 0).returns


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
