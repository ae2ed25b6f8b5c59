"""Networks that are measured from others must have begun with their weights."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from agents import REGISTRY
from experiments import names
from experiments.catalogue.lazy import Joined
from experiments.flags import OverrideError
from experiments.verbs import initial_beginnings, initial_sources
from launch.policies import merge_record
from launch.runs import initial_weights
from tests.launch.language_runs import SMALL, sums
from tests.launch.local_runs import run_new
from tests.launch.policies.merge_runs import written
from tests.launch.small_experiments import changed


def begun(agent_name, first, **changes):
    """An experiment whose networks begin with the policies of these runs."""
    settings = {
        "name": f"{agent_name}/arithmetic",
        "agent_name": agent_name,
        "agent": changed(REGISTRY[agent_name].default(), SMALL),
        "initial": {network: str(place) for network, place in first.items()},
        "evaluation.episodes": 4,
    }
    return sums(**settings | changes)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two supervised policies, and a reward model that began with the first.

    `merged` is an average of reward models, `unknown` one that tells nothing of itself,
    and `copy` a copy of the first policy.
    """
    root = tmp_path_factory.mktemp("runs")
    one, two = (run_new(root, begun("sft", {}, seed=seed)) for seed in (0, 1))
    model = begun("reward_model", dict.fromkeys(("reward", "sft"), one))
    origins = tuple(
        initial_weights.origin(network, one, "policy") for network in ("reward", "sft")
    )
    model = run_new(root, dataclasses.replace(model, origins=origins))
    merged = written(root / "merged", model, model, method="lerp")
    unknown = Path(shutil.copytree(merged, root / "unknown"))
    (unknown / merge_record.FILE).unlink()
    return {
        "one": one,
        "two": two,
        "model": model,
        "merged": merged,
        "unknown": unknown,
        "copy": written(root / "copy", one),
        "root": root,
    }


def check(runs, agent_name, **first):
    """Checks an agent whose networks begin as told; `runs` gives the directories."""
    places = {name: runs.get(text, text) for name, text in first.items()}
    own = begun(agent_name, places)
    sources = {
        network: initial_sources.find(network, text, own)
        for network, text in own.initial.items()
    }
    initial_beginnings.check(own, sources, str(runs["root"]))


@pytest.mark.parametrize(
    "agent_name, first",
    [
        ("reward_model", {"reward": "one", "sft": "one"}),
        ("reward_model", {"reward": "model", "sft": "one"}),
        ("warm", {"policy": "two", "reward": "model", "sft": "one"}),
        ("rlef", {"policy": "two", "value": "one", "sft": "one"}),
        ("warp", {"policy": "two", "sft": "one"}),
    ],
)
def test_a_network_begins_as_the_other_or_continues_a_run_that_did(
    agent_name, first, runs, capsys
):
    check(runs, agent_name, **first)
    assert capsys.readouterr().out == ""


def test_another_policy_is_refused_and_the_right_one_named(runs):
    with pytest.raises(OverrideError) as caught:
        check(runs, "warm", policy="two", reward="model", sft="two")
    assert str(caught.value) == (
        "--initial.reward is measured from --initial.sft, so it must have begun with "
        f"the same weights, but {runs['model']} began with {runs['one']}#policy: "
        f"choose --initial.sft {runs['one']}#policy"
    )


@pytest.mark.parametrize(
    "agent_name, network", [("reward_model", "reward"), ("rlef", "value")]
)
def test_a_run_that_was_measured_from_nothing_is_refused(agent_name, network, runs):
    first = {network: "two", "sft": "one"}
    with pytest.raises(OverrideError) as caught:
        check(runs, agent_name, **first)
    assert str(caught.value).endswith(
        f"but {runs['two']} has no network sft: choose one source for both, or another "
        "run"
    )


def test_of_a_checkpoint_of_others_the_user_is_told_what_it_must_be(runs, capsys):
    check(runs, "warm", policy="two", reward="unknown", sft="two")
    assert capsys.readouterr().out == (
        f"--initial.reward: {runs['unknown']} does not tell with which policy it "
        "began; --initial.sft must be that policy\n"
    )


def test_a_merge_tells_from_which_policy_it_is_measured(runs, capsys):
    check(runs, "warm", policy="two", reward="merged", sft="one")
    check(runs, "warm", policy="two", reward="merged", sft="copy")
    assert capsys.readouterr().out == ""
    with pytest.raises(OverrideError) as caught:
        check(runs, "warm", policy="two", reward="merged", sft="two")
    assert str(caught.value).endswith(
        f"but {runs['merged']} began with {runs['one']}#policy: choose --initial.sft "
        f"{runs['one']}#policy"
    )


def test_a_copy_of_the_policy_counts_as_the_policy(runs, capsys):
    check(runs, "reward_model", reward="copy", sft="one")
    check(runs, "warm", policy="two", reward="model", sft="copy")
    assert capsys.readouterr().out == ""


def test_experiments_that_are_yet_to_be_trained_are_compared_by_name(runs, monkeypatch):
    named = {
        name: begun("sft", {}, name=name, seed=0, steps=steps)
        for name, steps in {"sft/a": 101, "sft/b": 102}.items()
    }
    named["reward_model/a"] = begun(
        "reward_model",
        dict.fromkeys(("reward", "sft"), "sft/a"),
        name="reward_model/a",
    )
    monkeypatch.setattr(names, "EXPERIMENTS", Joined(named, names.EXPERIMENTS))
    check(runs, "warm", policy="two", reward="reward_model/a", sft="sft/a")
    with pytest.raises(OverrideError) as caught:
        check(runs, "warm", policy="two", reward="reward_model/a", sft="sft/b")
    assert str(caught.value).endswith(
        "but reward_model/a begins with sft/a: choose --initial.sft sft/a"
    )
