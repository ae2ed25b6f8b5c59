"""Vieillard et al., "Momentum in Reinforcement Learning" (2020): Momentum DQN.

https://arxiv.org/abs/1910.09322. CartPole with several shares of the past in h, and
with the plain average; beta 0 is a DQN that acts on a copy.

Deviations (of the paper's body only the outline was at hand):
- The paper's deep experiments are on Atari (`momentum_dqn/atari`); CartPole is that of
  "Leverage the Average" by the same authors.
- The values of beta and the number of seeds, 5, are ours.
"""

from experiments.catalogue import dopamine, figure
from experiments.catalogue.figure import Variant

FIGURES = (
    figure.make(
        "momentum/cartpole",
        dopamine.CARTPOLE._replace(
            description="CartPole, acting on averages of action values; at best 500",
            loss="squared",
        ),
        {
            "dqn": Variant("dqn"),
            "beta_0.5": Variant("momentum_dqn", {"averaging": 0.5}),
            "beta_0.9": Variant("momentum_dqn", {"averaging": 0.9}),
            "beta_0.99": Variant("momentum_dqn", {"averaging": 0.99}),
            "decaying": Variant("momentum_dqn", {"schedule": "decaying"}),
        },
        seeds=5,
    ),
)
