"""`munchausen collect` from real runs, and its error messages."""

import re
import subprocess
import sys

import minari
import numpy as np
import pytest

from environments import Locomotion, make
from experiments import cli, flags
from experiments.catalogue.experiments import EXPERIMENTS
from launch.build import make_spec
from launch.datasets.load import load
from launch.errors import DatasetError
from launch.experiment import DatasetReading
from launch.policies import saved_policy
from launch.runs import checkpoint, run_directory
from tests.launch.local_runs import run_local

SMALL = {
    "steps": 90,
    "environments": 3,
    "evaluation.period": 30,
    "evaluation.episodes": 2,
    "checkpoint.period": 30,
    "checkpoint.keep": 9,
    "agent.network.hidden": (13,),
    "agent.exploration.start": 30,
    "agent.storage.min_size": 30,
    "agent.storage.batch_size": 7,
    "agent.storage.samples_per_insert": 7.0,
}
HOPPER = Locomotion("Hopper-v5")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    experiment = flags.replace(EXPERIMENTS["td3/hopper"], SMALL)
    directory = run_directory.create(tmp_path_factory.mktemp("runs"), experiment)
    run_local(experiment, directory)
    return directory


@pytest.fixture(scope="module")
def spec():
    environment = make(HOPPER, 1, 0)
    environment.close()
    return make_spec(environment)


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "minari"


def collected(capsys, run, line):
    assert cli.main(["collect", str(run), *line.split()]) == 0
    return capsys.readouterr().out


def test_an_expert_dataset_is_collected_by_the_newest_policy(run, spec, capsys):
    out = collected(capsys, run, "--quality expert --steps 25 --seed 3")
    dataset = load("munchausen/hopper/expert-v0", spec, HOPPER)
    ends = int(dataset.ends.sum())
    assert dataset.size >= 25 and f"steps {dataset.size}  episodes {ends}" in out
    mean = float(dataset.transitions.reward.sum()) / ends
    score = 100 * (mean + 20.272305) / (3234.3 + 20.272305)
    assert f"mean return {mean:.4g}  normalised score {score:.1f}" in out
    assert "expert: the checkpoint at step 90" in out
    # TD3 explores: it adds noise of deviation .1 to the policy's actions.
    best = saved_policy.load_policy(run)(dataset.transitions.observation)
    noise = (dataset.transitions.action - best)[np.abs(best) < 0.7]
    assert 0.07 < noise.std() < 0.13 and abs(noise.mean()) < 0.05
    metadata = minari.load_dataset("munchausen/hopper/expert-v0").storage.metadata
    assert metadata["algorithm_name"] == "td3"
    assert metadata["ref_max_score"] == 3234.3
    assert "run: td3/hopper seed 0, 90 actor steps" in metadata["description"]


def test_equal_seeds_collect_equal_data(run, spec, capsys):
    datasets = []
    for name, seed in (("a-v0", 5), ("b-v0", 5), ("c-v0", 6)):
        collected(capsys, run, f"--steps 20 --dataset our/{name} --seed {seed}")
        datasets.append(load(f"our/{name}", spec).transitions)
    one, same, other = datasets
    for column, again in zip(one, same, strict=True):
        np.testing.assert_array_equal(column, again)
    assert not np.array_equal(one.action[:5], other.action[:5])


def test_random_actions_are_uniform(run, spec, capsys):
    collected(capsys, run, "--quality random --steps 400")
    action = load("munchausen/hopper/random-v0", spec).transitions.action
    assert abs(action.mean()) < 0.1 and abs(action.std() - 3**-0.5) < 0.05


def test_medium_replay_is_the_beginning_of_the_replay(run, spec, capsys):
    out = collected(capsys, run, "--quality medium-replay --steps 50")
    step = int(re.search(r"medium: the checkpoint at step (\d+), evaluated at", out)[1])
    assert step in (30, 60)
    replay = load("munchausen/hopper/medium-replay-v0", spec).transitions
    assert len(replay.reward) == min(step, 50)
    stored = checkpoint.at(run, step).replay
    frames = np.load(stored / "frame.npy").reshape(-1, 11)
    for observation in replay.observation:
        assert (frames == observation).all(axis=1).any()


def test_medium_expert_is_half_of_each(run, spec, capsys):
    out = collected(capsys, run, "--quality medium-expert --steps 40")
    both = load("munchausen/hopper/medium-expert-v0", spec).transitions
    assert "medium: the checkpoint" in out and "expert: the checkpoint" in out
    collected(capsys, run, "--quality medium --steps 20")
    collected(capsys, run, "--quality expert --steps 20")
    parts = [load(f"munchausen/hopper/{q}-v0", spec) for q in ("medium", "expert")]
    np.testing.assert_array_equal(
        both.action, np.concatenate([part.transitions.action for part in parts])
    )


def test_a_medium_set_from_policies_that_hardly_differ_gives_a_warning(run, capsys):
    line = "--quality medium --steps 20 --expert_return -20 --dataset our/flat-v0"
    out = collected(capsys, run, line)
    warning = "warning: the expert's return -20 hardly exceeds that of random actions"
    assert out.count(warning) == 1
    told = minari.load_dataset("our/flat-v0").storage.metadata["description"]
    assert warning in told


def test_a_run_directory_loads_as_a_dataset(run, spec):
    dataset = load(str(run), spec, HOPPER)
    assert dataset.size == 90 and dataset.reference == (-20.272305, 3234.3)
    [note] = load(str(run), spec, HOPPER, DatasetReading(clip_actions=True)).notes
    assert note.endswith("have no effect on a run's replay")
    with pytest.raises(DatasetError, match=r"acted in .*Hopper-v5.*not in .*Walker2d"):
        load(str(run), spec, Locomotion("Walker2d-v5"))


def refused(capsys, *arguments):
    assert cli.main(["collect", *arguments]) == 2
    _, err = capsys.readouterr()
    assert err.startswith("munchausen: ") and err.count("\n") == 1
    return err


def test_an_existing_id_is_refused_without_overwrite(run, capsys):
    line = "--steps 5 --quality random"
    collected(capsys, run, line)
    assert "--overwrite true" in refused(capsys, str(run), *line.split())
    collected(capsys, run, f"{line} --overwrite true")


@pytest.mark.parametrize(
    "line, message",
    [
        ("", "name one run directory"),
        ("nowhere", "nowhere is not a directory"),
        (".", "is not a run directory"),
        ("RUN --quality medum", "must be one of .*'medum'; .*'medium'"),
        ("RUN --steps 0", "--steps must be at least 1, got 0"),
        ("RUN --seed -1", "at least 0"),
        ("RUN --step 5", "unknown field --step; did you mean --steps"),
        ("RUN --dataset ../mine-v0", "a dataset id must be of the form"),
        ("RUN --dataset mine", "a dataset id must be of the form"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(line, message, run, capsys, root):
    arguments = [str(run) if word == "RUN" else word for word in line.split()]
    assert re.search(message, refused(capsys, *arguments))
    assert not root.exists()


def test_an_agent_with_discrete_actions_is_refused(tmp_path, capsys):
    directory = run_directory.create(tmp_path / "runs", EXPERIMENTS["dqn/catch"])
    assert "dqn, whose actions are discrete" in refused(capsys, str(directory))


def test_a_run_that_learned_from_a_dataset_is_refused(tmp_path, capsys, spec):
    """For every agent: checkpoints count learner steps, and there is no replay."""
    for name in ("td3/hopper-medium", "bc/hopper-medium"):
        directory = run_directory.create(tmp_path / "runs", EXPERIMENTS[name])
        said = f"{directory} learned from munchausen/hopper/medium-v0"
        assert f"{said} and never explored" in refused(capsys, str(directory))
        with pytest.raises(DatasetError, match=f"{said} and stored no"):
            load(str(directory), spec, HOPPER)


def test_a_run_that_kept_its_last_checkpoint_only_is_refused(tmp_path, capsys):
    settings = SMALL | {"steps": 30, "checkpoint.replay": False}
    experiment = flags.replace(EXPERIMENTS["sac/hopper"], settings)
    directory = run_directory.create(tmp_path / "runs", experiment)
    assert "holds no checkpoint: a run saves" in refused(capsys, str(directory))
    run_local(experiment, directory)
    for quality in ("medium", "medium-replay", "medium-expert"):
        message = refused(capsys, str(directory), "--quality", quality)
        assert "--checkpoint.period 10_000 --checkpoint.keep 100" in message
    with pytest.raises(DatasetError, match="has no replay"):
        load(str(directory), make_spec(make(HOPPER, 1, 0)))


def test_neither_minari_nor_h5py_is_imported_by_runs_that_act():
    code = """
import sys
import experiments.cli, experiments.verbs.collect, launch.run
import launch.engines.one_thread, launch.datasets.load, launch.policies.collect
print(*(name for name in ("minari", "h5py", "gymnasium") if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
