"""The named experiments: complete, and with the papers' settings."""

import contextlib
import math

import pytest

import agents
from agents.parts import sgd
from experiments import flags
from experiments.catalogue.experiments import misfit
from experiments.catalogue.tasks import TASKS
from experiments.flags import OverrideError
from experiments.names import EXPERIMENTS
from experiments.reporting import published
from launch.datasets import d4rl_scores
from launch.experiment import Experiment
from launch.runs import run_directory, serialization
from tests.marks import quick


def one_of_each():
    """An experiment for each agent, and one for each task."""
    first = dict[str, str]()
    for name in sorted(EXPERIMENTS):
        for half in name.split("/"):
            first.setdefault(half, name)
    return set(first.values())


@pytest.mark.parametrize("name", quick(one_of_each(), sorted(EXPERIMENTS)))
def test_every_experiment_survives_its_configuration_file(name, tmp_path):
    experiment = EXPERIMENTS[name]
    assert isinstance(experiment, Experiment) and experiment.name == name
    directory = run_directory.create(tmp_path / "runs", experiment)
    assert run_directory.read_experiment(directory) == experiment
    assert (
        serialization.read_experiment(serialization.to_plain(experiment)) == experiment
    )


@pytest.mark.parametrize("agent_name", ["dqn", "mdqn"])
@pytest.mark.parametrize(
    "task_name",
    "pong pong-cpu breakout atari cartpole acrobot mountaincar lunarlander "
    "catch minatar-asterix minatar-breakout minatar-freeway minatar-seaquest "
    "minatar-space-invaders maze".split(),
)
def test_the_documented_experiments_exist(agent_name, task_name):
    assert EXPERIMENTS[f"{agent_name}/{task_name}"].agent_name == agent_name


@pytest.mark.parametrize("agent_name", ["iq", "sac", "td3"])
@pytest.mark.parametrize(
    "task_name",
    "hopper halfcheetah walker2d ant humanoid cheetah-run walker-walk adroit-pen "
    "adroit-door adroit-hammer adroit-relocate".split(),
)
def test_the_documented_continuous_experiments_exist(agent_name, task_name):
    experiment = EXPERIMENTS[f"{agent_name}/{task_name}"]
    storage = experiment.agent.storage
    assert storage.batch_size == storage.samples_per_insert == 256  # 1 update a step
    assert experiment.agent.network.hidden == (256, 256)


@pytest.mark.parametrize("hand", ["pen", "door", "hammer", "relocate"])
@pytest.mark.parametrize("quality", ["human", "cloned"])
@pytest.mark.parametrize("agent_name", ["anti_exploration", "ploff", "td3_bc", "bc"])
def test_agents_learn_from_d4rls_data_of_the_hand(agent_name, hand, quality):
    experiment = EXPERIMENTS[f"{agent_name}/adroit-{hand}-{quality}"]
    assert experiment.dataset == f"D4RL/{hand}/{quality}-v2"
    assert experiment.environment == EXPERIMENTS[f"iq/adroit-{hand}"].environment
    assert d4rl_scores.reference(experiment.environment) is not None


def test_agents_are_paired_with_tasks_of_their_action_type():
    for agent_name, recipe in agents.REGISTRY.items():
        for task_name in TASKS:
            taken = TASKS[task_name].actions
            fits = taken == recipe.actions or (
                taken == "any" and recipe.actions in ("discrete", "continuous")
            )
            assert (f"{agent_name}/{task_name}" in EXPERIMENTS) == fits


def test_a_misfit_lists_fitting_agents_and_tasks():
    message = misfit("mdqn/hopper")
    assert message.startswith(
        "mdqn takes actions that are discrete, but those of hopper are "
    )
    assert (
        "for hopper: iq, sac, td3, td3_2018, bc, td3_bc," in message
        and "cartpole" in message
    )
    assert "\n" not in message
    assert "those of gymnasium are discrete or continuous; " in misfit("sft/gymnasium")
    assert misfit("mdqn/hoper") is None and misfit("hopper") is None


@pytest.mark.parametrize("task", ["HalfCheetah-v5", "Hopper-v5"])
def test_locomotion_has_published_numbers(task):
    rows = published.read_published({"kind": "Locomotion", "name": task})
    at_end = {row.agent: row.value for row in rows if row.frames == 1_000_000}
    assert {"TD3 (authors)", "SAC (Tianshou)", "SAC (CleanRL)"} <= set(at_end)
    early = [row for row in rows if row.agent == "TD3 (authors)"]
    assert [row.frames for row in early][:2] == [100_000, 250_000]


def test_every_flag_of_every_agent_is_explained():
    for agent_name in agents.REGISTRY:
        name = next(name for name in EXPERIMENTS if name.startswith(f"{agent_name}/"))
        for path, field in flags.fields(EXPERIMENTS[name]).items():
            assert field.help, f"--{path} of {name}"


def test_environments_of_gymnasium_take_numbers_and_no_completions():
    found = {name for name in EXPERIMENTS if name.endswith("/gymnasium")}
    assert {"dqn/gymnasium", "sac/gymnasium"} <= found
    assert "sft/gymnasium" not in found


def test_local_runs_act_under_the_update_where_it_helps():
    names = {
        "mdqn/pong": True,
        "td3/hopper": True,
        "dqn/minatar-breakout": True,
        "mdqn/catch": False,
        "sft/arithmetic": False,
        "td3_bc/hopper": False,
        "td3/hopper-medium": False,
    }
    found = {name: EXPERIMENTS[name].act_under_update for name in names}
    assert found == names


def test_only_the_floor_of_log_policies_may_be_minus_infinity():
    """The command line accepts -inf, so each configuration refuses it elsewhere."""
    found = set()
    for name in sorted(one_of_each()):
        for path, field in flags.fields(EXPERIMENTS[name]).items():
            if "float" in flags.type_name(field.annotation):
                with contextlib.suppress(OverrideError):
                    flags.replace(EXPERIMENTS[name], {path: -math.inf})
                    found.add(path)
    assert found == {"agent.log_policy_floor"}


@pytest.mark.parametrize("task", ["catch", "minatar-asterix", "pong", "pong-cpu"])
def test_a_variant_with_an_optimiser_keeps_it_on_every_task(task):
    """The epsilon of Adam means something else to RMSProp."""
    assert EXPERIMENTS[f"dqn_rmsprop/{task}"].agent.optimizer == sgd.RMSPROP
    assert EXPERIMENTS[f"dqn/{task}"].agent.optimizer.method == "adam"
