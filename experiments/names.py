"""All that `list` and `train` know by name: experiments, figures, computations."""

from experiments.catalogue import experiments
from experiments.catalogue.computation import Computation
from experiments.catalogue.figure import Figure
from experiments.papers import (
    conservative_garnet,
    deep_cpi,
    dvw,
    leverage,
    leverage_garnet,
    mdvi_garnet,
    momentum,
    munchausen,
    offline,
    vwls_linear,
)
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

EXPERIMENTS: dict[str, Experiment] = experiments.EXPERIMENTS | VARIANTS


COMPUTATIONS: dict[str, Computation] = {
    module.COMPUTATION.name: module.COMPUTATION
    for module in (leverage_garnet, mdvi_garnet, vwls_linear, conservative_garnet)
}
