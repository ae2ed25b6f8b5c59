"""Deep variance weighting in the maze, with a generative model, as its authors have it.

Section 7.2.1 of Kitamura et al., "Regularization and Variance-Weighted Regression
Achieves Minimax Optimality in Linear MDPs", ICML 2023,
https://arxiv.org/abs/2305.13185, with the settings of its code
(matsuolab/Deep-Variance-Weighting-Maze): 20 mazes with 3 seeds each, 3 or 10 samples of
each pair in each of 20,000 iterations. The gap is max |q* - q_pi| / max q*.

A full run takes 47 minutes on one CPU core, 93 if it is weighted by learned variances:
`--mazes 1 --first_maze 7 --seeds 1 --iterations 2_000` does a part, `--schemes
"DQN,f* DQN"` two of the six. `--at_once 60` runs
so many side by side, for a GPU. Each gap is written as soon as it is computed.
`munchausen train --resume DIRECTORY` continues after the last gap that was computed.

Deviations:
- The targets' discount is .99: the authors' runs have it, the paper has .995. This and
  other settings are those of their result files, not of their released code; see
  `agents/tabular/fitted.py`.
- The mazes are the authors', cell by cell. So are the observations and first weights,
  of which the authors' runs, in all mazes and with all seeds, share one draw; with
  `--reference_draws false` each run has its own. The samples of next states are others.
- All schemes share their draws, so that they see equal noise.
"""

import collections
import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.catalogue.computation import Computation, Row
from experiments.catalogue.unfinished import Unfinished

if TYPE_CHECKING:  # otherwise late: JAX is slow to import
    from agents.tabular.fitted import Config

# The authors' coefficients: KL gamma 1e-5 / (1 - gamma), entropy 1e-5.
_PENALTIES = {"temperature": 2e-3, "munchausen": 0.995}
SCHEMES: dict[str, dict[str, Any]] = {
    "DQN": {},
    "DVW DQN": {"weighting": "learned"},
    "f* DQN": {"weighting": "ideal"},
    "M-DQN": _PENALTIES,
    "DVW M-DQN": {"weighting": "learned", **_PENALTIES},
    "f* M-DQN": {"weighting": "ideal", **_PENALTIES},
}
FEATURES = 5  # numbers of an observation
SIZE = 25  # cells along a side of a maze


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is computed; the defaults are the authors'.

    Attributes:
        mazes: number of mazes.
        first_maze: number of the first, from 1 on.
        seeds: runs in each maze.
        iterations: of a run, each with 100 gradient steps; a multiple of points.
        points: of each curve, after the first.
        samples: next states of each pair in an iteration.
        schemes: which of the six.
        discount: of the learners' targets; 0.99 as in the authors' runs, 0.995 as in
            the paper. The mazes, q* and the gap have 0.995.
        least_weight: of a pair, if weights are learned; 0.1 as in the authors' runs.
        at_once: runs side by side in one program, for a GPU.
        reference_draws: whether all runs have the observations and first weights of
            the authors' runs; else each has its own.
    """

    mazes: int = 20
    first_maze: int = 1
    seeds: int = 3
    iterations: int = 20_000
    points: int = 100
    samples: tuple[int, ...] = (3, 10)
    schemes: tuple[str, ...] = tuple(SCHEMES)
    discount: float = 0.99
    least_weight: float = 0.1
    at_once: int = 1
    reference_draws: bool = True

    def __post_init__(self) -> None:
        self._check_numbers()
        if not self.samples:
            raise ValueError("must have at least one number")
        unknown = [name for name in self.schemes if name not in SCHEMES]
        if unknown or not self.schemes:
            raise ValueError(
                f"schemes must be some of {', '.join(SCHEMES)}, got "
                f"{', '.join(unknown) or 'none'}"
            )
        if self.iterations % self.points:
            raise ValueError(
                f"must be a multiple of the points, got {self.iterations} iterations "
                f"and {self.points} points"
            )

    def _check_numbers(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            for each in value if isinstance(value, tuple) else (value,):
                if isinstance(each, int) and not isinstance(each, bool) and each < 1:
                    raise ValueError(f"must be at least 1, got {each}")
        for name in ("discount", "least_weight"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be in [0, 1), got {getattr(self, name)}")


_RUN = ("samples", "scheme", "maze", "run")  # columns that tell the runs apart


def _run(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in _RUN)


def finished(settings: Settings, rows: list[Row]) -> list[Row]:
    """The rows of the runs that have all their points."""
    counts = collections.Counter(map(_run, rows))
    return [row for row in rows if counts[_run(row)] == settings.points + 1]


def compute(
    seed: int,
    settings: Settings,
    done: Iterable[Row] = (),
    unfinished: Unfinished | None = None,
) -> Iterator[Row]:
    """Computes the gap of each scheme in each maze over iterations.

    Args:
        seed: of observations, initial weights and samples.
        settings: which mazes, schemes and iterations are computed.
        done: rows of the runs that need not be computed.
        unfinished: saves the state of each run; a saved run continues from there.

    Yields:
        Rows of scheme, samples, maze, run, iteration and gap.
    """
    from agents.tabular import fitted

    places = itertools.product(
        range(settings.first_maze, settings.first_maze + settings.mazes),
        range(settings.seeds),
    )
    chunks = list(_chunks(list(places), settings.at_once))
    distance = settings.iterations // settings.points
    known = set(map(_run, done))
    for samples, together, scheme in itertools.product(
        settings.samples, chunks, settings.schemes
    ):
        chunk = [each for each in together if (samples, scheme, *each) not in known]
        if not chunk:
            continue
        config = fitted.Config(
            samples=samples,
            discount=settings.discount,
            weight_floor=settings.least_weight,
            **SCHEMES[scheme],
        )
        found = _gaps(seed, chunk, config, settings, unfinished)
        for point, gaps in enumerate(found):
            for (maze, run), gap in zip(chunk, gaps, strict=True):
                yield {
                    "scheme": scheme,
                    "samples": samples,
                    "maze": maze,
                    "run": run,
                    "iteration": point * distance,
                    "gap": float(gap),
                }


def _chunks(
    places: list[tuple[int, int]], size: int
) -> Iterator[list[tuple[int, int]]]:
    for start in range(0, len(places), size):
        yield places[start : start + size]


def _gaps(
    seed: int,
    places: list[tuple[int, int]],
    config: "Config",
    settings: Settings,
    unfinished: Unfinished | None,
) -> Iterator[Any]:
    """Yields `[N]` gaps of some mazes and runs for each point, as they are computed.

    The gaps of a saved run are read from its file; the next follow from its state.
    """
    import jax.numpy as jnp

    from agents.tabular import fitted

    key, process, seen, params = _inputs(seed, places, config, settings)
    name = f"{seed} {places} {config} {settings}"
    earlier = None
    if unfinished is not None:
        earlier = unfinished.load(name, fitted.start(params, config))
    values = [] if earlier is None else [*earlier.values]
    yield from values
    for gap, state in fitted.gaps(
        key,
        process,
        seen,
        params,
        config=config,
        iterations=settings.iterations,
        points=settings.points,
        after=None if earlier is None else (len(values) - 1, earlier.state),
    ):
        values.append(jnp.atleast_1d(gap))
        if unfinished is not None:
            unfinished.save(name, values, state)
        yield values[-1]


def _inputs(
    seed: int, places: list[tuple[int, int]], config: "Config", settings: Settings
) -> Any:
    """Key, process, observations and first parameters of a run, or of N stacked."""
    import jax
    import jax.numpy as jnp

    from agents.tabular import maze as mazes

    start = jax.random.key(seed)

    def inputs(maze: int, run: int) -> Any:
        key = jax.random.fold_in(jax.random.fold_in(start, maze), run)
        process = mazes.maze(mazes.reference_tiles(maze))
        drawn = draws(None if settings.reference_draws else key, config)
        return key, process, *drawn

    made = [inputs(*place) for place in places]
    if len(made) == 1:  # a batch of one is slower on a CPU
        return made[0]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *made)


def draws(key: Any, config: "Config") -> tuple[Any, dict[str, Any]]:
    """`[625, 5]` observations and the first parameters; without a key the authors'.

    The authors number states by columns first, and their version of JAX drew random
    numbers in the order that is now called not partitionable.
    """
    import jax

    from agents.tabular import fitted
    from agents.tabular.maze import MOVES

    with jax.threefry_partitionable(key is not None):
        first = jax.random.key(0) if key is None else key
        seen = jax.random.normal(first, (SIZE, SIZE, FEATURES)).swapaxes(0, 1)
        params = fitted.first_parameters(first, FEATURES, len(MOVES), config)
    return seen.reshape(-1, FEATURES), params


def means(rows: Iterable[Row]) -> list[Row]:
    """Means over mazes and runs: scheme, samples, iteration, gap, standard_error, runs.

    The standard error is 0 of a single run.
    """
    import numpy as np

    gathered: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        key = (row["scheme"], row["samples"], row["iteration"])
        gathered.setdefault(key, []).append(float(row["gap"]))
    return [
        {
            "scheme": scheme,
            "samples": samples,
            "iteration": iteration,
            "gap": float(np.mean(values)),
            "standard_error": float(
                np.std(values, ddof=1) / np.sqrt(len(values)) if values[1:] else 0.0
            ),
            "runs": len(values),
        }
        for (scheme, samples, iteration), values in gathered.items()
    ]


def draw(rows: list[Row], path: Path) -> None:
    """Draws the mean gap over iterations, one panel for each number of samples."""
    from experiments.reporting import log_plots

    panels = log_plots.panels(
        means(rows),
        lambda row: (f"{row['samples']} samples of each pair", row["scheme"]),
        x="iteration",
        y="gap",
    )
    log_plots.save(
        path,
        panels,
        x_label="iteration, 100 gradient steps each",
        y_label="largest gap to q*, relative",
        lowest=1e-2,
        logarithmic_x=False,
    )


COMPUTATION = Computation(
    name="dvw/maze_generative",
    description="deep variance weighting in 20 mazes, all pairs sampled at once",
    compute=compute,
    draw=draw,
    settings=Settings(),
    finished=finished,
)
