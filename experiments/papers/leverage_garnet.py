"""Sampled value iteration with and without averaging, on 100 Garnets.

Figure 1 of Vieillard et al., "Leverage the Average", NeurIPS 2020,
https://arxiv.org/abs/2003.14089, with the protocol of its Appendix D: Garnets of 30
states, 4 actions and 4 successors, gamma 0.9, one sampled transition of every pair in
each of 800 iterations. The error is ||q* - q_pi||_1 / ||q*||_1, where both are the
entropy-regularised ones for schemes with an entropy weight.

Deviations:
- All schemes see one noise sequence on each Garnet.
- pi_k is the policy that the k-th iteration evaluated.
- q_0 = 0; the paper says only that it is bounded by v_max.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.papers.computation import Computation, Row

if TYPE_CHECKING:
    from agents.tabular.schemes import Scheme

STATES, ACTIONS, BRANCHING, DISCOUNT = 30, 4, 4, 0.9
TEMPERATURE = 1e-3  # tau of the schemes with entropy
ITERATIONS = (*range(1, 11), 13, 16, 20, 25, 32, 40, 50, 63, 79, 100, 126, 159, 200)
ITERATIONS += (252, 317, 400, 504, 635, 800)
GARNETS = 100


def schemes() -> dict[str, tuple[Scheme, float, bool]]:
    """By name: the scheme, its entropy weight, and whether transitions are sampled."""
    from agents.tabular import schemes as s

    def mixed(forget: float) -> Scheme:
        kl_weight = TEMPERATURE * forget / (1 - forget)
        return s.dual_averaging(kl_weight, TEMPERATURE)

    return {
        "AVI": (s.value_iteration(), 0.0, True),
        "DA-VI(0.1, 0)": (s.dual_averaging(0.1, 0.0), 0.0, True),
        "DA-VI(1, 0)": (s.dual_averaging(1.0, 0.0), 0.0, True),
        "DA-VI(10, 0)": (s.dual_averaging(10.0, 0.0), 0.0, True),
        "MoVI": (s.momentum(), 0.0, True),
        "Speedy Q-learning": (s.speedy_q_learning(), 0.0, True),
        "DA-VI, beta 0": (mixed(0.0), TEMPERATURE, True),
        "DA-VI, beta 0.5": (mixed(0.5), TEMPERATURE, True),
        "DA-VI, beta 0.9": (mixed(0.9), TEMPERATURE, True),
        "DA-VI, beta 0.99": (mixed(0.99), TEMPERATURE, True),
        "exact AVI": (s.value_iteration(), 0.0, False),
        "exact DA-VI(1, 0)": (s.dual_averaging(1.0, 0.0), 0.0, False),
        "exact DA-VI(10, 0)": (s.dual_averaging(10.0, 0.0), 0.0, False),
    }


def compute(seed: int, garnets: int = GARNETS) -> list[Row]:
    """The error of every scheme along its iterations.

    Args:
        seed: of the Garnets and of the noise.
        garnets: how many to average over.

    Returns:
        Rows of scheme, iteration, error (mean over Garnets), standard_error and
        garnets.
    """
    import jax
    import numpy as np

    with jax.experimental.enable_x64():
        keys = jax.random.split(jax.random.key(seed), garnets)
        rows = []
        for name, (scheme, temperature, noisy) in schemes().items():
            errors = np.asarray(_errors(keys, scheme, temperature, noisy))
            spread = errors.std(axis=0, ddof=1) / garnets**0.5
            for iteration, mean, error in zip(
                ITERATIONS, errors.mean(axis=0), spread, strict=True
            ):
                rows.append(
                    {
                        "scheme": name,
                        "iteration": iteration,
                        "error": float(mean),
                        "standard_error": float(error),
                        "garnets": garnets,
                    }
                )
    return rows


def _errors(keys: Any, scheme: Scheme, temperature: float, noisy: bool) -> Any:
    """`[garnets, iterations]` normalised errors of the scheme."""
    import jax
    import jax.numpy as jnp

    from agents.tabular import operators, solvers
    from agents.tabular.mdp import garnet
    from agents.tabular.schemes import run

    chosen = jnp.array(ITERATIONS) - 1

    def one(key: jax.Array) -> jax.Array:
        mdp_key, noise_key = jax.random.split(key)
        mdp = garnet(mdp_key, STATES, ACTIONS, BRANCHING, discount=DISCOUNT)
        model = operators.sampled(mdp) if noisy else operators.exact(mdp)
        start = jnp.zeros((STATES, ACTIONS))
        states = run(scheme, model, noise_key, ITERATIONS[-1], start)
        best = solvers.optimal_action_values(mdp, temperature)

        def error(log_policy: jax.Array) -> jax.Array:
            q = solvers.soft_action_values(mdp, log_policy, temperature)
            return jnp.sum(jnp.abs(best - q)) / jnp.sum(jnp.abs(best))

        return jax.vmap(error)(states.log_policy[chosen])

    return jax.jit(jax.vmap(one))(keys)


def draw(rows: list[Row], path: Path) -> None:
    """The curves on logarithmic axes."""
    raise NotImplementedError


COMPUTATION = Computation(
    name="leverage/garnet",
    description="averaging under sampling noise, 100 Garnets",
    compute=compute,
    draw=draw,
)
