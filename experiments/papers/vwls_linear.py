"""VWLS-MDVI on hard linear MDPs, against unweighted and ideally weighted regression.

Section 7.1 of Kitamura et al., "Regularization and Variance-Weighted Regression
Achieves Minimax Optimality in Linear MDPs", ICML 2023,
https://arxiv.org/abs/2305.13185, with the settings of its notebook: 100 hard MDPs of 2
states, 30 actions and 4 features, gamma 0.9, alpha = gamma, (M, K) = (100, 1000) and
(1000, 100). VWLS runs a fifth of the iterations unweighted, estimates the variance from
M_sigma pairs of next states, and starts again. The gap is max_s |v* - v_pi| / v*.

Deviations:
- Weighted least squares has 1 / f^2 on both sides. Schemes named `notebook` have 1 / f
  in G_f, as in the released code; see `agents.tabular.linear`.
- On these MDPs f* is nearly constant over the actions of state 0, and state 1 has a
  separate feature without noise. So least squares barely depends on f, and VWLS behaves
  as f = 1 restarted after a fifth of the iterations.
- `samples` counts every next state that is used: M of each core pair in an iteration,
  and 2 M_sigma for the variance; the notebook counts M_sigma once for all pairs.
- Each (M, K) has its own 100 MDPs and noise, shared by all schemes.
"""

from pathlib import Path

from experiments.catalogue.computation import Computation, Row

MDPS = 100
SETTINGS = ((100, 1000), (1000, 100))  # (M, K)
VARIANCES = (("VWLS, 100,000 pairs", 100_000), ("VWLS, 5,000 pairs", 5_000))  # M_sigma
FIRST_SHARE = 0.2  # share of the K iterations that VWLS runs unweighted
POINTS = 50  # points of each curve


def compute(
    seed: int,
    mdps: int = MDPS,
    settings: tuple[tuple[int, int], ...] = SETTINGS,
    variances: tuple[tuple[str, int], ...] = VARIANCES,
) -> list[Row]:
    """Computes the gap of every scheme at up to `POINTS` of its iterations.

    Args:
        seed: of the MDPs and of the samples.
        mdps: number of MDPs to average over.
        settings: pairs of M, the samples of a pair in an iteration, and K, the number
            of iterations.
        variances: name and M_sigma of each VWLS variant.

    Returns:
        Rows of scheme, samples_per_pair (M), iterations (K), iteration, samples (used
        so far, mean over MDPs), gap (mean over MDPs), standard_error and mdps.
    """
    import jax

    from agents.parts.double_precision import double_precision
    from experiments.papers import garnets, hard_linear

    rows = []
    with double_precision():
        keys = jax.random.split(jax.random.key(seed), (len(settings), mdps))
        for setting_keys, (samples, iterations) in zip(keys, settings, strict=True):
            found = hard_linear.gaps(
                setting_keys,
                samples=samples,
                iterations=iterations,
                first=round(FIRST_SHARE * iterations),
                variances=variances,
            )
            chosen = {-(-k * iterations // POINTS) for k in range(1, POINTS + 1)}
            for name, (gaps, used) in found.items():
                means, errors = garnets.summary(gaps)
                rows += [
                    {
                        "scheme": name,
                        "samples_per_pair": samples,
                        "iterations": iterations,
                        "iteration": k,
                        "samples": float(used[:, k - 1].mean()),
                        "gap": means[k - 1],
                        "standard_error": errors[k - 1],
                        "mdps": mdps,
                    }
                    for k in sorted(chosen)
                ]
    return rows


def draw(rows: list[Row], path: Path) -> None:
    """Draws the gap over iterations, one panel for each (M, K)."""
    from experiments.reporting import log_plots

    def place(row: Row) -> tuple[str, str]:
        m, k = row["samples_per_pair"], row["iterations"]
        return f"M = {m} samples of a pair, K = {k}", row["scheme"]

    panels = log_plots.panels(rows, place, x="iteration", y="gap")
    log_plots.save(
        path,
        panels,
        x_label="iteration",
        y_label="largest gap to v*, relative",
        lowest=1e-5,
        logarithmic_x=False,
    )


COMPUTATION = Computation(
    name="vwls/linear",
    description="variance-weighted least squares on 100 hard linear MDPs",
    compute=compute,
    draw=draw,
)
