"""A merge refuses sources with different beginnings, and records its sources."""

import dataclasses
import shutil

import pytest

from launch.errors import PretrainedError
from launch.policies import merge, merge_record
from launch.policies.merge import Request
from launch.runs import initial_weights, run_directory
from tests.launch.local_runs import run_new
from tests.launch.policies.merge_runs import golden, reward_model, written
from tests.launch.pretrained.checkpoints import copy


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return run_new(tmp_path_factory.mktemp("runs"), golden())


@pytest.fixture(scope="module")
def other_seed(tmp_path_factory):
    """As `trained`, from other random weights."""
    return run_new(tmp_path_factory.mktemp("other"), golden(seed=3))


@pytest.fixture(scope="module")
def reward_models(trained, tmp_path_factory):
    """Two runs that learned a reward."""
    runs = tmp_path_factory.mktemp("rewards")
    return [reward_model(runs, trained, seed) for seed in (1, 2)]


def refusal(request):
    with pytest.raises(PretrainedError) as caught:
        merge.merge(request)
    return str(caught.value)


def test_a_policy_among_reward_models_is_refused(trained, reward_models):
    """Their shapes are equal, so only the runs can tell."""
    one, _ = reward_models
    for sources in ((one, trained), (trained, one)):
        assert refusal(Request(sources, trained)) == (
            f"sources must all be policies or all be reward models, but {sources[0]} "
            f"learned {'reward' if sources[0] == one else 'policy'} and {sources[1]} "
            f"learned {'policy' if sources[0] == one else 'reward'}: merge them apart"
        )


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


def test_a_merge_tells_what_it_is_and_from_what_it_is_measured(
    trained, reward_models, tmp_path
):
    merged = written(tmp_path / "merged", *reward_models, method="lerp")
    record = merge_record.read(merged)
    sft = initial_weights.origin("sft", trained, "policy")
    sources = [
        initial_weights.origin("reward", each, "reward") for each in reward_models
    ]
    assert record == merge_record.Record("reward", tuple(sources), False, (sft,))
    further = written(tmp_path / "further", merged, reward_models[0], method="lerp")
    assert merge_record.read(further).measured_from == (sft,)
    assert refusal(Request((trained, further), trained)) == (
        "sources must all be policies or all be reward models, but "
        f"{trained} learned policy and {further} learned reward: merge them apart"
    )


def test_a_checkpoint_that_tells_nothing_is_taken_as_a_policy(tmp_path):
    other = copy("gemma2", tmp_path)
    record = merge_record.read(written(tmp_path / "copy", other))
    own = initial_weights.origin("policy", other, "policy")
    assert record == merge_record.Record("policy", (own,), True, ())


def test_only_one_whole_source_makes_a_copy(trained, tmp_path):
    found = {
        fraction: merge_record.read(
            written(tmp_path / str(fraction), trained, base=trained, fraction=fraction)
        )
        for fraction in (0.5, 1.0)
    }
    assert (found[0.5].copied, found[1.0].copied) == (False, True)


def test_a_copy_of_the_base_serves_as_base(trained, other_seed, tmp_path):
    """Also a copy of a copy; a copy of other weights does not."""
    exported = written(tmp_path / "exported", trained)
    again = written(tmp_path / "again", exported)
    origin = initial_weights.origin("policy", trained, "policy")
    further = run_new(tmp_path, golden(origins=(origin,), seed=3))
    for base in (exported, again):
        merge.merge(Request((further, further), base))
        merge.merge(Request((further, base), trained))
    other = written(tmp_path / "other", other_seed)
    assert refusal(Request((further,), other)).endswith(
        f"but {further} began with random weights of seed 0"
    )
    assert refusal(Request((further, other), method="lerp")).startswith(
        "sources must have begun with the same weights"
    )


def test_reward_models_that_are_measured_from_different_policies_are_refused(
    trained, reward_models, tmp_path
):
    """The second continues the first, but its rewards were measured from it."""
    one, _ = reward_models
    origins = tuple(
        initial_weights.origin(network, one, source)
        for network, source in (("reward", "reward"), ("sft", "sft"))
    )
    other = dataclasses.replace(run_directory.read_experiment(one), origins=origins)
    other = run_new(tmp_path, other)
    for sources in ((one, other), (written(tmp_path / "exported", one), other)):
        assert refusal(Request(sources, method="lerp")) == (
            f"sources must be measured from the same sft, but {sources[0]} and "
            f"{other} were trained with different ones: train them with the same "
            "--initial.sft"
        )
