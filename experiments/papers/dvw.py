"""Deep Variance Weighting: DQN and M-DQN, weighted or not, on MinAtar and in a maze.

Kitamura et al., "Regularization and Variance-Weighted Regression Achieves Minimax
Optimality in Linear MDPs: Theory and Practice", 2023, https://arxiv.org/abs/2305.13185,
with the settings of the authors' code (matsuolab/Deep-Variance-Weighting-MinAtar),
which the catalogue's MinAtar tasks also have: 5 games, 10,000,000 steps, 5 seeds. A
shorter run still decays epsilon over the first 1,000,000 steps, so its returns follow
the curve of the full run.

`dvw/maze_generative` is the maze as the authors have it, see `dvw_maze`.

Deviations:
- In `dvw/maze` agents act step by step; the authors update on samples from every state
  at once and measure the gap to the optimal values. The numbers are not comparable.
- One maze, 3 seeds; the authors use 20 mazes with 3 seeds each.
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

# The authors' coefficients in the maze: KL gamma 1e-5 / (1 - gamma), entropy 1e-5.
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
