"""Vieillard, Pietquin and Geist, "Munchausen Reinforcement Learning" (2020).

https://arxiv.org/abs/2007.14430. The Atari experiments are in the catalogue, with the
agents' default settings: `mdqn/breakout`, `miqn/atari`. This module has the CartPole of
the authors' code, `munchausen_rl/configs/cartpole.gin`.

Deviations:
- Epsilon is 0.001 in evaluation, Dopamine's default.
- Agents bootstrap at the cap of 500 steps; the authors' framework stores it as the end
  of the task (`--agent.storage.terminal_at_time_limit true`).
- CartPole-v1 is the authors' CartPole-v0 with a cap of 500 steps.
- The authors' file configures M-DQN only; we add IQN and M-IQN, with 8 quantile
  fractions instead of their 64.
- The authors give no number of seeds; we use 5.
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
