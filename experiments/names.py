"""All that `list` and `train` know by name: experiments, figures, computations."""

from experiments import catalogue
from experiments.papers import (
    COMPUTATIONS,
    deep_cpi,
    dvw,
    leverage,
    momentum,
    munchausen,
    offline,
)
from experiments.papers.figure import Figure
from launch.experiment import Experiment

__all__ = ["COMPUTATIONS", "EXPERIMENTS", "FIGURES", "VARIANTS"]

_PAPERS = (leverage, munchausen, momentum, deep_cpi, dvw, offline)

FIGURES: dict[str, Figure] = {
    figure.name: figure for paper in _PAPERS for figure in paper.FIGURES
}

VARIANTS: dict[str, Experiment] = {
    name: experiment
    for figure in FIGURES.values()
    for name, experiment in figure.experiments.items()
}

EXPERIMENTS: dict[str, Experiment] = catalogue.EXPERIMENTS | VARIANTS
