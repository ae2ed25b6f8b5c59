"""Strict JAX flags for every test, and fixtures that all of them may use."""

import os

# Before JAX is imported, and inherited by the processes that tests start.
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"

import jax
import pytest


@pytest.fixture
def key() -> jax.Array:
    """A fresh random key; equal in every test."""
    return jax.random.key(0)
