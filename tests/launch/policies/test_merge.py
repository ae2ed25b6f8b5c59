"""Merged checkpoints: their weights, and sources that must be refused."""

import re

import chex
import jax
import numpy as np
import pytest

from agents.parts.language import merging
from launch.errors import PretrainedError, RunDirectoryError
from launch.policies import merge, saved_policy
from launch.policies.merge import Request
from launch.pretrained import safetensors
from launch.runs import run_directory
from tests.launch.local_runs import run_new
from tests.launch.policies.merge_runs import golden, reward_model, written
from tests.launch.pretrained.checkpoints import GEMMA, change, copy, describe
from tests.launch.small_experiments import small_catch


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
    exported = written(tmp_path / "exported", trained)
    found = merge.merge(Request((trained, exported), method="lerp"))
    chex.assert_trees_all_close(found.params, merge.weights_of(trained), atol=1e-6)
    assert jax.tree.leaves(found.params)[0].dtype == np.float32


@pytest.fixture(scope="module")
def reward_models(trained, tmp_path_factory):
    """Two runs that learned a reward."""
    runs = tmp_path_factory.mktemp("rewards")
    return [reward_model(runs, trained, seed) for seed in (1, 2)]


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
    run = run_directory.create(tmp_path, golden())
    message = refusal(Request((run,)), RunDirectoryError)
    assert message.startswith("a run that gives weights must be finished, but ")
