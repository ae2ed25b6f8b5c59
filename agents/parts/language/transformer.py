"""The decoder of Gemma 2 and Gemma 3, from one configuration.

Gemma Team, "Gemma 2: Improving Open Language Models at a Practical Size", 2024,
https://arxiv.org/abs/2408.00118, and "Gemma 3 Technical Report", 2025,
https://arxiv.org/abs/2503.19786. What the reports leave open (order of soft-cap and
mask, 1 + w in RMSNorm, halves in RoPE) is as in google-deepmind/gemma and in
Transformers, whose logits it reproduces.

Parameters are a dictionary: `embed` `[V, D]`, final `norm` `[D]`, and `layers`, a list
of dictionaries:

| name | shape | |
| --- | --- | --- |
| `qkv` | `[D, K, G + 2, H]` | of each key-value head: G query heads, key, value |
| `output` | `[N H, D]` | N = K G query heads |
| `gate_up` | `[D, 2, F]` | gate, then up |
| `down` | `[F, D]` | |
| `attention_norm`, `attention_post_norm`, `mlp_norm`, `mlp_post_norm` | `[D]` | w |
| `query_norm`, `key_norm` | `[H]` | w; only with `qk_norm` |

One product gives queries, keys and values, and one gives gate and up, because large
products are faster. Norms multiply by 1 + w.

Letters in shapes: B sequences, L columns, S slots of a cache, D width, F hidden units,
V tokens, K key-value heads, G query heads of each, H size of a head.
"""

import math
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from agents.parts import checks
from agents.parts.contract import NetworkParams
from agents.parts.language.architecture import GEMMA2, GEMMA3, Config

__all__ = ["GEMMA2", "GEMMA3", "Cache", "Config"]
__all__ += ["hidden", "init", "init_cache", "logits", "prefill", "step"]

_EMPTY = jnp.iinfo(jnp.int32).max  # position of a slot that holds nothing: never past
# Not by their names: TensorFlow, once imported, gives `bfloat16` to a type of its kind.
_DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


class Cache(NamedTuple):
    """Keys and values of the tokens so far.

    Slots are filled from the left, the same ones in all rows. A row's position in a
    slot is data, so rows whose prompts differ in length share the slots behind them.

    Attributes:
        layers: keys and values of each layer, `[B, K, S, H]` each.
        positions: `[B, S]` int32 of each slot's token.
        used: `[]` int32, slots filled so far.
    """

    layers: list[tuple[jax.Array, jax.Array]]
    positions: jax.Array
    used: jax.Array


def init(key: jax.Array, config: Config) -> NetworkParams:
    """Random parameters; matrices keep the variance of their inputs.

    Raises:
        InvalidSetting: the configuration has no vocabulary.
    """
    checks.at_least("network.vocabulary", config.vocabulary, 1)
    embed_key, *keys = jax.random.split(key, 1 + config.layers)
    shape = (config.vocabulary, config.width)
    # Each random array takes half a second to compile, so all layers share theirs.
    stacked = jax.vmap(lambda key: _init_layer(key, config))(jnp.stack(keys))
    return {
        "embed": _normal(embed_key, shape, fan_in=config.width),
        "layers": [
            jax.tree.map(lambda leaf, i=i: leaf[i], stacked)
            for i in range(config.layers)
        ],
        "norm": jnp.zeros(config.width),
    }


def _init_layer(key: jax.Array, config: Config) -> NetworkParams:
    d, f, h = config.width, config.hidden_size, config.head_size
    n, k = config.heads, config.kv_heads
    keys = jax.random.split(key, 4)
    layer = {
        "qkv": _normal(keys[0], (d, k, n // k + 2, h), fan_in=d),
        "output": _normal(keys[1], (n * h, d), fan_in=n * h),
        "gate_up": _normal(keys[2], (d, 2, f), fan_in=d),
        "down": _normal(keys[3], (f, d), fan_in=f),
    }
    for name in ("attention", "mlp"):
        layer |= {f"{name}_norm": jnp.zeros(d), f"{name}_post_norm": jnp.zeros(d)}
    if config.qk_norm:
        layer |= {"query_norm": jnp.zeros(h), "key_norm": jnp.zeros(h)}
    return layer


def _normal(key: jax.Array, shape: tuple[int, ...], fan_in: int) -> jax.Array:
    return jax.random.normal(key, shape) / math.sqrt(fan_in)


def hidden(params: NetworkParams, config: Config, tokens: jax.Array) -> jax.Array:
    """States before the logits, after the final norm: `[B, L] -> [B, L, D]`.

    A column sees itself and earlier columns only. So PAD on the right changes nothing.
    """
    chex.assert_rank(tokens, 2)
    positions = jnp.arange(tokens.shape[1])[None]
    return _apply(params, config, tokens, positions, positions)[0]


def logits(params: NetworkParams, config: Config, states: jax.Array) -> jax.Array:
    """Logits of the next token: `[..., D] -> [..., V]` float32."""
    embed = params["embed"].astype(_DTYPES[config.dtype])
    products = jax.lax.dot_general(
        states,
        embed,
        (((states.ndim - 1,), (1,)), ((), ())),
        preferred_element_type=jnp.float32,
    )
    return _soft_cap(products, config.final_cap)


def init_cache(config: Config, batch: int, length: int) -> Cache:
    """An empty cache of `length` slots for `batch` rows."""
    shape = (batch, config.kv_heads, length, config.head_size)
    empty = jnp.zeros(shape, _DTYPES[config.dtype])
    positions = jnp.full((batch, length), _EMPTY, jnp.int32)
    layers = [(empty, empty) for _ in range(config.layers)]
    return Cache(layers, positions, jnp.zeros((), jnp.int32))


def prefill(
    params: NetworkParams,
    config: Config,
    tokens: jax.Array,
    lengths: jax.Array,
    slots: int,
) -> tuple[jax.Array, Cache]:
    """Reads prompts in one parallel pass.

    Args:
        params: of the decoder.
        config: of the decoder.
        tokens: `[B, P]`, padded on the right.
        lengths: `[B]`, columns before the padding.
        slots: size of the cache, at least P.

    Returns:
        States `[B, P, D]`, and a cache whose first P slots are filled; those of
        padding are empty, so that no later token sees them.
    """
    chex.assert_rank([tokens, lengths], [2, 1])
    columns = jnp.arange(tokens.shape[1])[None]
    states, layers = _apply(params, config, tokens, columns, columns)
    known = jnp.where(columns < lengths[:, None], columns, _EMPTY)
    rest = slots - tokens.shape[1]
    grow = ((0, 0), (0, 0), (0, rest), (0, 0))
    return states, Cache(
        layers=[(jnp.pad(k, grow), jnp.pad(v, grow)) for k, v in layers],
        positions=jnp.pad(known, ((0, 0), (0, rest)), constant_values=_EMPTY),
        used=jnp.array(tokens.shape[1], jnp.int32),
    )


def step(
    params: NetworkParams,
    config: Config,
    token: jax.Array,
    position: jax.Array | int,
    cache: Cache,
) -> tuple[jax.Array, Cache]:
    """Reads one token of each row.

    Args:
        params: of the decoder.
        config: of the decoder.
        token: `[B]`.
        position: `[]`, or `[B]` where rows differ: the token's column in its row.
        cache: of the earlier tokens; it must have a free slot.

    Returns:
        Logits `[B, V]` of the next token, and the cache with this token.
    """
    chex.assert_rank(token, 1)
    row = jnp.broadcast_to(jnp.asarray(position, jnp.int32), token.shape)[:, None]
    positions = jax.lax.dynamic_update_slice(cache.positions, row, (0, cache.used))
    states, layers = _apply(params, config, token[:, None], row, positions, cache)
    new = Cache(layers, positions, cache.used + 1)
    return logits(params, config, states[:, 0]), new


def _apply(
    params: NetworkParams,
    config: Config,
    tokens: jax.Array,
    positions: jax.Array,
    key_positions: jax.Array,
    cache: Cache | None = None,
) -> tuple[jax.Array, list[tuple[jax.Array, jax.Array]]]:
    """States `[B, L, D]` of tokens `[B, L]`, and each layer's keys and values.

    Args:
        params: of the decoder.
        config: of the decoder.
        tokens: `[B, L]`.
        positions: `[B or 1, L]` of the tokens.
        key_positions: `[B or 1, S]` of what they may see; S = L without a cache.
        cache: of earlier tokens; its next slots get these tokens.
    """
    # All tokens are rows of one matrix: with more axes, XLA copies transposed
    # activations for the gradients of weights.
    x = params["embed"][tokens.reshape(-1)] * math.sqrt(config.width)
    x = x.astype(_DTYPES[config.dtype])
    age = positions[:, :, None] - key_positions[:, None]
    # By kind of layer: False is local, True is global.
    masks = {False: (age >= 0) & (age < config.window), True: age >= 0}
    rotations = {
        False: _rotation(config, positions, config.base_local, 1.0),
        True: _rotation(config, positions, config.base_global, config.scale_global),
    }
    block = jax.checkpoint(_block, static_argnums=0) if config.remat else _block
    kept = []
    for i, layer in enumerate(params["layers"]):
        kind = config.is_global(i)
        old = (*cache.layers[i], cache.used) if cache else None
        x, keys_and_values = block(config, layer, x, rotations[kind], masks[kind], old)
        kept.append(keys_and_values)
    states = _rms_norm(x, params["norm"], config.epsilon)
    return states.reshape(*tokens.shape, config.width), kept


def _block(
    config: Config,
    layer: NetworkParams,
    x: jax.Array,
    rotation: tuple[jax.Array, jax.Array],
    mask: jax.Array,
    cache: tuple[jax.Array, jax.Array, jax.Array] | None,
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    """One layer: `x` `[B L, D]` plus attention, plus the gated layer."""

    def normed(x: jax.Array, name: str) -> jax.Array:
        return _rms_norm(x, layer[name], config.epsilon)

    queries, keys, values = _queries_keys_values(
        config, layer, normed(x, "attention_norm"), rotation
    )
    if cache is not None:
        old_keys, old_values, slot = cache
        keys = jax.lax.dynamic_update_slice(old_keys, keys, (0, 0, slot, 0))
        values = jax.lax.dynamic_update_slice(old_values, values, (0, 0, slot, 0))
    attended = _attention(config, queries, keys, values, mask)
    attended = attended @ layer["output"].astype(_DTYPES[config.dtype])
    x = x + normed(attended, "attention_post_norm")
    gated = _gated(layer, normed(x, "mlp_norm"))
    return x + normed(gated, "mlp_post_norm"), (keys, values)


def _queries_keys_values(
    config: Config,
    layer: NetworkParams,
    x: jax.Array,
    rotation: tuple[jax.Array, jax.Array],
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Rotated queries `[B, K, G, L, H]` and keys, and values, `[B, K, L, H]`."""
    d, k, g2, h = layer["qkv"].shape
    every = x @ layer["qkv"].reshape(d, k * g2 * h).astype(x.dtype)
    length = rotation[0].shape[1]
    every = every.reshape(-1, length, k, g2, h).transpose(0, 2, 3, 1, 4)
    queries, keys, values = jnp.split(every, [g2 - 2, g2 - 1], axis=2)
    cos, sin = (part[:, None, None] for part in rotation)
    if config.qk_norm:
        queries = _rms_norm(queries, layer["query_norm"], config.epsilon)
        keys = _rms_norm(keys, layer["key_norm"], config.epsilon)
    queries = _rotate(queries, cos, sin) * config.query_scale
    return queries, _rotate(keys, cos, sin)[:, :, 0], values[:, :, 0]


def _attention(
    config: Config,
    queries: jax.Array,
    keys: jax.Array,
    values: jax.Array,
    mask: jax.Array,
) -> jax.Array:
    """Weighted values of all heads: `[B L, N H]`.

    The query heads of one key-value head share a product.
    """
    b, k, g, l, h = queries.shape  # noqa: E741
    scores = jnp.einsum(
        "bkqh,bksh->bkqs",
        queries.reshape(b, k, g * l, h),
        keys,
        preferred_element_type=jnp.float32,
    )
    scores = _soft_cap(scores.reshape(b, k, g, l, -1), config.attention_cap)
    scores = jnp.where(mask[:, None, None], scores, -jnp.inf)
    weights = jax.nn.softmax(scores).astype(_DTYPES[config.dtype])
    mixed = jnp.einsum("bkqs,bksh->bkqh", weights.reshape(b, k, g * l, -1), values)
    mixed = mixed.reshape(b, k, g, l, h).transpose(0, 3, 1, 2, 4)
    return mixed.reshape(b * l, k * g * h)


def _gated(layer: NetworkParams, x: jax.Array) -> jax.Array:
    """`(gelu(x gate) * (x up)) down`: `[B L, D] -> [B L, D]`."""
    d, _, f = layer["gate_up"].shape
    both = x @ layer["gate_up"].reshape(d, 2 * f).astype(x.dtype)
    gate, up = jnp.split(both, 2, axis=-1)
    gated = jax.nn.gelu(gate, approximate=True) * up
    return gated @ layer["down"].astype(x.dtype)


def _rms_norm(x: jax.Array, weight: jax.Array, epsilon: float) -> jax.Array:
    """RMSNorm over the last axis, in float32; multiplies by 1 + w."""
    wide = x.astype(jnp.float32)
    mean = jnp.mean(jnp.square(wide), axis=-1, keepdims=True)
    scale = jnp.expand_dims(1 + weight, tuple(range(x.ndim - 1)))
    return (wide * jax.lax.rsqrt(mean + epsilon) * scale).astype(x.dtype)


def _rotation(
    config: Config, positions: jax.Array, base: float, scale: float
) -> tuple[jax.Array, jax.Array]:
    """Cosines and sines of the rotary angles: `[B, L] -> [B, L, H / 2]` each."""
    half = config.head_size // 2
    frequencies = base ** (-jnp.arange(half) / half) / scale
    angles = positions[:, :, None] * frequencies[None, None]
    return jnp.cos(angles), jnp.sin(angles)


def _rotate(x: jax.Array, cos: jax.Array, sin: jax.Array) -> jax.Array:
    """Rotates the pairs (i, i + H / 2) of `[..., L, H]`."""
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    rotated = (first * cos - second * sin, second * cos + first * sin)
    return jnp.concatenate(rotated, axis=-1).astype(x.dtype)


def _soft_cap(x: jax.Array, cap: float) -> jax.Array:
    return cap * jnp.tanh(x / cap) if cap else x
