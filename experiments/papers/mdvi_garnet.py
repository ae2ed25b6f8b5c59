"""How many samples MDVI and value iteration need with a generative model, on Garnets.

Kozuno et al., "KL-Entropy-Regularized RL with a Generative Model is Minimax Optimal",
2022, https://arxiv.org/abs/2205.14211, has no experiments; ours illustrate its claim.
The Garnets are those of "Leverage the Average" (30 states, 4 actions, 4 successors).
With H = 1 / (1 - gamma), value iteration and MDVI with alpha = gamma run 15 H
iterations, MDVI with alpha = 1 - (1 - gamma)^2 runs 6 H^2, and every iteration draws M
samples of every pair. The gap is max_s (v* - v_pi)(s) / max_s v*(s) of the last policy.

Part `samples` has gamma = 0.9 (150 and 600 iterations). Part `horizon` varies gamma; it
omits the third scheme, whose H^2 iterations are too many at gamma = 0.99.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from experiments.catalogue.computation import Computation, Row

if TYPE_CHECKING:
    from agents.tabular.schemes import Scheme

GARNETS = 20
SAMPLES = (1, 4, 16, 64)
DISCOUNTS = (0.8, 0.9, 0.95, 0.99)
VI, GAMMA, SQUARED = "VI", "MDVI, alpha = gamma", "MDVI, alpha = 1 - (1 - gamma)^2"


def schemes(discount: float) -> dict[str, tuple[Scheme, int]]:
    """Each scheme and its number of iterations, by name."""
    from agents.tabular.generative import mdvi
    from agents.tabular.schemes import value_iteration

    horizon = 1 / (1 - discount)
    linear, square = round(15 * horizon), round(6 * horizon**2)
    return {
        VI: (value_iteration(), linear),
        GAMMA: (mdvi(discount), linear),
        SQUARED: (mdvi(1 - (1 - discount) ** 2), square),
    }


def compute(
    seed: int,
    garnets: int = GARNETS,
    samples: tuple[int, ...] = SAMPLES,
    discounts: tuple[float, ...] = DISCOUNTS,
) -> list[Row]:
    """Computes the gap of every scheme for every number of samples and horizon.

    Args:
        seed: of the Garnets and of the samples.
        garnets: number of Garnets to average over.
        samples: the values of M.
        discounts: the values of gamma in part `horizon`.

    Returns:
        Rows of part, discount, scheme, samples_per_pair (M), iterations (K), total (M
        K), gap (mean over Garnets), standard_error and garnets.
    """
    parts: list[tuple[str, float, tuple[str, ...]]] = [
        ("samples", 0.9, (VI, GAMMA, SQUARED))
    ]
    parts += [("horizon", discount, (VI, GAMMA)) for discount in discounts]
    return [
        {"part": part, "discount": discount, "scheme": name, **row, "garnets": garnets}
        for part, discount, names in parts
        for name in names
        for row in _gaps(seed, discount, name, samples, garnets)
    ]


def _gaps(
    seed: int, discount: float, name: str, samples: tuple[int, ...], garnets: int
) -> list[Row]:
    """Returns one row for each number of samples of one scheme."""
    from agents.parts.double_precision import double_precision
    from agents.tabular import operators
    from experiments.papers import garnets as g

    scheme, iterations = schemes(discount)[name]
    rows = []
    with double_precision():
        mdps, keys = g.drawn(seed, garnets, discount)
        for count in samples:

            def model(mdp: operators.MDP, count: int = count) -> operators.Model:
                return operators.sampled(mdp, count)

            found = g.policies(scheme, model, mdps, keys, (iterations,))
            means, errors = g.summary(g.worst_gaps(mdps, found))
            rows.append(
                {
                    "samples_per_pair": count,
                    "iterations": iterations,
                    "total": count * iterations,
                    "gap": means[0],
                    "standard_error": errors[0],
                }
            )
    return rows


def draw(rows: list[Row], path: Path) -> None:
    """Draws the gap over samples: by scheme at gamma = 0.9, then by horizon."""
    from experiments.reporting import log_plots

    def place(row: Row) -> tuple[str, str]:
        scheme, discount = row["scheme"], f"discount {row['discount']}"
        return (discount, scheme) if row["part"] == "samples" else (scheme, discount)

    panels = log_plots.panels(rows, place, x="total", y="gap")
    log_plots.save(
        path,
        panels,
        x_label="total samples of each pair",
        y_label="largest gap to v*, over its maximum",
        lowest=1e-4,
    )


COMPUTATION = Computation(
    name="mdvi/garnet",
    description="samples that MDVI and value iteration need, by horizon: 20 Garnets",
    compute=compute,
    draw=draw,
)
