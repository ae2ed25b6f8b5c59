"""Small decoders and prompts for tests; sizes are odd and mutually different."""

import jax
import jax.numpy as jnp
import numpy as np

from agents.parts.language import transformer
from agents.parts.language.sequences import EOS, PAD

V = 13
# Every feature of both Gemmas at once: local and global layers, caps, QK-norm, factor.
CONFIG = transformer.Config(
    vocabulary=V,
    width=12,
    layers=2,
    heads=6,
    kv_heads=3,
    head=4,
    hidden=10,
    window=3,
    pattern=2,
    attention_cap=2.0,
    final_cap=5.0,
    base_local=30.0,
    base_global=500.0,
    scale_global=4.0,
    query_scalar=7.0,
    epsilon=1e-3,
)


def random_params(config=CONFIG, seed=0):
    """Random parameters; norms as well, since zeros would hide errors."""
    params = transformer.init(jax.random.key(seed), config)
    leaves, structure = jax.tree.flatten(params)
    rng = np.random.default_rng(seed)
    noisy = [leaf + 0.3 * rng.normal(size=leaf.shape) for leaf in leaves]
    return jax.tree.unflatten(structure, [jnp.float32(leaf) for leaf in noisy])


def padded(rows, columns):
    """Token lists as rows of `columns` columns."""
    return jnp.array([row + [PAD] * (columns - len(row)) for row in rows], jnp.int32)


# Ragged: from one token to all columns; completions with EOS, one of them only EOS.
PROMPTS = padded([[4, 5, 6], [7], [8, 9, 10, 11, 12], [5, 5], [6, 4, 12, 3]], 5)
COMPLETIONS = padded(
    [[9, 8, EOS], [EOS], [4, 4, 7, 6, 5, 9, EOS], [3, 11, 12, EOS], [10, EOS]], 7
)
LENGTHS = [3, 1, 7, 4, 2]
