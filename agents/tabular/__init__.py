"""The theory papers: dynamic programming on finite MDPs, in pure JAX."""
