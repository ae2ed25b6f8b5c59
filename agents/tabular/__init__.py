"""What do the theory papers say? Dynamic programming on finite MDPs, pure JAX."""
