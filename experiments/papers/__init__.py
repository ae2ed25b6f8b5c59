"""One module per paper; importing them stays cheap.

A module imports JAX, numpy and matplotlib inside its functions only. `garnets` and
`hard_linear` are no papers: they hold what computed figures compute with.
"""
