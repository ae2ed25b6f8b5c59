"""The first weights of a run: what is loaded and when, and what gives no weights."""

import dataclasses
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from agents import sft
from environments.language.markov import Markov
from launch import preflight
from launch.build import make_agent, spec_of
from launch.errors import PretrainedError, RunDirectoryError
from launch.experiment import Checkpointing, Experiment
from launch.pretrained import safetensors
from launch.runs import (
    checkpoint,
    initial_networks,
    initial_weights,
    run_directory,
)
from tests.launch.interrupted_runs import metrics, run_until
from tests.launch.local_runs import parameters, run_local, run_new
from tests.launch.pretrained.checkpoints import GEMMA, copy
from tests.launch.small_experiments import changed, small_catch

# Too few steps for an update: what a run ends with is what it began with.
IDLE = {"steps": 60, "evaluation.period": 60, "agent.storage.min_size": 1_000}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A finished run of DQN, whose network has learned."""
    root = tmp_path_factory.mktemp("source")
    settings = {"steps": 150, "evaluation.period": 150, "seed": 3}
    return run_new(root, small_catch(settings, "dqn/catch"))


def beginning(source, settings=None, network="q", name="dqn/catch"):
    """A short experiment whose network begins with the weights of a finished run."""
    experiment = small_catch(
        {"initial": {network: str(source)}} | (settings or {}), name
    )
    found = initial_weights.origin(network, source, "q")
    return dataclasses.replace(experiment, origins=(found,))


def assert_equal(tree, other):
    for left, right in zip(*map(jax.tree.leaves, (tree, other)), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_run_begins_with_the_weights_and_targets_of_a_finished_run(source, tmp_path):
    experiment = beginning(source, IDLE)
    directory = run_new(tmp_path, experiment)
    agent = make_agent(experiment, spec_of(experiment))
    state = checkpoint.load_state(checkpoint.newest(directory), agent)
    wanted = parameters(source)["q"]
    assert_equal(state.params["q"], wanted)
    assert_equal(state.target_params["q"], wanted)
    fresh = run_new(tmp_path, dataclasses.replace(experiment, initial={}, origins=()))
    first, other = (jax.tree.leaves(each)[1] for each in (parameters(fresh), wanted))
    assert np.abs(np.asarray(first) - np.asarray(other)).max() > 0.01


def test_the_configuration_records_where_the_weights_came_from(source, tmp_path):
    experiment = beginning(source)
    directory = run_directory.create(tmp_path, experiment)
    [plain] = run_directory.read_config(directory)["experiment"]["origins"]
    path = source / "checkpoints" / "150"
    assert plain["path"] == str(path) and plain["source"] == plain["network"] == "q"
    assert len(plain["sha256"]) == 64
    again = run_directory.read_experiment(directory)
    assert again.origins == experiment.origins and again.initial == {"q": str(source)}
    # Where equal experiments found their weights makes no difference.
    assert again == dataclasses.replace(experiment, origins=())


def test_a_resumed_run_reads_no_first_weights_again(source, tmp_path, monkeypatch):
    settings = {"checkpoint": Checkpointing(period=100), "evaluation.period": 300}
    experiment = beginning(source, settings)
    whole = run_new(tmp_path / "whole", experiment)
    cut = run_directory.create(tmp_path / "cut", experiment)
    run_until(experiment, cut, 250, monkeypatch)
    gone = dataclasses.replace(experiment.origins[0], sha256="of other weights")
    resumed = dataclasses.replace(experiment, origins=(gone,))
    saved = checkpoint.newest(cut)
    assert saved.counts.actor_steps == 200
    run_local(resumed, cut, resume=saved)
    assert metrics(cut) == metrics(whole)
    assert_equal(parameters(cut), parameters(whole))


def test_weights_that_were_altered_are_refused(source, tmp_path):
    experiment = beginning(source)
    [found] = experiment.origins
    other = dataclasses.replace(found, sha256="0" * 64)
    message = (
        "must hold the weights with which q was to begin, but it is gone or was al"
    )
    with pytest.raises(RunDirectoryError, match=message):
        initial_weights.load([other])
    with pytest.raises(RunDirectoryError, match=message):
        initial_weights.load([dataclasses.replace(found, path=str(tmp_path / "a/b/c"))])


def test_a_run_that_is_not_finished_is_refused(source, tmp_path):
    directory = Path(shutil.copytree(source, tmp_path / "run"))
    log = directory / "evaluations.csv"
    log.write_text(log.read_text().replace("\n150,", "\n70,"))
    with pytest.raises(RunDirectoryError, match="after 70 of 150 steps: continue it "):
        initial_weights.origin("q", directory, "q")


def test_a_checkpoint_of_hugging_face_gives_its_only_network(tmp_path):
    directory = Path(shutil.copytree(GEMMA / "gemma3", tmp_path / "gemma"))
    learned = initial_networks.learned_at(directory)
    assert initial_networks.choose("teacher", learned) == "policy"
    config = learned.architectures["policy"]
    assert (config.vocabulary, config.width, learned.words) == (59, 32, ())
    experiment = Experiment(
        name="sft/markov",
        agent_name="sft",
        agent=sft.Config(network=config),
        environment=Markov(order=1, symbols=55, prompt_columns=1),
        steps=64,
        initial={"policy": str(directory)},
    )
    found = initial_weights.origin("policy", directory, "policy")
    experiment = dataclasses.replace(experiment, origins=(found,))
    preflight.check(experiment, here=False)
    loaded = initial_weights.load(experiment.origins)
    assert_equal(loaded["policy"], safetensors.load(directory).params)
    narrow = changed(experiment, {"agent.network.hidden": 17})
    said = (
        r"must fit sft/markov: layers/0/down must be \[17, 32\] float32, but in policy"
    )
    with pytest.raises(ValueError, match=said):
        preflight.check(narrow, here=False)
    (directory / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(RunDirectoryError, match="is gone or was altered"):
        initial_weights.load(experiment.origins)


def test_a_damaged_checkpoint_is_refused_before_a_run_begins(tmp_path):
    checkpoint = copy("gemma3", tmp_path)
    initial_weights.check_whole(checkpoint)
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(PretrainedError) as error:
        initial_weights.check_whole(checkpoint)
    assert str(error.value).startswith(f"cannot read {weights}: ")
