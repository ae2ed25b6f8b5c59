"""Vieillard, Pietquin and Geist, "Munchausen Reinforcement Learning" (2020).

https://arxiv.org/abs/2007.14430. On Atari the settings are the agents' defaults and the
experiments those of the catalogue: `mdqn/breakout`, `miqn/atari`. Here is the CartPole
of the authors' code, `munchausen_rl/configs/cartpole.gin`.

Deviations:
- Epsilon is 0.001 in evaluation, Dopamine's default.
- CartPole-v1 is the authors' CartPole-v0 with a cap of 500 steps.
- The authors' file configures M-DQN; IQN and M-IQN stand beside it, with 8 quantile
  fractions instead of their 64.
- The authors give no number of seeds for it: 5.
"""

from experiments.catalogue import dopamine, figure
from experiments.catalogue.figure import Variant

FIGURES = (
    figure.make(
        "munchausen/cartpole",
        dopamine.CARTPOLE._replace(
            description="CartPole in the settings of the authors' code; at best 500",
            loss="huber",
        ),
        {
            "dqn": Variant("dqn"),
            "mdqn": Variant("mdqn"),
            "iqn": Variant("iqn"),
            "miqn": Variant("miqn"),
            "soft_dqn": Variant("soft_dqn"),
            "advantage_learning": Variant("advantage_learning"),
        },
        seeds=5,
    ),
)
