"""`train --resume`: which runs may resume, and in which mode."""

import dataclasses
from pathlib import Path

import pytest

from experiments import flags
from experiments.catalogue.experiments import EXPERIMENTS
from experiments.flags import OverrideError
from experiments.verbs import train_resume
from experiments.verbs.train_resume import Options
from launch.errors import RunDirectoryError
from launch.runs.checkpoint import Checkpoint
from launch.runs.logs import Counts


def saved(steps=20_000, store="dataset"):
    extra = {"store": store, "seconds": 1.0, "episodes": []}
    return Checkpoint(None, Counts(steps), extra)


@pytest.mark.parametrize(
    "store, asked, mode",
    [
        ({"length": 3}, None, "local"),
        ("reverb", None, "processes"),
        ("reverb", "threads", "threads"),
        ("dataset", None, "local"),
        ("dataset", "processes", "processes"),
    ],
)
def test_a_run_resumes_in_its_old_mode_unless_launch_is_given(store, asked, mode):
    assert train_resume._mode(Options(launch=asked), saved(store=store)) == mode


@pytest.mark.parametrize(
    "store, asked, fitting",
    [
        ({"length": 3}, "processes", "local"),
        ("reverb", "local", "threads, processes or ray"),
    ],
)
def test_a_mode_that_cannot_read_the_replay_is_refused(store, asked, fitting):
    with pytest.raises(
        OverrideError, match=f"--launch must be {fitting} .* got {asked}"
    ):
        train_resume._mode(Options(launch=asked), saved(store=store))


@pytest.mark.parametrize("kept_by", ["host", "learner"])
@pytest.mark.parametrize("wanted", ["host", "learner", "device"])
def test_a_keeper_that_cannot_read_the_replay_is_refused(kept_by, wanted, tmp_path):
    experiment = dataclasses.replace(EXPERIMENTS["dqn/catch"], replay=wanted)
    rows = {"rows": {"inserted": 7}} if kept_by == "learner" else {}
    made = Checkpoint(tmp_path, Counts(70), {"store": "reverb", **rows})
    train_resume._check_keeper(experiment, made)  # no replay was saved
    (tmp_path / "replay").mkdir()
    if (kept_by == "host") == (wanted == "host"):
        train_resume._check_keeper(experiment, made)
        return
    fitting = {"host": "host", "learner": "learner or device"}[kept_by]
    with pytest.raises(
        OverrideError, match=f"--replay must be {fitting} for this run, got {wanted}"
    ):
        train_resume._check_keeper(experiment, made)


def test_only_a_run_with_its_last_evaluation_is_refused_as_complete():
    experiment = EXPERIMENTS["dqn/catch"]
    assert experiment.steps == 20_000
    train_resume._refuse_done(experiment, saved(), evaluated=False)
    train_resume._refuse_done(experiment, saved(19_999), evaluated=True)
    with pytest.raises(OverrideError, match="it has done 20,000 of 20,000 steps"):
        train_resume._refuse_done(experiment, saved(), evaluated=True)


def test_an_incomplete_checkpoint_names_its_missing_entry():
    checkpoint = saved()._replace(extra={"store": "dataset", "episodes": []})
    with pytest.raises(RunDirectoryError, match="has no seconds"):
        train_resume._check_entries(checkpoint)


@pytest.mark.parametrize(
    "name, dataset", [("bc/halfcheetah", "data.npz"), ("mdqn/catch", "")]
)
def test_a_new_checkpoint_period_changes_only_runs_that_act(
    name, dataset, monkeypatch, capsys
):
    monkeypatch.setattr(train_resume.run_directory, "record_resume", lambda *_: None)
    old = dataclasses.replace(EXPERIMENTS[name], dataset=dataset)
    new = flags.replace(old, {"checkpoint.period": 7})
    request = train_resume.Request(Options(), Path("run"), old, new)
    train_resume._record(request, saved(), "local")
    said = capsys.readouterr().out
    assert ("it does not change what the run learns" in said) == bool(dataset)
    assert ("restarts its environments" in said) == (not dataset)
