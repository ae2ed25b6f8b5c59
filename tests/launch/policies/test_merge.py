"""Merged checkpoints: their weights, and sources that must be refused."""

import dataclasses
import re
import shutil

import chex
import jax
import numpy as np
import pytest

from agents import REGISTRY
from agents.parts.language import merging
from environments import Preferences
from launch.errors import PretrainedError, RunDirectoryError
from launch.policies import merge, saved_policy
from launch.policies.merge import Request
from launch.pretrained import safetensors
from launch.runs import initial_weights, run_directory
from tests.launch.language_runs import SMALL, sums
from tests.launch.local_runs import run_new
from tests.launch.pretrained.checkpoints import GEMMA, change, copy, describe
from tests.launch.small_experiments import changed, small_catch


def golden(**changes):
    """A run on `preferences`, where hardly two completions have the same reward."""
    task = Preferences(symbols=12, completion_columns=5)
    return sums(**{"name": "sft/preferences", "environment": task, **changes})


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return run_new(tmp_path_factory.mktemp("runs"), golden())


@pytest.fixture
def three(tmp_path):
    """A checkpoint, and two others whose weights differ from it at random."""
    generator = np.random.default_rng(0)
    found = []
    for name in ("base", "one", "two"):
        (tmp_path / name).mkdir()
        directory = copy("gemma2", tmp_path / name)
        if name != "base":
            change(directory, lambda tensors: noisy(tensors, generator))
        found.append(directory)
    return found


def noisy(tensors, generator):
    for name, tensor in tensors.items():
        tensors[name] = tensor + np.float32(0.1 * generator.normal(size=tensor.shape))


def saved(request, tmp_path):
    directory = tmp_path / "merged"
    merge.save(request, merge.merge(request), directory)
    return safetensors.load(directory)


def test_one_run_alone_is_exported(trained, tmp_path):
    found = saved(Request((trained,)), tmp_path)
    params = saved_policy.load(trained)[2]["policy"]
    chex.assert_trees_all_close(found.params, params, rtol=0, atol=0)
    assert (found.config.vocabulary, found.config.width) == (16, 8)
    assert found.eos == (1,)


@pytest.mark.parametrize("method", ["slerp", "lerp"])
@pytest.mark.parametrize(("weight", "fraction"), [(None, 1.0), (0.25, 0.5)])
def test_a_merge_is_that_of_the_weights(method, weight, fraction, three, tmp_path):
    base, one, two = three
    describe(one, eos_token_id=[1, 6])
    describe(two, eos_token_id=[1, 6])
    describe(base, eos_token_id=[6, 1])
    request = Request((one, two), base, method, weight, fraction)
    found = saved(request, tmp_path)
    start, *tuned = (safetensors.load(each).params for each in three)
    whole = getattr(merging, method)(start, tuned, weight)
    wanted = merging.towards(start, whole, fraction)
    chex.assert_trees_all_close(found.params, wanted, atol=1e-6)
    assert found.eos == (1, 6)
    assert found.config == safetensors.load(one).config


def test_cosines_are_between_the_first_two_sources(three):
    base, one, two = three
    found = merge.merge(Request((one, two, one), base)).cosines
    assert list(found) == ["embed", *(f"layers/{i}" for i in range(4)), "norm"]
    start, *tuned = (safetensors.load(each).params for each in three)
    wanted = merging.cosines(start, *tuned)
    np.testing.assert_allclose(list(found.values()), list(wanted.values()), rtol=1e-5)
    assert merge.merge(Request((one, two), method="lerp")).cosines == {}
    assert merge.merge(Request((one,), base)).cosines == {}


def test_a_run_and_a_checkpoint_of_it_merge_to_it(trained, tmp_path):
    exported = tmp_path / "exported"
    merge.save(Request((trained,)), merge.merge(Request((trained,))), exported)
    found = merge.merge(Request((trained, exported), method="lerp"))
    chex.assert_trees_all_close(found.params, merge.weights_of(trained), atol=1e-6)
    assert jax.tree.leaves(found.params)[0].dtype == np.float32


@pytest.fixture(scope="module")
def reward_models(trained, tmp_path_factory):
    """Two runs that learned a reward."""
    first = {"reward": str(trained), "sft": str(trained)}
    agent = changed(REGISTRY["reward_model"].default(), SMALL)
    model = golden(
        name="reward_model/preferences", agent_name="reward_model", agent=agent
    )
    runs = tmp_path_factory.mktemp("rewards")
    origins = tuple(
        initial_weights.origin(network, trained, "policy") for network in first
    )
    model = dataclasses.replace(model, initial=first, origins=origins)
    return [run_new(runs, dataclasses.replace(model, seed=seed)) for seed in (1, 2)]


def test_reward_models_merge_to_weights_for_a_reward_model(trained, reward_models):
    """The base may be the policy with which they began."""
    one, two = reward_models
    found = merge.merge(Request((one, two), trained, "lerp"))
    learned = [saved_policy.load(each)[2]["reward"] for each in (one, two)]
    wanted = jax.tree.map(lambda a, b: (a + b) / 2, *learned)
    chex.assert_trees_all_close(found.params, wanted, atol=1e-6)
    assert 0 < found.cosines["embed"] < 0.99


def refusal(request, kind=PretrainedError):
    with pytest.raises(kind) as caught:
        merge.merge(request)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_does_not_fit_is_refused(three, trained, tmp_path):
    base, one, _ = three
    other = GEMMA / "gemma3"
    message = refusal(Request((one, other), base))
    assert message.startswith(f"{other} must fit {one}: ")
    assert re.search(
        r": policy of .* has layers/0/key_norm, \[12\] float32, too$", message
    )
    assert refusal(Request((one, trained), base)).startswith(f"{trained} must fit ")
    describe(base, eos_token_id=[1, 6])
    assert "must have the same eos_token_id" in refusal(Request((one,), base))


def test_a_policy_among_reward_models_is_refused(trained, reward_models):
    """Their shapes are equal, so only the runs can tell."""
    one, _ = reward_models
    for sources in ((one, trained), (trained, one)):
        assert refusal(Request(sources, trained)) == (
            f"sources must all be policies or all be reward models, but {sources[0]} "
            f"learned {'reward' if sources[0] == one else 'policy'} and {sources[1]} "
            f"learned {'policy' if sources[0] == one else 'reward'}: merge them apart"
        )


@pytest.fixture(scope="module")
def other_seed(tmp_path_factory):
    """As `trained`, from other random weights."""
    return run_new(tmp_path_factory.mktemp("other"), golden(seed=3))


def test_sources_that_began_with_other_weights_are_refused(
    trained, other_seed, reward_models
):
    request = Request((trained, other_seed), method="lerp")
    assert refusal(request) == (
        f"sources must have begun with the same weights, but {trained} began with "
        f"random weights of seed 0 and {other_seed} with random weights of seed 3: "
        "train them with the same source of --initial"
    )
    assert refusal(Request(tuple(reward_models), other_seed)) == (
        f"sources must have begun with the weights of --base {other_seed}, but "
        f"{reward_models[0]} began with random weights of seed 0"
    )


def test_runs_that_share_their_random_weights_merge(trained, tmp_path):
    """And so does one that continues the other, which is gone meanwhile."""
    origin = initial_weights.origin("policy", trained, "policy")
    further = run_new(tmp_path, golden(origins=(origin,), seed=3))
    merge.merge(Request((trained, further), method="lerp"))
    merge.merge(Request((further, further), trained))
    gone = dataclasses.replace(
        origin, path=str(tmp_path / "gone" / "checkpoints" / "1")
    )
    lost = run_directory.create(tmp_path / "lost", golden(origins=(gone,), seed=3))
    shutil.copytree(further, lost, dirs_exist_ok=True, ignore=config_file)
    merge.merge(Request((trained, lost), method="lerp"))


def config_file(_, names):
    return {"config.yaml"} & set(names)


def test_decoders_that_compute_differently_are_refused(three):
    _, one, two = three
    describe(two, sliding_window=3)
    message = refusal(Request((one, two), method="lerp"))
    assert message.startswith("decoders must agree in window to be merged, but ")


def test_runs_of_other_agents_are_refused(tmp_path):
    run = run_directory.create(tmp_path, small_catch())
    assert refusal(Request((run,))) == (
        f"only networks of language agents can be merged, but {run} is of mdqn/catch"
    )


def test_unfinished_runs_are_refused(tmp_path):
    run = run_directory.create(tmp_path, sums())
    message = refusal(Request((run,)), RunDirectoryError)
    assert message.startswith("a run that gives weights must be finished, but ")
