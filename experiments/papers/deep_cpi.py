"""Vieillard, Pietquin and Geist, "Deep Conservative Policy Iteration" (2020).

https://arxiv.org/abs/1906.09784. CartPole with constant and adaptive mixture rates,
next to DQN: a small rate is slow but steady, rate 1 is fast and may collapse.

Deviations (we had access only to an outline of the paper's body):
- The settings are Dopamine's, as in "Leverage the Average" by the same authors.
- We chose the rates and the number of seeds, 5.
"""

from experiments.catalogue import dopamine, figure
from experiments.catalogue.figure import Variant

TASK = dopamine.CARTPOLE._replace(
    description="CartPole with several mixture rates of the greedy policy; at best 500",
    loss="squared",
)

FIGURES = (
    figure.make(
        "cpi/cartpole",
        TASK,
        {
            "dqn": Variant("dqn"),
            "rate_0.1": Variant("deep_cpi", {"mixing_rate": 0.1}),
            "rate_0.3": Variant("deep_cpi", {"mixing_rate": 0.3}),
            "rate_1": Variant("deep_cpi", {"mixing_rate": 1.0}),
            "adaptive": Variant("deep_cpi", {"mixing_rate": 1.0, "adaptive": True}),
        },
        seeds=5,
    ),
)
