"""The named experiments: all that were promised, and as the papers have them."""

import pytest

import agents
from experiments import flags
from experiments.catalogue.experiments import misfit
from experiments.catalogue.tasks import TASKS
from experiments.names import EXPERIMENTS
from experiments.reporting import published
from launch.experiment import Experiment
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
