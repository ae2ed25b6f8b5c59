"""Rewards of completions: the logit of PAD after the last token."""

import jax
import jax.numpy as jnp
import numpy as np

from agents.parts.language import reward, transformer
from agents.parts.language.sequences import EOS, PAD

NETWORK = transformer.Config(9, width=12, layers=1, heads=2, kv_heads=1)
PROMPTS = jnp.array([[4, 5, PAD, PAD], [6, 4, 7, PAD], [8, 6, 5, 4], [7, 8, PAD, PAD]])
COMPLETIONS = jnp.array([[4, 5, 6], [EOS, 0, 0], [7, EOS, 0], [8, 8, EOS]])
LENGTHS = [(2, 3), (3, 1), (4, 2), (2, 3)]  # of prompts and completions


def test_rewards_are_those_of_each_sequence_without_padding():
    params = transformer.init(jax.random.key(3), NETWORK)
    found = jax.jit(lambda own: reward.rewards(own, NETWORK, PROMPTS, COMPLETIONS))
    rewards = found(params)
    assert rewards.shape == (4,)
    for row, (p, t) in enumerate(LENGTHS):
        tokens = jnp.concatenate([PROMPTS[row, :p], COMPLETIONS[row, :t]])[None]
        states = transformer.hidden(params, NETWORK, tokens)
        logits = transformer.logits(params, NETWORK, states)
        np.testing.assert_allclose(rewards[row], logits[0, -1, PAD], rtol=1e-5)


def test_tokens_after_the_end_do_not_matter():
    params = transformer.init(jax.random.key(3), NETWORK)
    rewards = reward.rewards(params, NETWORK, PROMPTS[1:2], jnp.array([[EOS, 7, 8]]))
    wanted = reward.rewards(params, NETWORK, PROMPTS[1:2], COMPLETIONS[1:2])
    np.testing.assert_array_equal(rewards, wanted)
