"""MinAtar of Deep Variance Weighting: DQN and M-DQN, weighted or not.

Kitamura et al., "Regularization and Variance-Weighted Regression Achieves Minimax
Optimality in Linear MDPs: Theory and Practice", 2023, https://arxiv.org/abs/2305.13185,
with the settings of the authors' code (matsuolab/Deep-Variance-Weighting-MinAtar),
which the catalogue's MinAtar tasks have: 5 games, 10,000,000 steps, 5 seeds. A shorter
run decays epsilon as slowly, over the first 1,000,000 steps, and so lies on the curve.
"""

from experiments.catalogue import TASKS
from experiments.papers import figure
from experiments.papers.figure import Variant

VARIANTS = {
    "dqn": Variant("dqn"),
    "dvw_dqn": Variant("dvw_dqn"),
    "mdqn": Variant("mdqn"),
    "dvw_mdqn": Variant("dvw_mdqn"),
}

FIGURES = tuple(
    figure.make(f"dvw/{name}", task, VARIANTS, seeds=5)
    for name, task in TASKS.items()
    if name.startswith("minatar-")
)
