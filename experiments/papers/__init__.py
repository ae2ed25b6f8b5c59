"""One module per paper; importing them stays cheap.

A module imports JAX, numpy and matplotlib inside its functions only.
"""
