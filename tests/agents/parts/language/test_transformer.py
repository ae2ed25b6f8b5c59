"""The decoder: against a second implementation, its cache, and each of its settings."""

import dataclasses
import functools
import itertools
import math
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts.language import transformer
from tests.agents.parts.language.decoders import CONFIG, PROMPTS, V, random_params

TOKENS = np.random.default_rng(5).integers(3, V, (2, 11))


@functools.partial(jax.jit, static_argnums=1)
def all_logits(params, config, tokens):
    return transformer.logits(
        params, config, transformer.hidden(params, config, tokens)
    )


def norm(x, w, epsilon):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * (1 + w)


def rotated(x, position, base, scale):
    """Pairs as complex numbers, turned by position / scale * base^(-2i/H)."""
    half = len(x) // 2
    turn = position / scale * base ** (-2 * np.arange(half) / len(x))
    z = (x[:half] + 1j * x[half:]) * np.exp(1j * turn)
    return np.concatenate([z.real, z.imag])


def cap(x, limit):
    return limit * np.tanh(x / limit) if limit else x


def attended(config, layer, states, kind):
    """Attention of one sequence, one head and one query at a time."""
    base = config.base_global if kind else config.base_local
    scale = config.scale_global if kind else 1.0
    groups = config.heads // config.kv_heads
    result = np.zeros((len(states), config.heads, config.head_size))
    for head in range(config.heads):
        of_head = layer["qkv"][:, head // groups]
        queries = states @ of_head[:, head % groups]
        keys, values = states @ of_head[:, -2], states @ of_head[:, -1]
        if config.qk_norm:
            queries = norm(queries, layer["query_norm"], config.epsilon)
            keys = norm(keys, layer["key_norm"], config.epsilon)
        for t in range(len(states)):
            first = 0 if kind else max(0, t + 1 - config.window)
            seen = range(first, t + 1)
            query = rotated(queries[t], t, base, scale) * config.query_scale
            scores = [query @ rotated(keys[s], s, base, scale) for s in seen]
            weights = np.exp(cap(np.array(scores), config.attention_cap))
            result[t, head] = weights @ values[first : t + 1] / weights.sum()
    return result.reshape(len(states), -1) @ layer["output"]


def gelu(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def second_implementation(params, config, tokens):
    """Logits of one sequence, in numpy and double precision."""
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    x = params["embed"][tokens] * math.sqrt(config.width)
    for i, layer in enumerate(params["layers"]):
        normed = lambda x, name: norm(x, layer[name], config.epsilon)  # noqa: B023, E731
        kind = (i + 1) % config.pattern == 0
        heads = attended(config, layer, normed(x, "attention_norm"), kind)
        x = x + normed(heads, "attention_post_norm")
        inside = normed(x, "mlp_norm")
        gate, up = (inside @ layer["gate_up"][:, part] for part in (0, 1))
        x = x + normed((gelu(gate) * up) @ layer["down"], "mlp_post_norm")
    return cap(
        norm(x, params["norm"], config.epsilon) @ params["embed"].T, config.final_cap
    )


GEMMA2_LIKE = dataclasses.replace(
    CONFIG, qk_norm=False, scale_global=1.0, head=6, heads=4, kv_heads=4, pattern=1
)


@pytest.mark.parametrize("config", [CONFIG, GEMMA2_LIKE])
def test_logits_are_those_of_a_second_implementation(config):
    params = random_params(config)
    found = all_logits(params, config, TOKENS)
    assert found.shape == (2, 11, V) and found.dtype == jnp.float32
    for row, tokens in zip(found, TOKENS, strict=True):
        wanted = second_implementation(params, config, tokens)
        np.testing.assert_allclose(row, wanted, atol=2e-5)


def test_decoding_with_a_cache_is_the_parallel_pass():
    params = random_params()
    step = jax.jit(lambda *arguments: transformer.step(params, CONFIG, *arguments))
    cache = transformer.init_cache(CONFIG, batch=2, length=11)
    columns = []
    for t in range(11):
        logits, cache = step(TOKENS[:, t], t, cache)
        columns.append(logits)
    wanted = all_logits(params, CONFIG, TOKENS)
    np.testing.assert_allclose(jnp.stack(columns, axis=1), wanted, atol=1e-5)
    assert int(cache.used) == 11


def test_ragged_prompts_read_in_parallel_continue_each_at_its_own_column():
    """One step after the prompts: as the parallel pass of each row without padding."""
    params = random_params()
    lengths, token = np.array([3, 1, 5, 2, 4]), np.array([6, 7, 8, 9, 10])

    @jax.jit
    def after_prompts(params):
        states, cache = transformer.prefill(params, CONFIG, PROMPTS, lengths, slots=8)
        return states, transformer.step(params, CONFIG, token, lengths, cache)[0]

    states, logits = after_prompts(params)
    text = np.pad(PROMPTS, ((0, 0), (0, 1)))
    text[np.arange(5), lengths] = token
    wanted = all_logits(params, CONFIG, text)[np.arange(5), lengths]
    np.testing.assert_allclose(logits, wanted, atol=1e-5)
    assert states.shape == (5, 5, 12)


def test_each_layer_has_random_numbers_that_no_other_has():
    """Matrices keep the variance of their inputs; norms begin at 0."""
    config = transformer.Config(7, width=64, layers=3, heads=4, kv_heads=2, hidden=40)
    params = transformer.init(jax.random.key(5), config)
    fan_in = {"qkv": 64, "output": 64, "gate_up": 64, "down": 40}
    for name, inputs in fan_in.items():
        drawn = np.stack([layer[name] for layer in params["layers"]])
        for one, other in itertools.combinations(drawn, 2):
            assert np.mean(one == other) < 0.01, name
        assert drawn.std(axis=tuple(range(1, drawn.ndim))) == pytest.approx(
            [inputs**-0.5] * 3, rel=0.05
        )
    norms = [v for layer in params["layers"] for n, v in layer.items() if "norm" in n]
    assert not np.any(np.concatenate(norms))


def test_later_columns_change_nothing():
    params = random_params()
    longer = np.concatenate([TOKENS, np.zeros((2, 4), int)], axis=1)
    np.testing.assert_allclose(
        all_logits(params, CONFIG, longer)[:, :11],
        all_logits(params, CONFIG, TOKENS),
        atol=1e-5,
    )


# Settings that change the logits although the parameters stay.
OTHER_VALUES = {
    "window": 4,
    "pattern": 3,
    "attention_cap": 4.0,
    "final_cap": 4.0,
    "qk_norm": False,
    "base_local": 40.0,
    "base_global": 400.0,
    "scale_global": 2.0,
    "query_scalar": 9.0,
    "epsilon": 1e-2,
    "dtype": "bfloat16",
}
# Settings that change the shapes of parameters.
OTHER_SIZES = {
    "vocabulary": 15,
    "width": 14,
    "layers": 4,
    "heads": 3,
    "kv_heads": 2,
    "head": 6,
    "hidden": 11,
}


@pytest.mark.parametrize("field", OTHER_VALUES)
def test_a_setting_changes_the_logits(field):
    params = random_params()
    other = dataclasses.replace(CONFIG, **{field: OTHER_VALUES[field]})
    change = all_logits(params, CONFIG, TOKENS) - all_logits(params, other, TOKENS)
    assert np.abs(change).max() > 1e-3


@pytest.mark.slow
@pytest.mark.launchpad
def test_tensorflow_does_not_change_what_bfloat16_is():
    code = """
import tensorflow
import dataclasses
import jax.numpy as jnp
from agents.parts.language import transformer
from tests.agents.parts.language import decoders
config = dataclasses.replace(decoders.CONFIG, dtype="bfloat16")
states = transformer.hidden(decoders.random_params(), config, jnp.ones((1, 3), int))
assert states.dtype == jnp.bfloat16, states.dtype
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("field", OTHER_SIZES)
def test_a_size_changes_the_parameters(field):
    def shapes(config):
        params = jax.eval_shape(lambda: transformer.init(jax.random.key(0), config))
        return [leaf.shape for leaf in jax.tree.leaves(params)]

    other = dataclasses.replace(CONFIG, **{field: OTHER_SIZES[field]})
    assert shapes(CONFIG) != shapes(other)


def test_every_setting_is_tested():
    fields = {field.name for field in dataclasses.fields(transformer.Config)}
    assert fields == {*OTHER_VALUES, *OTHER_SIZES, "remat"}


def test_computing_layers_again_changes_no_gradient():
    params = random_params()

    @functools.partial(jax.jit, static_argnums=1)
    def gradient(params, config):
        return jax.grad(lambda p: jnp.sum(all_logits(p, config, TOKENS) ** 2))(params)

    again = dataclasses.replace(CONFIG, remat=True)
    kept, recomputed = gradient(params, CONFIG), gradient(params, again)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3),
        kept,
        recomputed,
    )
