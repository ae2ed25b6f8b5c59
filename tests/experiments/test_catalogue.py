"""The named experiments: all that were promised, and as the papers have them."""

import subprocess
import sys
from typing import get_args

import pytest

import agents
from environments import minatar
from experiments import flags
from experiments.catalogue import experiments
from experiments.catalogue.experiments import Named, misfit
from experiments.catalogue.tasks import MINATAR_GAMES, TASKS, Environment, Task
from experiments.names import EXPERIMENTS
from experiments.reporting import published
from launch.experiment import Evaluation, Experiment
from launch.runs import run_directory, serialization


@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
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
def test_the_promised_experiments_exist(agent_name, task_name):
    assert EXPERIMENTS[f"{agent_name}/{task_name}"].agent_name == agent_name


@pytest.mark.parametrize("agent_name", ["iq", "sac", "td3"])
@pytest.mark.parametrize(
    "task_name",
    "hopper halfcheetah walker2d ant humanoid cheetah-run walker-walk adroit-pen "
    "adroit-door adroit-hammer adroit-relocate".split(),
)
def test_the_promised_continuous_experiments_exist(agent_name, task_name):
    experiment = EXPERIMENTS[f"{agent_name}/{task_name}"]
    storage = experiment.agent.storage
    assert storage.batch_size == storage.samples_per_insert == 256  # 1 update a step
    assert experiment.agent.network.hidden == (256, 256)


def test_agents_meet_the_tasks_whose_actions_they_take():
    for agent_name, recipe in agents.REGISTRY.items():
        for task_name in TASKS:
            fits = recipe.actions == TASKS[task_name].actions
            assert (f"{agent_name}/{task_name}" in EXPERIMENTS) == fits


def test_agents_have_the_fields_that_tasks_set_for_some():
    def has(agent_name, field):
        return hasattr(agents.REGISTRY[agent_name].default(), field)

    for agent_name, recipe in agents.REGISTRY.items():
        quantiles = agent_name in experiments.QUANTILE_AGENTS
        assert has(agent_name, "online_fractions") == quantiles
        assert has(agent_name, "target_fractions") == quantiles
        fixed = quantiles or agent_name in experiments.FIXED_LOSS_AGENTS
        if recipe.actions == "discrete":
            assert has(agent_name, "loss") == (not fixed)


@pytest.mark.parametrize(
    "kind, settings, message",
    [
        ("Catch", {"discuont": 0.9}, "unknown field agent.discuont"),
        ("Cach", {}, "got 'Cach'"),
    ],
)
def test_a_mistake_in_a_task_is_an_error(kind, settings, message):
    task = Task("", Environment(kind), 10, Evaluation(), settings)
    with pytest.raises(ValueError, match=message):
        Named("dqn/catch", "dqn", task).experiment()


def test_the_tasks_are_all_games_of_minatar():
    assert MINATAR_GAMES == get_args(minatar.GameName)


def test_naming_an_experiment_builds_and_imports_no_other():
    code = (
        "import sys; from experiments.names import EXPERIMENTS;"
        "assert 'dqn/pnog' not in EXPERIMENTS and 'mdqn/pong' in EXPERIMENTS;"
        "EXPERIMENTS['dqn/catch'];"
        "kinds = ('agents.', 'environments.', 'experiments.papers.');"
        "parts = ('agents.parts', 'environments.vector', 'environments.choices');"
        "print(sorted(m for m in sys.modules"
        " if m.startswith(kinds) and not m.startswith(parts)))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['agents.dqn', 'environments.catch']"


def test_a_misfit_says_what_fits():
    message = misfit("mdqn/hopper")
    assert message.startswith("mdqn takes discrete actions, those of hopper are cont")
    assert "for hopper: iq, sac, td3, bc, td3_bc," in message and "cartpole" in message
    assert "\n" not in message
    assert misfit("mdqn/hoper") is None and misfit("hopper") is None


@pytest.mark.parametrize("task", ["HalfCheetah-v5", "Hopper-v5"])
def test_locomotion_has_published_numbers(task):
    rows = published.read_published({"kind": "Locomotion", "name": task})
    at_end = {row.agent: row.value for row in rows if row.frames == 1_000_000}
    assert {"TD3 (authors)", "SAC (Tianshou)", "SAC (CleanRL)"} <= set(at_end)
    early = [row for row in rows if row.agent == "TD3 (authors)"]
    assert [row.frames for row in early][:2] == [100_000, 250_000]


def test_atari_is_the_papers():
    experiment = EXPERIMENTS["mdqn/pong"]
    agent = experiment.agent
    assert experiment.steps == 50_000_000  # 200 million frames
    assert (agent.temperature, agent.munchausen, agent.log_policy_floor) == (
        0.03,
        0.9,
        -1.0,
    )
    assert (agent.optimizer.learning_rate, agent.optimizer.epsilon) == (5e-5, 3.125e-4)
    assert agent.target_update_period == 2_000
    assert (agent.storage.capacity, agent.storage.min_size) == (1_000_000, 20_000)
    assert experiment.environment.protocol == "dopamine"


@pytest.mark.parametrize("agent_name", ["dqn", "mdqn"])
def test_minatar_is_as_in_deep_variance_weighting(agent_name):
    experiment = EXPERIMENTS[f"{agent_name}/minatar-space-invaders"]
    environment, agent = experiment.environment, experiment.agent
    assert (environment.game, environment.sticky_actions) == ("space_invaders", 0.1)
    assert environment.difficulty_ramping and not environment.minimal_actions
    assert (experiment.steps, environment.episode_steps) == (10_000_000, 10_000)
    assert (experiment.evaluation.period, experiment.evaluation.lockstep) == (
        100_000,
        True,
    )
    assert (agent.loss, agent.discount, agent.target_update_period * 4) == (
        "squared",
        0.99,
        1_000,
    )
    assert (agent.optimizer.learning_rate, agent.optimizer.epsilon) == (2.5e-4, 1e-8)
    storage = agent.storage
    assert (storage.capacity, storage.min_size, storage.batch_size) == (
        100_000,
        10_000,
        32,
    )
    assert storage.samples_per_insert == storage.batch_size / 4 and storage.n_step == 1
    schedule = agent.exploration
    assert (schedule.initial, schedule.final, schedule.evaluation) == (1.0, 0.1, 0.0)
    assert (schedule.start, schedule.decay_steps) == (0, 1_000_000)


def test_the_constants_of_mdqn_there_are_our_defaults():
    """Deep Variance Weighting gives the KL's coefficient and the entropy's."""
    agent = EXPERIMENTS["mdqn/minatar-asterix"].agent
    assert agent.temperature == pytest.approx(0.027 + 0.003)
    assert agent.munchausen == pytest.approx(0.027 / (0.027 + 0.003))
    assert agent.log_policy_floor == -1.0


def test_every_flag_of_every_agent_is_explained():
    for agent_name in agents.REGISTRY:
        name = next(name for name in EXPERIMENTS if name.startswith(f"{agent_name}/"))
        for path, field in flags.fields(EXPERIMENTS[name]).items():
            assert field.help, f"--{path} of {name}"
