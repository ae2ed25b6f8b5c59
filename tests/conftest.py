"""Strict JAX flags for every test, and fixtures that all of them may use."""

import os

# Before JAX is imported, and inherited by the processes that tests start.
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"

import jax
import pytest


@pytest.fixture(scope="session", autouse=True)
def compilation_cache(tmp_path_factory):
    """Programs compiled once serve all workers, and the processes that tests start."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    settings = {
        "jax_compilation_cache_dir": str(root / "compiled"),
        "jax_persistent_cache_min_compile_time_secs": 0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    for name, value in settings.items():
        jax.config.update(name, value)
        os.environ[name.upper()] = str(value)


@pytest.fixture(scope="module", autouse=True)
def forget_compiled():
    """Compiled programs of one test file do not fill the memory of the next."""
    yield
    jax.clear_caches()


@pytest.fixture
def key() -> jax.Array:
    """A fresh random key; equal in every test."""
    return jax.random.key(0)
