"""Names and shapes of a Gemma checkpoint's tensors, and how ours are made of them.

Hugging Face keeps each matrix apart, as `[out, in]`. Our decoder multiplies from the
other side, and keeps queries, keys and values together, and gate and up.

Letters: D width, F hidden units, V tokens, N query heads, K key-value heads, G = N / K,
H size of a head.
"""

import re
from collections.abc import Callable, Iterator

import numpy as np

from agents.parts.contract import NetworkParams
from agents.parts.language.transformer import Config

PREFIX = "model."
HEAD = "lm_head.weight"
EMBEDDING = f"{PREFIX}embed_tokens.weight"
# Parts of multimodal checkpoints that a text model does not have.
VISION = ("multi_modal_projector", "vision_tower")

_PREFIXES = re.compile(r"(model\.)?(language_model\.)?(model\.)?")
_NORMS = {
    "input_layernorm": "attention_norm",
    "post_attention_layernorm": "attention_post_norm",
    "pre_feedforward_layernorm": "mlp_norm",
    "post_feedforward_layernorm": "mlp_post_norm",
}
_QK_NORMS = {"self_attn.q_norm": "query_norm", "self_attn.k_norm": "key_norm"}


def plain(name: str) -> str:
    """A tensor's name as text models have it, from the name in any kind of file.

    Multimodal files put `language_model.` before, behind or in place of `model.`.
    """
    short = _PREFIXES.sub("", name, count=1)
    return short if short == HEAD or is_vision(short) else PREFIX + short


def is_vision(name: str) -> bool:
    """Whether a tensor belongs to the image encoder, by its plain name."""
    return name.split(".")[0] in VISION


def shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Shape of each tensor that a text checkpoint must have, by plain name."""
    d, f, h = config.width, config.hidden_size, config.head_size
    queries, keys = config.heads * h, config.kv_heads * h
    layer: dict[str, tuple[int, ...]] = {
        "self_attn.q_proj": (queries, d),
        "self_attn.k_proj": (keys, d),
        "self_attn.v_proj": (keys, d),
        "self_attn.o_proj": (d, queries),
        "mlp.gate_proj": (f, d),
        "mlp.up_proj": (f, d),
        "mlp.down_proj": (d, f),
        **dict.fromkeys(_NORMS, (d,)),
    }
    if config.qk_norm:
        layer |= dict.fromkeys(_QK_NORMS, (h,))
    found: dict[str, tuple[int, ...]] = {EMBEDDING: (config.vocabulary, d)}
    for i in range(config.layers):
        found |= {_in_layer(i, name): shape for name, shape in layer.items()}
    return {**found, f"{PREFIX}norm.weight": (d,)}


def _in_layer(i: int, name: str) -> str:
    return f"{PREFIX}layers.{i}.{name}.weight"


def gather(config: Config, read: Callable[[str], np.ndarray]) -> NetworkParams:
    """Our parameters from a checkpoint's tensors, each of which is read once.

    Args:
        config: of the decoder.
        read: `(plain name) -> tensor`, of the shape that `shapes` has for it.
    """

    def layer(i: int) -> dict[str, np.ndarray]:
        return _gather_layer(config, lambda name: read(_in_layer(i, name)))

    return {
        "embed": read(EMBEDDING),
        "layers": [layer(i) for i in range(config.layers)],
        "norm": read(f"{PREFIX}norm.weight"),
    }


def _gather_layer(
    config: Config, read: Callable[[str], np.ndarray]
) -> dict[str, np.ndarray]:
    def of_heads(name: str) -> np.ndarray:  # [D, K, G or 1, H]
        heads = (config.width, config.kv_heads, -1, config.head_size)
        return read(f"self_attn.{name}_proj").T.reshape(heads)

    norms = _NORMS | (_QK_NORMS if config.qk_norm else {})
    return {
        "qkv": np.concatenate([of_heads(name) for name in "qkv"], axis=2),
        "output": np.ascontiguousarray(read("self_attn.o_proj").T),
        "gate_up": np.stack([read(f"mlp.{x}_proj").T for x in ("gate", "up")], axis=1),
        "down": np.ascontiguousarray(read("mlp.down_proj").T),
        **{ours: read(theirs) for theirs, ours in norms.items()},
    }


def scatter(params: NetworkParams) -> Iterator[tuple[str, np.ndarray]]:
    """A checkpoint's tensors of our parameters, as pairs of plain name and tensor.

    They come one after the other, in float32, so that few are in memory.
    """
    yield EMBEDDING, _array(params["embed"])
    for i, layer in enumerate(params["layers"]):
        for name, tensor in _scatter_layer(layer):
            yield _in_layer(i, name), _array(tensor)
    yield f"{PREFIX}norm.weight", _array(params["norm"])


def _array(leaf: np.ndarray) -> np.ndarray:
    # The writer of files takes memory as it lies, without strides.
    return np.ascontiguousarray(leaf, dtype=np.float32)


def _scatter_layer(layer: NetworkParams) -> Iterator[tuple[str, np.ndarray]]:
    qkv = np.asarray(layer["qkv"])
    width = qkv.shape[0]
    parts = {"q": qkv[:, :, :-2], "k": qkv[:, :, -2], "v": qkv[:, :, -1]}
    for name, part in parts.items():
        yield f"self_attn.{name}_proj", part.reshape(width, -1).T
    yield "self_attn.o_proj", np.asarray(layer["output"]).T
    gate_up = np.asarray(layer["gate_up"])
    yield "mlp.gate_proj", gate_up[:, 0].T
    yield "mlp.up_proj", gate_up[:, 1].T
    yield "mlp.down_proj", np.asarray(layer["down"]).T
    for theirs, ours in (_NORMS | _QK_NORMS).items():
        if ours in layer:
            yield theirs, np.asarray(layer[ours])
