"""One module per paper whose figures are computed; importing them stays cheap.

A module imports JAX, numpy and matplotlib inside its functions only.
"""

from experiments.papers import leverage_garnet
from experiments.papers.computation import Computation

COMPUTATIONS: dict[str, Computation] = {
    computation.name: computation for computation in (leverage_garnet.COMPUTATION,)
}
