"""Conservative policy iteration on Garnets, with constant and with adaptive rates.

The schemes behind Vieillard et al., "Deep Conservative Policy Iteration", AAAI 2020,
https://arxiv.org/abs/1906.09784, which has no tabular figure. The Garnets are those of
"Leverage the Average" (30 states, 4 actions, 4 successors, gamma 0.9). Part `exact`
evaluates each policy exactly in the true MDP, starting at q of the uniform policy. Part
`sampled` does one step of value iteration with one sampled transition of every
state-action pair, from q_0 = 0. For adaptive rates the start-state distribution is
uniform. The error is ||q* - q_pi||_1 / ||q*||_1; `jitter` is the mean absolute change
of a Garnet's error from one iteration to the next, over the last half of the run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from experiments.catalogue.computation import Computation, Row

if TYPE_CHECKING:
    from agents.tabular.conservative import Rate

GARNETS = 100
ITERATIONS = 400
DISCOUNT = 0.9
CONSTANT = (1.0, 0.3, 0.1, 0.03, 0.01)
ADAPTIVE, SAFE = "adaptive (CPI)", "adaptive (SPI)"
SHOWN = (*range(1, 11), 13, 16, 20, 25, 32, 40, 50, 63, 79, 100, 126, 159, 200, 252)
SHOWN += (317, 400)


def rates() -> dict[str, Rate]:
    """The rates by name. A Garnet's rewards are in [0, 1], so R = 1."""
    import jax.numpy as jnp

    from agents.tabular import conservative
    from experiments.papers.garnets import STATES

    start = jnp.full(STATES, 1 / STATES)
    return {
        **{f"rate {rate:g}": conservative.constant(rate) for rate in CONSTANT},
        ADAPTIVE: conservative.adaptive(start, largest_reward=1.0),
        SAFE: conservative.safe(start),
    }


def compute(seed: int, garnets: int = GARNETS) -> list[Row]:
    """Computes the error of every rate at the iterations in `SHOWN`.

    Args:
        seed: of the Garnets and of the noise.
        garnets: number of Garnets to average over.

    Returns:
        Rows of part, scheme, iteration, error (mean over Garnets), standard_error,
        jitter (of the whole run) and garnets.
    """
    import numpy as np

    from agents.parts.double_precision import double_precision
    from agents.tabular import operators
    from agents.tabular.conservative import conservative_policy_iteration, start_values
    from experiments.papers import garnets as g

    rows = []
    with double_precision():
        mdps, keys = g.drawn(seed, garnets, DISCOUNT)
        parts = (
            ("exact", None, operators.exact, start_values),
            ("sampled", 1, operators.sampled, None),
        )
        for part, evaluations, model, first in parts:
            for name, rate in rates().items():
                scheme = conservative_policy_iteration(rate, evaluations=evaluations)
                every = range(1, ITERATIONS + 1)
                found = g.policies(scheme, model, mdps, keys, every, first=first)
                errors = np.asarray(g.relative_errors(mdps, found))
                jitter = np.abs(np.diff(errors[:, ITERATIONS // 2 :])).mean()
                means, spread = g.summary(errors)
                rows += [
                    {
                        "part": part,
                        "scheme": name,
                        "iteration": k,
                        "error": means[k - 1],
                        "standard_error": spread[k - 1],
                        "jitter": float(jitter),
                        "garnets": garnets,
                    }
                    for k in SHOWN
                ]
    return rows


def draw(rows: list[Row], path: Path) -> None:
    """Draws the error over iterations, without and with noise."""
    from experiments.reporting import log_plots

    titles = {"exact": "exact evaluation", "sampled": "one step, one sample"}
    panels = log_plots.panels(
        rows,
        lambda row: (titles[row["part"]], row["scheme"]),
        x="iteration",
        y="error",
    )
    log_plots.save_policy_errors(path, panels)


COMPUTATION = Computation(
    name="cpi/garnet",
    description="conservative policy iteration by rate: 100 Garnets",
    compute=compute,
    draw=draw,
)
