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
    own = dataclasses.replace(EXPERIMENTS["mdqn/catch"], seed=3)
    found = initial_sources.find("q", "dqn/catch", own)
    assert found.place == dataclasses.replace(EXPERIMENTS["dqn/catch"], seed=3)
    assert (found.network, found.learned.name) == ("q", "dqn/catch")
    (tmp_path / "dqn").mkdir()
    small.rename(tmp_path / "dqn" / "catch")
    found = initial_sources.find("q", "dqn/catch#q", own)
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


def sources(*words):
    """The experiments that give a run its weights, by network."""
    own = planned(*words)
    found = {
        network: initial_sources.find(network, text, own)
        for network, text in own.initial.items()
    }
    return {network: each.place for network, each in found.items()}


def test_default_sources_follow_the_task_but_not_its_number_of_prompts():
    line = "gkd/arithmetic --environment.digits 3 --environment.prompts 70 --seed 4"
    found = sources(*line.split())
    for network, name in {"policy": "", "teacher": "-teacher"}.items():
        defined = EXPERIMENTS[f"sft/arithmetic{name}"]
        task = dataclasses.replace(defined.environment, digits=3)
        assert found[network] == dataclasses.replace(defined, environment=task, seed=4)


def test_the_sources_of_a_source_follow_the_task_and_the_supervised_policy(small):
    line = (
        "warm/preferences --environment.layout 5 --initial.sft sft/preferences#policy"
    )
    found = sources(*line.split())
    assert found["reward"].environment.layout == 5
    assert found["reward"].initial == dict.fromkeys(
        ("reward", "sft"), "sft/preferences#policy"
    )
    defined = sources("warm/preferences")["reward"]
    assert defined == EXPERIMENTS["reward_model/preferences"]
    line = "reward_model/preferences --environment.layout 5"
    assert {each.environment.layout for each in sources(*line.split()).values()} == {5}


def test_a_source_that_the_caller_names_is_as_it_is_defined():
    line = "gkd/arithmetic --environment.digits 3 --initial.teacher sft/arithmetic"
    assert sources(*line.split())["teacher"] == EXPERIMENTS["sft/arithmetic"]


def test_the_default_teacher_of_an_f_divergence_has_its_loss():
    line = "f_distillation/markov --agent.alpha 2 --agent.measure uniform"
    teacher = sources(*line.split())["teacher"]
    defined = EXPERIMENTS["f_divergence/markov-teacher"]
    agent = dataclasses.replace(defined.agent, alpha=2.0, measure="uniform")
    assert teacher == dataclasses.replace(defined, agent=agent)


@pytest.mark.parametrize(
    "agent_name, alike",
    [("rlef", "policy value"), ("reward_model", "reward"), ("jbond", "policy anchor")],
)
def test_networks_begin_as_the_supervised_policy_that_the_caller_names(
    agent_name, alike
):
    line = f"{agent_name}/facts --initial.sft gkd/facts#policy"
    initial = planned(*line.split()).initial
    assert {initial[network] for network in alike.split()} == {"gkd/facts#policy"}
    other = alike.split()[-1]
    initial = planned(*line.split(), f"--initial.{other}", "sft/facts").initial
    assert initial[other] == "sft/facts"
    assert initial["sft"] == "gkd/facts#policy"
    # The supervised policy does not follow a policy that the caller names.
    line = f"{agent_name}/facts --initial.{other} gkd/facts#policy"
    assert planned(*line.split()).initial["sft"] == "sft/facts"


def test_no_network_begins_as_its_own_namesake_of_the_supervised_policys_run():
    """A run of RLEF has a critic, but `value` must begin as `sft` does."""
    initial = planned(*"rlef/facts --initial.sft rlef/facts".split()).initial
    assert initial == {
        "policy": "rlef/facts",
        "value": "rlef/facts#policy",
        "sft": "rlef/facts",
    }
