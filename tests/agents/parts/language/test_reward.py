"""Rewards of completions: how the logit of PAD after the last token has changed."""

import jax
import jax.numpy as jnp
import numpy as np

from agents.parts.language import reward, sampling, transformer
from agents.parts.language.sequences import EOS, PAD

NETWORK = transformer.Config(9, width=12, layers=1, heads=2, kv_heads=1)
PROMPTS = jnp.array([[4, 5, PAD, PAD], [6, 4, 7, PAD], [8, 6, 5, 4], [7, 8, PAD, PAD]])
COMPLETIONS = jnp.array([[4, 5, 6], [EOS, 0, 0], [7, EOS, 0], [8, 8, EOS]])
LENGTHS = [(2, 3), (3, 1), (4, 2), (2, 3)]  # of prompts and completions


PARAMS, FIRST = (transformer.init(jax.random.key(seed), NETWORK) for seed in (3, 4))


def test_rewards_are_those_of_each_sequence_without_padding():
    found = jax.jit(
        lambda own: reward.rewards(own, FIRST, NETWORK, PROMPTS, COMPLETIONS)
    )
    rewards = found(PARAMS)
    assert rewards.shape == (4,)
    for row, (p, t) in enumerate(LENGTHS):
        tokens = jnp.concatenate([PROMPTS[row, :p], COMPLETIONS[row, :t]])[None]
        new, old = (
            sampling.completion_logits(each, NETWORK, tokens, jnp.array([[EOS]]))
            for each in (PARAMS, FIRST)
        )
        wanted = new[0, 0, PAD] - old[0, 0, PAD]
        np.testing.assert_allclose(rewards[row], wanted, rtol=1e-4)
    np.testing.assert_allclose(found(FIRST), np.zeros(4), atol=1e-6)


def test_tokens_after_the_end_do_not_matter():
    after, none = (
        reward.rewards(PARAMS, FIRST, NETWORK, PROMPTS[1:2], jnp.array([tokens]))
        for tokens in ([EOS, 7, 8], [EOS, PAD, PAD])
    )
    np.testing.assert_array_equal(after, none)
