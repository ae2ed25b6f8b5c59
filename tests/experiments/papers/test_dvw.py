"""Deep Variance Weighting: the trained figures."""

import pytest

from experiments.names import FIGURES


def test_variance_weighting_has_five_minatar_games_and_a_maze():
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
