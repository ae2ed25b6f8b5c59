"""Deep Variance Weighting: DQN and M-DQN, weighted or not, on MinAtar and in a maze.

Kitamura et al., "Regularization and Variance-Weighted Regression Achieves Minimax
Optimality in Linear MDPs: Theory and Practice", 2023, https://arxiv.org/abs/2305.13185,
with the settings of the authors' code (matsuolab/Deep-Variance-Weighting-MinAtar),
which the catalogue's MinAtar tasks have: 5 games, 10,000,000 steps, 5 seeds. A shorter
run decays epsilon as slowly, over the first 1,000,000 steps, and so lies on the curve.

Deviations:
- In the maze agents walk; the authors update on samples from every state at once, and
  measure the gap to the optimal values. Their numbers are not comparable.
- One maze, 3 seeds; the authors have 20 mazes with 3 seeds each.
"""

from experiments.catalogue import figure
from experiments.catalogue.figure import Variant
from experiments.catalogue.tasks import TASKS

VARIANTS = {
    "dqn": Variant("dqn"),
    "dvw_dqn": Variant("dvw_dqn"),
    "mdqn": Variant("mdqn"),
    "dvw_mdqn": Variant("dvw_mdqn"),
}

# KL and entropy coefficients of the authors' maze, gamma 1e-5 / (1 - gamma) and 1e-5.
_MAZE_PENALTIES = {"munchausen": 0.995, "temperature": 2e-3}

MAZE_VARIANTS = {
    "dqn": Variant("dqn"),
    "dvw_dqn": Variant("dvw_dqn"),
    "mdqn": Variant("mdqn", _MAZE_PENALTIES),
    "dvw_mdqn": Variant("dvw_mdqn", _MAZE_PENALTIES),
}

_MINATAR = tuple(
    figure.make(f"dvw/{name}", task, VARIANTS, seeds=5)
    for name, task in TASKS.items()
    if name.startswith("minatar-")
)

FIGURES = (
    *_MINATAR,
    figure.make("dvw/maze", TASKS["maze"], MAZE_VARIANTS, seeds=3),
)
