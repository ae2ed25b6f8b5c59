"""Settings that a resumed run may change, and what `train --resume` says about them."""

import dataclasses

import pytest
import yaml

from agents.parts.contract import discrete_spec
from experiments import cli, flags
from experiments.catalogue.experiments import EXPERIMENTS
from experiments.flags import OverrideError
from experiments.verbs import resumed_settings
from launch.runs.logs import read_evaluations
from tests.launch.datasets.random_data import spec_of

CATCH = EXPERIMENTS["mdqn/catch"]


@pytest.mark.parametrize(
    "path, value",
    [
        ("environments", 4),
        ("actors", 3),
        ("learners", 3),
        ("steps", 70_000),
        ("stall_seconds", 9.0),
        ("log_period", 7),
        ("evaluation.period", 70),
        ("checkpoint.keep", 5),
        ("agent.optimizer.learning_rate", 3e-4),
        ("agent.temperature", 0.5),
        ("agent.discount", 0.9),
    ],
)
def test_settings_that_can_change_do(path, value):
    new = resumed_settings.change(CATCH, {path: value})
    old = flags.fields(CATCH)[path].value
    assert resumed_settings.changed(CATCH, new) == {path: [old, value]}


@pytest.mark.parametrize(
    "path, value, reason",
    [
        ("seed", 3, "all random numbers so far came from the old seed: train another"),
        (
            "environment.rows",
            7,
            "replay and networks are of this environment: train an",
        ),
        ("dataset", "x.hdf5", "the saved networks learned from this dataset: train"),
        (
            "preparation.scale_rewards",
            True,
            "the saved networks learned from data of t",
        ),
        (
            "agent.storage.capacity",
            7,
            "the saved replay was filled with these settings",
        ),
        ("replays", 3, "each replay server saved its own transitions: train another"),
        ("name", "x/y", "the name is that of the run directory: train another run"),
        ("runs", "x", "the run stays in its directory: move that directory instead"),
        ("seeds", 3, "one run resumes: repeat the command that started all seeds inst"),
        ("parallel", 3, "one run resumes: repeat the command that started several"),
        (
            "plugin",
            ("x",),
            "config.yaml names the module of the agent: remove --plugin",
        ),
    ],
)
def test_settings_that_cannot_change_have_a_reason(path, value, reason):
    with pytest.raises(OverrideError) as refused:
        resumed_settings.change(CATCH, {path: value})
    start = f"--{path} cannot change when a run resumes: {reason}"
    assert str(refused.value).startswith(start)


def test_a_dataset_may_have_moved_but_cannot_be_dropped():
    learned = dataclasses.replace(CATCH, dataset="old.hdf5")
    new = resumed_settings.change(learned, {"dataset": "/new.hdf5"})
    assert new.dataset == "/new.hdf5"
    assert resumed_settings.explain(
        "dataset", "old.hdf5", "/new.hdf5", step=7, local=True
    ) == (
        "--dataset /new.hdf5 (before: old.hdf5): another place of the dataset that the "
        "run learned from"
    )
    with pytest.raises(OverrideError, match="--dataset cannot change when a run"):
        resumed_settings.change(learned, {"dataset": ""})
    with pytest.raises(OverrideError, match=r"--dataset.clip_actions cannot change"):
        resumed_settings.change(learned, {"dataset.clip_actions": True})


def test_a_setting_that_stays_as_it_is_is_no_change():
    assert resumed_settings.change(CATCH, {"seed": 0, "environment.rows": 10}) == CATCH


def test_every_field_of_a_run_is_known_and_every_reason_belongs_to_a_field():
    known = resumed_settings.known(CATCH)
    assert flags.fields(CATCH).keys() <= known.keys()
    for path in resumed_settings._FIXED:
        assert any(each == path or each.startswith(f"{path}.") for each in known)


def test_sums_of_rewards_keep_their_discount():
    storage = dataclasses.replace(CATCH.agent.storage, n_step=3)
    agent = dataclasses.replace(CATCH.agent, storage=storage)
    summed = dataclasses.replace(CATCH, agent=agent)
    with pytest.raises(
        OverrideError, match=r"agent.discount cannot .* sums of n rewards"
    ):
        resumed_settings.change(summed, {"agent.discount": 0.9})


@pytest.mark.parametrize("agent", ["td3_bc", "anti_exploration", "ploff"])
def test_the_discount_of_an_agent_without_replay_can_change(agent):
    offline = EXPERIMENTS[f"{agent}/halfcheetah"]
    new = resumed_settings.change(offline, {"agent.discount": 0.9})
    assert new.agent.discount == 0.9


def test_networks_keep_their_shapes():
    spec = discrete_spec((10, 5), "float32", 3)
    for path, value in (("agent.network.hidden", (5,)), ("agent.temperature", 0.7)):
        new = flags.replace(CATCH, {path: value})
        if path == "agent.temperature":
            resumed_settings.check_networks(CATCH, new, spec)
            continue
        with pytest.raises(OverrideError, match="hidden cannot change"):
            resumed_settings.check_networks(CATCH, new, spec)


@pytest.mark.parametrize("agent", ["anti_exploration", "ploff"])
def test_a_stage_that_has_ended_keeps_its_length(agent):
    offline, spec = (
        EXPERIMENTS[f"{agent}/halfcheetah"],
        spec_of(observation=17, action=6),
    )
    longer = flags.replace(
        offline, {"agent.pretraining_steps": 700, "agent.discount": 0.5}
    )
    steps = offline.agent.pretraining_steps
    with pytest.raises(
        OverrideError,
        match=f"^--agent.pretraining_steps cannot .* pretraining has ended after "
        f"{steps:,} steps",
    ):
        resumed_settings.check_stages(offline, longer, spec, step=1)
    resumed_settings.check_stages(offline, longer, spec, step=0)
    shorter = flags.replace(offline, {"agent.discount": 0.5})
    resumed_settings.check_stages(offline, shorter, spec, step=1)


@pytest.mark.parametrize(
    "path, local, said",
    [
        (
            "environments",
            True,
            "from step 70 on, so a single command cannot repeat the run",
        ),
        ("environments", False, "such a run is not reproducible anyway"),
        ("evaluation.period", True, "it does not change what the run learns"),
        ("stall_seconds", False, "it does not change what the run learns"),
        ("checkpoint.period", True, "restarts its environments at a checkpoint, so fr"),
        ("checkpoint.keep", True, "it does not change what the run learns"),
    ],
)
def test_a_change_is_explained(path, local, said):
    line = resumed_settings.explain(path, 3, 9, step=70, local=local)
    assert line.startswith(f"--{path} 9 (before: 3): ") and said in line


def test_checkpoints_change_nothing_in_a_run_that_learns_from_a_dataset():
    """It has no environments that would begin anew."""
    line = resumed_settings.explain(
        "checkpoint.period", 3, 9, step=70, local=True, offline=True
    )
    assert line.endswith("it does not change what the run learns")


SMALL = (
    "--steps 90 --log_period 30 --evaluation.period 30 --evaluation.episodes 2 "
    "--agent.network.hidden 8 --agent.storage.min_size 10 --agent.storage.batch_size 4"
)


def test_a_run_resumes_with_other_environments_and_another_rate(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert cli.main(f"train mdqn/catch {SMALL}".split()) == 0
    [run] = (tmp_path / "runs" / "mdqn" / "catch").iterdir()
    before = (run / "config.yaml").read_bytes()
    capsys.readouterr()
    for flag, reason in (
        (
            "--steps 60",
            "--steps must be at least 90, the steps that the run has done, got",
        ),
        (
            "--launch threads",
            "--launch must be local for this run, got threads: only that",
        ),
        ("--actors 2", "a local run has one actor, got --actors 2"),
        (
            "--actors_at_least 2",
            "--actors_at_least must be at most --actors 1, got 2",
        ),
        ("--actors_at_least 0", "--actors_at_least must be at least 1, got 0"),
        ("--agent.network.hidden 7 --steps 95", "the saved networks or the state"),
        ("--environments 4", "it has done 90 of 90 steps; a larger --steps extends it"),
        ("--zzz 4", "unknown field --zzz; --help lists the fields"),
    ):
        assert cli.main(["train", "--resume", str(run), *flag.split()]) == 2
        assert reason in capsys.readouterr().err
        assert (run / "config.yaml").read_bytes() == before
    line = "--steps 151 --environments 4 --agent.optimizer.learning_rate 1e-4"
    line += " --evaluation.period 40"
    assert cli.main(["train", "--resume", str(run), *line.split()]) == 0
    out = capsys.readouterr().out
    assert "--environments 4 (before: 1): from step 90 on" in out
    assert f"{run}: from step 90" in out
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["experiment"]["environments"] == 4
    assert config["experiment"]["agent"]["optimizer"]["learning_rate"] == 1e-4
    [entry] = config["resumed"]
    assert entry["step"] == 90
    assert entry["changed"] == {
        "steps": [90, 151],
        "environments": [1, 4],
        "agent.optimizer.learning_rate": [0.001, 0.0001],
        "evaluation.period": [30, 40],
    }
    # The old grid up to the checkpoint, then the new one, which 4 lanes reach at 122
    # and 162 steps at the latest.
    rows = read_evaluations(run)
    assert [row.grid for row in rows] == [30, 60, 90, 120, 151]
    assert [row.counts.actor_steps for row in rows] == [30, 60, 90, 122, 154]
    # min_size 10, then an update of 4 transitions for each 4 / 32 of a transition.
    learned = [row.counts.learner_steps for row in rows]
    assert learned == sorted(learned) and learned[-1] > learned[2] + 300


def test_first_weights_cannot_change():
    said = "--initial.q cannot change when a run resumes: the run has begun with these"
    with pytest.raises(OverrideError, match=said):
        resumed_settings.change(CATCH, {"initial.q": "dqn/catch"})
