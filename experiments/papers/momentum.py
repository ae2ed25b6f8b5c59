"""Vieillard et al., "Momentum in Reinforcement Learning" (2020): Momentum DQN.

https://arxiv.org/abs/1910.09322. CartPole with several values of beta, the share of the
past in h, and with the plain average. beta 0 would be a DQN that acts on a copy.

Deviations (we had access only to an outline of the paper's body):
- The paper's deep experiments are on Atari (`momentum_dqn/atari`); this CartPole is
  that of "Leverage the Average" by the same authors.
- We chose the values of beta and the number of seeds, 5.
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
