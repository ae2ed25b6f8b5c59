"""Vieillard, Pietquin and Geist, "Deep Conservative Policy Iteration" (2020).

https://arxiv.org/abs/1906.09784. CartPole with constant and adaptive mixture rates,
next to DQN: a small rate is slow but steady, rate 1 is fast and may collapse.

Deviations (of the paper's body only the outline was at hand):
- Dopamine's settings, as in "Leverage the Average" by the same authors.
- The rates and the number of seeds, 5, are ours.
"""

from experiments.catalogue import dopamine, figure
from experiments.catalogue.figure import Variant

TASK = dopamine.CARTPOLE._replace(
    description="CartPole, by steps of several sizes to the greedy policy; at best 500",
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
