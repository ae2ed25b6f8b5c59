"""Writes `config.json` of a Gemma checkpoint, with old and new names of keys.

So every Transformers that has these models reads the same decoder.
"""

from typing import Any

from agents.parts.language.sequences import EOS
from agents.parts.language.transformer import Config
from launch.errors import PretrainedError
from launch.pretrained import config_file

# Tokens that a model can read; no computation depends on it.
_CONTEXT = {"gemma2": 8_192, "gemma3_text": 131_072}
_ARCHITECTURE = {"gemma2": "Gemma2ForCausalLM", "gemma3_text": "Gemma3ForCausalLM"}


def encode(config: Config, eos: tuple[int, ...] = (EOS,)) -> dict[str, Any]:
    """What `config.json` must hold for a decoder.

    With QK-norm the model is a Gemma 3, without it a Gemma 2.

    Args:
        config: of the decoder.
        eos: ids that end a completion.

    Raises:
        PretrainedError: Transformers has no such model.
    """
    kind = "gemma3_text" if config.qk_norm else "gemma2"
    _check_expressible(config, kind)
    values = {
        "architectures": [_ARCHITECTURE[kind]],
        "model_type": kind,
        "dtype": "float32",
        "max_position_embeddings": _CONTEXT[kind],
        "layer_types": config_file.layer_types(config.layers, config.pattern),
        "eos_token_id": eos[0] if len(eos) == 1 else list(eos),
        **{
            key: allowed[0]
            for key, allowed in config_file.FIXED.items()
            if allowed[0] is not None
        },
        **{key: getattr(config, field) for key, field in config_file.INTEGERS.items()},
        "head_dim": config.head_size,
        "intermediate_size": config.hidden_size,
        "query_pre_attn_scalar": int(config.query_scalar) or config.head_size,
        "rms_norm_eps": config.epsilon,
        "attn_logit_softcapping": config.attention_cap or None,
        "final_logit_softcapping": config.final_cap or None,
        "rope_theta": config.base_global,
    }
    full: dict[str, Any] = {"rope_theta": config.base_global, "rope_type": "default"}
    if kind == "gemma2":
        return {**values, "rope_parameters": full}
    if config.scale_global != 1:
        scaling = {"rope_type": "linear", "factor": config.scale_global}
        full |= scaling
        values["rope_scaling"] = scaling
    sliding = {"rope_theta": config.base_local, "rope_type": "default"}
    return {
        **values,
        "sliding_window_pattern": config.pattern,
        "rope_local_base_freq": config.base_local,
        "rope_parameters": {"full_attention": full, "sliding_attention": sliding},
    }


def _check_expressible(config: Config, kind: str) -> None:
    wanted = [
        (
            "query_scalar",
            config.query_scalar,
            float(config.query_scalar).is_integer(),
            "an integer",
        ),
        (
            "width",
            config.width,
            config.width % config.heads == 0,
            f"a multiple of heads, {config.heads}",
        ),
    ]
    if kind == "gemma2":
        same = config.base_local == config.base_global
        base = f"equal to base_global, {config.base_global:g}, without qk_norm"
        wanted.append(("base_local", config.base_local, same, base))
        one = config.scale_global == 1
        wanted.append(("scale_global", config.scale_global, one, "1 without qk_norm"))
    for name, value, holds, rule in wanted:
        if not holds:
            raise PretrainedError(
                f"Transformers reads a decoder only if network.{name} is {rule}, "
                f"got {value:g}"
            )
