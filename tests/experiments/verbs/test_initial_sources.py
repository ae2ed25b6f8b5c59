"""What `--initial.<network>` may name, and the architecture that comes with it."""

import dataclasses
from pathlib import Path

import pytest

from experiments import names
from experiments.catalogue.experiments import EXPERIMENTS
from experiments.catalogue.lazy import Joined
from experiments.flags import OverrideError
from experiments.verbs import initial_sources, train_arguments
from launch.runs import run_directory
from tests.launch.pretrained.checkpoints import GEMMA

SMALL = ["--agent.network.hidden", "13", "--steps", "70"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def small(tmp_path):
    """The directory of a run of DQN with few hidden units, which has only begun."""
    [experiment] = train_arguments.plan(["dqn/catch", *SMALL]).experiments
    return run_directory.create(tmp_path / "small", experiment)


def planned(*words):
    [experiment] = train_arguments.plan(list(words)).experiments
    return experiment


def test_a_run_gives_its_architecture_and_flags_may_change_it(small):
    experiment = planned("mdqn/catch", "--initial.q", str(small))
    assert experiment.agent.network.hidden == (13,)
    assert experiment.initial == {"q": str(small)}
    wide = planned(
        *("mdqn/catch", f"--initial.q={small}", "--agent.network.hidden", "7")
    )
    assert wide.agent.network.hidden == (7,)
    assert planned("mdqn/catch").agent.network.hidden == (64,)


def test_a_text_is_a_directory_or_else_an_experiment(small, tmp_path, monkeypatch):
    found = initial_sources.find("q", "dqn/catch", seed=3)
    assert found.place == dataclasses.replace(EXPERIMENTS["dqn/catch"], seed=3)
    assert (found.network, found.learned.name) == ("q", "dqn/catch")
    (tmp_path / "dqn").mkdir()
    small.rename(tmp_path / "dqn" / "catch")
    found = initial_sources.find("q", "dqn/catch#q", seed=3)
    assert (found.place, found.network) == (Path("dqn/catch"), "q")
    assert found.learned.architectures["q"].hidden == (13,)


def test_the_source_of_a_source_gives_its_architecture(small, monkeypatch):
    chained = dataclasses.replace(
        EXPERIMENTS["dqn/catch"], name="dqn/chained", initial={"q": str(small)}
    )
    known = Joined({"dqn/chained": chained}, EXPERIMENTS)
    monkeypatch.setattr(names, "EXPERIMENTS", known)
    experiment = planned("mdqn/catch", "--initial.q", "dqn/chained")
    assert experiment.agent.network.hidden == (13,)


@pytest.mark.parametrize(
    "text, said",
    [
        (
            "dqn/cath",
            "must be a directory with a finished run or a checkpoint, or an "
            "experiment, got 'dqn/cath'; did you mean 'dqn/catch'?",
        ),
        ("dqn", "; dqn has neither"),
        ("nowhere", "got 'nowhere'; `munchausen list` prints experiments"),
        (
            "dqn/catch#critic",
            "--initial.q must name a network of dqn/catch with #q, got 'critic'",
        ),
    ],
)
def test_a_text_that_stands_for_nothing_is_refused(text, said, tmp_path):
    (tmp_path / "dqn").mkdir()
    with pytest.raises(OverrideError) as caught:
        planned("dqn/catch", "--initial.q", text)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_checkpoint_of_hugging_face_gives_its_architecture():
    experiment = planned("gkd/markov", "--initial.teacher", str(GEMMA / "gemma2"))
    teacher, student = experiment.agent.teacher, experiment.agent.network
    assert (teacher.vocabulary, teacher.width, teacher.layers) == (59, 32, 4)
    assert (student.vocabulary, student.width) == (0, 64)
    assert experiment.initial["policy"] == "sft/markov"
