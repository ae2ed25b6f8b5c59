"""The papers' figures: settings as the papers have them, and every agent fits."""

import pytest

from experiments.names import COMPUTATIONS, EXPERIMENTS, FIGURES, VARIANTS
from launch import build, preflight


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_every_variant_fits_its_environment(name):
    if not VARIANTS[name].dataset:
        spec = preflight.check(VARIANTS[name], here=False).spec
        assert spec.num_actions > 1
        return
    spec = build.spec_of(VARIANTS[name])  # its dataset is not here
    agent = build.make_agent(VARIANTS[name], spec)
    assert spec.num_actions == 0 and agent.storage.batch_size == 256


def test_offline_figures_are_of_both_environments_and_all_qualities():
    names = [name for name in FIGURES if name.startswith("offline/")]
    assert len(names) == 10
    for name in names:
        robot, quality = name.removeprefix("offline/").split("-", 1)
        figure = FIGURES[name]
        assert figure.seeds == 3
        kinds = {each.agent_name for each in figure.experiments.values()}
        assert kinds == {"td3", "bc", "td3_bc", "anti_exploration", "ploff"}
        for experiment in figure.experiments.values():
            assert experiment.steps == 50_000
            assert experiment.dataset == f"munchausen/{robot}/{quality}-v0"
            assert robot in experiment.environment.name.lower()


def test_names_are_unique():
    names = [*EXPERIMENTS, *FIGURES, *COMPUTATIONS]
    assert len(set(names)) == len(names)
    for figure in FIGURES.values():
        assert all(name.startswith(figure.name + "_") for name in figure.experiments)


@pytest.mark.parametrize("name", ["leverage/cartpole", "leverage/lunarlander"])
def test_leverage_has_the_papers_settings(name):
    figure = FIGURES[name]
    assert figure.seeds == 10
    period = 25 if name == "leverage/cartpole" else 625
    for experiment in figure.experiments.values():
        agent, storage = experiment.agent, experiment.agent.storage
        assert experiment.steps == 500_000
        assert experiment.environment.protocol == "dopamine"
        assert agent.target_update_period == period
        assert agent.discount == 0.99
        assert agent.network.hidden == (512, 512)
        assert (agent.optimizer.learning_rate, agent.optimizer.epsilon) == (
            1e-3,
            3.125e-4,
        )
        assert (storage.capacity, storage.batch_size) == (50_000, 128)
        assert storage.samples_per_insert / storage.batch_size == 1 / 4
        assert (agent.exploration.initial, agent.exploration.final) == (0.01, 0.01)


def test_leverage_has_every_variant():
    wanted = (
        "dqn mdqn momentum_dqn md_direct md_indirect dual_averaging deep_cpi soft_dqn"
    )
    expected = [f"leverage/cartpole_{name}" for name in wanted.split()]
    assert list(FIGURES["leverage/cartpole"].experiments) == expected


def test_variants_differ_from_their_task_where_they_say():
    for name, experiment in FIGURES["cpi/cartpole"].experiments.items():
        if experiment.agent_name == "deep_cpi":
            rate = name.removeprefix("cpi/cartpole_rate_")
            wanted = 1.0 if "adaptive" in name else float(rate)
            assert experiment.agent.mixing_rate == wanted
            assert experiment.agent.adaptive == ("adaptive" in name)


def test_variance_weighting_has_its_five_games_and_the_maze():
    games = "asterix breakout freeway seaquest space-invaders".split()
    for game in games:
        figure = FIGURES[f"dvw/minatar-{game}"]
        assert figure.seeds == 5
        for experiment in figure.experiments.values():
            assert experiment.steps == 10_000_000
            assert experiment.agent.exploration.decay_steps == 1_000_000
            assert experiment.agent.network.hidden == (128,)
    maze = FIGURES["dvw/maze"].experiments["dvw/maze_mdqn"].agent
    # Entropy coefficient (1 - alpha) tau and KL coefficient alpha tau.
    assert (1 - maze.munchausen) * maze.temperature == pytest.approx(1e-5)
    assert maze.munchausen * maze.temperature == pytest.approx(0.995 * 1e-5 / 0.005)
