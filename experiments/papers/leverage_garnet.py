"""Sampled value iteration with and without averaging, on 100 Garnets.

Figure 1 of Vieillard et al., "Leverage the Average", NeurIPS 2020,
https://arxiv.org/abs/2003.14089, with the protocol of its Appendix D: Garnets of 30
states, 4 actions and 4 successors, gamma 0.9, one sampled transition of every pair in
each of 800 iterations. The error is ||q* - q_pi||_1 / ||q*||_1, where both are the
entropy-regularised ones for schemes with an entropy weight.

Deviations:
- On each Garnet all schemes see the same noise sequence.
- pi_k is the policy that iteration k evaluated.
- q_0 = 0; the paper states only that it is bounded by v_max.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from experiments.catalogue.computation import Computation, Row

if TYPE_CHECKING:
    from agents.tabular.schemes import Scheme

DISCOUNT = 0.9
TEMPERATURE = 1e-3  # tau of the schemes with entropy
ITERATIONS = (*range(1, 11), 13, 16, 20, 25, 32, 40, 50, 63, 79, 100, 126, 159, 200)
ITERATIONS += (252, 317, 400, 504, 635, 800)
GARNETS = 100
PANELS = {
    "one sample, no entropy": (
        *("AVI", "DA-VI(0.1, 0)", "DA-VI(1, 0)", "DA-VI(10, 0)"),
        *("MoVI", "Speedy Q-learning"),
    ),
    "one sample, entropy weight 0.001": (
        *("DA-VI, beta 0", "DA-VI, beta 0.5", "DA-VI, beta 0.9", "DA-VI, beta 0.99"),
    ),
    "no noise": ("exact AVI", "exact DA-VI(1, 0)", "exact DA-VI(10, 0)"),
}


def schemes() -> dict[str, Scheme]:
    """The schemes by name, in the table's order; names with `exact` have no noise."""
    from agents.tabular.schemes import (
        dual_averaging,
        momentum,
        speedy_q_learning,
        value_iteration,
    )

    def mixed(forgetting: float) -> Scheme:
        kl_weight = TEMPERATURE * forgetting / (1 - forgetting)
        return dual_averaging(kl_weight, TEMPERATURE)

    return {
        "AVI": value_iteration(),
        "DA-VI(0.1, 0)": dual_averaging(0.1, 0.0),
        "DA-VI(1, 0)": dual_averaging(1.0, 0.0),
        "DA-VI(10, 0)": dual_averaging(10.0, 0.0),
        "MoVI": momentum(),
        "Speedy Q-learning": speedy_q_learning(),
        "DA-VI, beta 0": mixed(0.0),
        "DA-VI, beta 0.5": mixed(0.5),
        "DA-VI, beta 0.9": mixed(0.9),
        "DA-VI, beta 0.99": mixed(0.99),
        "exact AVI": value_iteration(),
        "exact DA-VI(1, 0)": dual_averaging(1.0, 0.0),
        "exact DA-VI(10, 0)": dual_averaging(10.0, 0.0),
    }


def compute(seed: int, garnets: int = GARNETS) -> list[Row]:
    """Computes the error of every scheme at each of `ITERATIONS`.

    Args:
        seed: of the Garnets and of the noise.
        garnets: number of Garnets to average over.

    Returns:
        Rows of scheme, iteration, error (mean over Garnets), standard_error, garnets.
    """
    from agents.parts.double_precision import double_precision
    from agents.tabular import operators
    from experiments.papers import garnets as g

    rows: list[Row] = []
    with double_precision():
        mdps, keys = g.drawn(seed, garnets, DISCOUNT)
        for name, scheme in schemes().items():
            model = operators.exact if "exact" in name else operators.sampled
            temperature = TEMPERATURE if "beta" in name else 0.0
            found = g.curve(scheme, model, mdps, keys, ITERATIONS, temperature)
            rows += [{"scheme": name, **row} for row in found]
    return rows


def draw(rows: list[Row], path: Path) -> None:
    """Draws the curves on logarithmic axes, with two standard errors as a band."""
    from experiments.reporting import log_plots

    panels = {
        title: [
            log_plots.line(
                name.removeprefix("exact "),
                [row for row in rows if row["scheme"] == name],
                x="iteration",
                y="error",
            )
            for name in names
        ]
        for title, names in PANELS.items()
    }
    log_plots.save_policy_errors(path, panels)


COMPUTATION = Computation(
    name="leverage/garnet",
    description="value iteration under sampling noise, averaged or not: 100 Garnets",
    compute=compute,
    draw=draw,
)
