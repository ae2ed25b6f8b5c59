"""One module per paper whose figures are computed; importing them stays cheap.

A module imports JAX, numpy and matplotlib inside its functions only.
"""

from experiments.papers import (
    conservative_garnet,
    leverage_garnet,
    mdvi_garnet,
    vwls_linear,
)
from experiments.papers.computation import Computation

COMPUTATIONS: dict[str, Computation] = {
    module.COMPUTATION.name: module.COMPUTATION
    for module in (leverage_garnet, mdvi_garnet, vwls_linear, conservative_garnet)
}
