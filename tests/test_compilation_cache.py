"""The tests' own cache of compiled programs, which all workers write into at once."""

import warnings

import jax
import jax.numpy as jnp
import pytest
from jax.experimental.compilation_cache import compilation_cache


@pytest.fixture
def cut_short(tmp_path):
    """A new cache. Every entry is cut short, as a reader sees a file being written."""
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    compilation_cache.reset_cache()
    jax.jit(lambda x: 3 * x + 5)(jnp.ones(7)).block_until_ready()
    entries = list(tmp_path.glob("*-cache"))
    for entry in entries:
        entry.write_bytes(entry.read_bytes()[:-11])
    jax.clear_caches()
    yield entries
    jax.config.update("jax_compilation_cache_dir", before)
    compilation_cache.reset_cache()


def test_an_entry_that_another_worker_is_writing_fails_no_test(cut_short):
    assert cut_short
    result = jax.jit(lambda x: 3 * x + 5)(jnp.ones(7))
    assert result.tolist() == [8.0] * 7


def test_the_entry_was_indeed_unreadable(cut_short):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        jax.jit(lambda x: 3 * x + 5)(jnp.ones(7))
    assert any("persistent compilation cache" in str(w.message) for w in caught)
