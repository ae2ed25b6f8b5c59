"""Fixed completions of a teacher: a data set that nothing has to store."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts.language import distillation, transformer

V = 13
CONFIG = transformer.Config(vocabulary=V, width=6, layers=1, heads=1, kv_heads=1)
PAIR = distillation.Pair(student=CONFIG, teacher=CONFIG)


@pytest.fixture(scope="module")
def fixed():
    """Completions of two tokens by a teacher that takes all tokens equally often."""
    params = jax.tree.map(jnp.zeros_like, transformer.init(jax.random.key(0), CONFIG))

    @jax.jit
    def complete(prompts, key):
        reference = jnp.zeros((len(prompts), 2), jnp.int32)
        return PAIR.fixed_completions({"teacher": params}, key, prompts, reference)

    return complete


PLACES = np.arange(9**3)
PROMPTS = np.int32(
    np.stack([4 + PLACES // 81, 4 + PLACES // 9 % 9, 4 + PLACES % 9], axis=1)
)


def test_a_prompt_gets_the_same_completion_in_any_batch_and_at_any_time(fixed):
    found = fixed(PROMPTS, jax.random.key(0))
    assert found.tokens.shape == found.log_probs.shape == (729, 2)
    order = np.random.default_rng(0).integers(729, size=729)
    again = fixed(PROMPTS[order], jax.random.key(11))
    np.testing.assert_array_equal(again.tokens, found.tokens[order])


def test_completions_of_different_prompts_are_samples_of_the_teacher(fixed):
    tokens = np.asarray(fixed(PROMPTS, jax.random.key(0)).tokens[:, 0])
    expected = 729 / V
    counts = np.bincount(tokens, minlength=V)
    # Chi-squared with 12 degrees of freedom: above 32.9 once in a thousand.
    assert np.sum((counts - expected) ** 2) / expected < 32.9
