"""One module per paper; importing a paper's module is cheap.

A paper's module imports JAX, numpy and matplotlib only inside its functions. `garnets`
and `hard_linear` are not papers: they hold code that computed figures call.
"""
