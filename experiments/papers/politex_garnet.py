"""Policy iteration, conservative or with a sum of values, on Garnets.

The three schemes of Vieillard, Pietquin and Geist, "On Connections between Constrained
Optimization and Reinforcement Learning", 2019, https://arxiv.org/abs/1910.08476, which
has no experiments; ours illustrate it. Each scheme evaluates its policy to the end:

| scheme | optimisation | pi_{k+1} |
| --- | --- | --- |
| conservative policy iteration | Frank-Wolfe | (1 - a) pi_k + a G(q_k) |
| Politex | dual averaging | softmax(eta sum_{j <= k} q_j) |
| MD-PI, with a KL weight of 1 / eta | mirror descent | pi_k exp(eta q_k), normalised |

With a constant eta the last two have equal policies, so one curve stands for both. The
Garnets are those of "Leverage the Average" (30 states, 4 actions, 4 successors, gamma
0.9). Part `exact` evaluates each policy in the true MDP, part `noisy` in one whose
rewards have normal noise, drawn again in every iteration. The error is
||q* - q_pi||_1 / ||q*||_1.

Deviations:
- q_0 = 0; the papers do not give it.
- The rates a and eta are constant, and ours.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.catalogue.computation import Computation, Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.tabular.mdp import MDP
    from agents.tabular.operators import Model
    from agents.tabular.schemes import Scheme

DISCOUNT = 0.9
GARNETS = 100
NOISE = 0.3  # standard deviation; rewards are in [0, 1]
RATES = (0.1, 0.01)  # a
STEP_SIZES = (10.0, 1.0, 0.1)  # eta
ITERATIONS = (*range(1, 11), 13, 16, 20, 25, 32, 40, 50, 63, 79, 100, 126, 159, 200)
ITERATIONS += (252, 317, 400)
TITLES = {"exact": "exact evaluation", "noisy": "evaluation with noise"}


def schemes() -> dict[str, Scheme]:
    """The schemes by name."""
    from agents.tabular import schemes as s
    from agents.tabular.conservative import conservative_policy_iteration, constant

    return {
        "policy iteration": s.policy_iteration(),
        **{
            f"CPI, rate {a:g}": conservative_policy_iteration(constant(a))
            for a in RATES
        },
        **{f"Politex, eta {eta:g}": s.politex(eta) for eta in STEP_SIZES},
    }


def models() -> dict[str, Callable[[MDP], Model]]:
    """What each part evaluates its policies in."""
    from agents.tabular import operators

    return {
        "exact": operators.exact,
        "noisy": functools.partial(operators.perturbed, scale=NOISE),
    }


def compute(seed: int, garnets: int = GARNETS) -> list[Row]:
    """Computes the error of every scheme at each of `ITERATIONS`.

    Args:
        seed: of the Garnets and of the noise.
        garnets: number of Garnets to average over.

    Returns:
        Rows of part, scheme, iteration, error (mean over Garnets), standard_error and
        garnets.
    """
    from agents.parts.double_precision import double_precision
    from experiments.papers import garnets as g

    with double_precision():
        mdps, keys = g.drawn(seed, garnets, DISCOUNT)
        return [
            {"part": part, "scheme": name, **row}
            for part, model in models().items()
            for name, scheme in schemes().items()
            for row in g.curve(scheme, model, mdps, keys, ITERATIONS)
        ]


def draw(rows: list[Row], path: Path) -> None:
    """Draws the error over iterations, without and with noise."""
    from experiments.reporting import log_plots

    panels = log_plots.panels(
        rows,
        lambda row: (TITLES[row["part"]], row["scheme"]),
        x="iteration",
        y="error",
    )
    log_plots.save_policy_errors(path, panels)


COMPUTATION = Computation(
    name="politex/garnet",
    description="Politex and other policy iteration, with noise or not: 100 Garnets",
    compute=compute,
    draw=draw,
)
