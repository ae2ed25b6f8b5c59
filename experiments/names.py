"""Every name that `list` and `train` know: experiments, figures, grids, computations.

A paper's module is imported only when one of its names is looked up, or when all names
are listed.
"""

import functools
import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from experiments.catalogue import experiments
from experiments.catalogue.experiments import Named
from experiments.catalogue.lazy import Joined, Lazy
from launch.experiment import Experiment

if TYPE_CHECKING:  # otherwise late: a single experiment needs neither
    from experiments.catalogue.computation import Computation
    from experiments.catalogue.figure import Figure
    from experiments.catalogue.grid import Grid

__all__ = ["COMPUTATIONS", "EXPERIMENTS", "FIGURES", "GRIDS", "NAMED", "VARIANTS"]

Value = TypeVar("Value")

# Modules in `experiments.papers` by the first part of their figures' names.
_FIGURES = {
    "leverage": "leverage",
    "munchausen": "munchausen",
    "momentum": "momentum",
    "cpi": "deep_cpi",
    "dvw": "dvw",
    "offline": "offline",
    "gkd": "gkd",
    "teacher_hacking": "teacher_hacking",
    "f_divergence": "f_divergence",
    "inverse_rl": "inverse_rl",
    "warp": "warp",
    "bond": "bond",
    "jbond": "bond",
    "rlef": "rlef",
}

# Modules in `experiments.papers` by the name of their grid.
_GRIDS = {
    "leverage/cartpole_grid": "leverage",
    "leverage/lunarlander_grid": "leverage",
    "leverage/asterix_grid": "leverage",
}

# Modules in `experiments.papers` by the name of their computation.
_COMPUTATIONS = {
    "leverage/garnet": "leverage_garnet",
    "mdvi/garnet": "mdvi_garnet",
    "vwls/linear": "vwls_linear",
    "cpi/garnet": "conservative_garnet",
    "politex/garnet": "politex_garnet",
    "dvw/maze_generative": "dvw_maze",
}


def _paper(module: str) -> Any:
    return importlib.import_module(f"experiments.papers.{module}")


def _computation(module: str) -> "Computation":
    return _paper(module).COMPUTATION


def _grid(name: str) -> "Grid":
    return _paper(_GRIDS[name]).GRIDS[name]


class _OfFigures(Mapping[str, Value]):
    """Joins one mapping per figure over all papers, by names like `<paper>/<name>`.

    Args:
        of: the mapping of one figure, such as its variants by name.
    """

    def __init__(self, of: Callable[["Figure"], Mapping[str, Value]]):
        self._of = of

    def _of_paper(self, paper: str) -> Mapping[str, Value]:
        if paper not in _FIGURES:
            return {}
        figures = _paper(_FIGURES[paper]).FIGURES
        return Joined(
            *(self._of(each) for each in figures if each.name.startswith(f"{paper}/"))
        )

    def __getitem__(self, name: str) -> Value:
        return self._of_paper(name.partition("/")[0])[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._of_paper(name.partition("/")[0])

    def __iter__(self) -> Iterator[str]:
        for paper in _FIGURES:
            yield from self._of_paper(paper)

    def __len__(self) -> int:
        return sum(len(self._of_paper(paper)) for paper in _FIGURES)


# Experiments as `list` shows them: not built yet.
NAMED: Mapping[str, Named] = Joined(
    experiments.NAMED,
    _OfFigures(lambda figure: figure.variants),
    experiments.OF_USERS,
)

FIGURES: Mapping[str, "Figure"] = _OfFigures(lambda figure: {figure.name: figure})

VARIANTS: Mapping[str, Experiment] = _OfFigures(lambda figure: figure.experiments)

EXPERIMENTS: Mapping[str, Experiment] = Joined(
    experiments.EXPERIMENTS, VARIANTS, experiments.EXPERIMENTS_OF_USERS
)

GRIDS: Mapping[str, "Grid"] = Lazy(
    {name: functools.partial(_grid, name) for name in _GRIDS}
)

COMPUTATIONS: Mapping[str, "Computation"] = Lazy(
    {
        name: functools.partial(_computation, module)
        for name, module in _COMPUTATIONS.items()
    }
)
