"""Reads `config.json` of a Gemma checkpoint as Transformers does.

Keys were renamed over time. A file may have the old names, the new ones, or both. A key
that changes what a decoder computes is refused if ours cannot compute that.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from agents.parts.checks import InvalidSetting
from agents.parts.language.sequences import BOS, EOS, PAD
from agents.parts.language.transformer import Config
from launch.errors import PretrainedError

CONFIG = "config.json"
# Has the end tokens of models that were tuned to follow instructions.
GENERATION = "generation_config.json"

# Integers that a field of `Config` takes as they are.
INTEGERS = {
    "vocab_size": "vocabulary",
    "hidden_size": "width",
    "intermediate_size": "hidden",
    "num_hidden_layers": "layers",
    "num_attention_heads": "heads",
    "num_key_value_heads": "kv_heads",
    "head_dim": "head",
    "sliding_window": "window",
}
_NUMBERS = {
    "query_pre_attn_scalar": "query_scalar",
    "rms_norm_eps": "epsilon",
    "attn_logit_softcapping": "attention_cap",
    "final_logit_softcapping": "final_cap",
}
# What a file means that lacks a key.
_BOTH = {
    "hidden_size": 2304,
    "intermediate_size": 9216,
    "num_hidden_layers": 26,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "sliding_window": 4096,
    "query_pre_attn_scalar": 256,
    "rms_norm_eps": 1e-6,
}
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "gemma2": {
        **_BOTH,
        "vocab_size": 256_000,
        "attn_logit_softcapping": 50.0,
        "final_logit_softcapping": 30.0,
        "rope_theta": 10_000.0,
        "sliding_window_pattern": 2,
    },
    "gemma3": {
        **_BOTH,
        "vocab_size": 262_208,
        "attn_logit_softcapping": None,
        "final_logit_softcapping": None,
        "rope_theta": 1_000_000.0,
        "rope_local_base_freq": 10_000.0,
        "sliding_window_pattern": 6,
    },
}
# Keys that change what is computed, with the only values that our decoder has. The
# first is also what a file without the key means.
FIXED: Mapping[str, tuple[Any, ...]] = {
    "hidden_activation": ("gelu_pytorch_tanh",),
    "attention_bias": (False,),
    "attention_dropout": (0, None),
    "tie_word_embeddings": (True,),
    "use_bidirectional_attention": (False, None),
    "quantization_config": (None,),
    "pad_token_id": (PAD, None),
    "bos_token_id": (BOS, None),
}
LAYER_TYPES = ("sliding_attention", "full_attention")


class Described(NamedTuple):
    """What a checkpoint's `config.json` says.

    Attributes:
        config: of the decoder; activations are float32.
        eos: ids that end a completion. Our generation ends at the first, 1.
        multimodal: whether the files have an image encoder as well.
    """

    config: Config
    eos: tuple[int, ...]
    multimodal: bool


def read(directory: Path) -> Described:
    """Reads the shape of a checkpoint's decoder.

    Args:
        directory: has `config.json`, and possibly `generation_config.json`.

    Raises:
        PretrainedError: there is none, or it describes another kind of model.
    """
    path = directory / CONFIG
    whole = read_json(path)
    kind = whole.get("model_type")
    if kind not in ("gemma2", "gemma3_text", "gemma3"):
        raise PretrainedError(
            f"{path}: model_type must be gemma2, gemma3_text or gemma3, got {kind!r}"
        )
    text = whole
    if kind == "gemma3":
        if not isinstance(whole.get("text_config"), dict):
            raise PretrainedError(f"{path}: gemma3 must have a text_config")
        text = {**_shared(whole), **whole["text_config"]}
    family = kind.removesuffix("_text")
    config = _config(path, family, {**_DEFAULTS[family], **text})
    eos = _eos(path, _optional_json(directory / GENERATION), whole, text)
    return Described(config, eos, multimodal=kind == "gemma3")


def _shared(whole: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of a multimodal file that are about its text model as well."""
    return {key: whole[key] for key in FIXED if key in whole}


def _config(path: Path, family: str, values: Mapping[str, Any]) -> Config:
    for key, allowed in FIXED.items():
        if values.get(key, allowed[0]) not in allowed:
            wanted = json.dumps(allowed[0])
            raise PretrainedError(
                f"{path}: {key} must be {wanted}, got {values[key]!r}"
            )
    fields: dict[str, Any] = {
        field: _number(path, key, values[key], int) for key, field in INTEGERS.items()
    }
    for key, field in _NUMBERS.items():
        # Without a soft-cap there is null; ours is 0.
        fields[field] = _number(path, key, values[key] or 0, float)
    rope = _gemma2_rope if family == "gemma2" else _gemma3_rope
    try:
        return Config(
            **fields,
            **rope(path, values),
            pattern=_pattern(path, fields["layers"], values),
            qk_norm=family == "gemma3",
        )
    except InvalidSetting as error:
        raise PretrainedError(f"{path}: {error}") from error


def _number(path: Path, key: str, value: Any, kind: type) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, kind)):
        noun = {int: "an integer", float: "a number"}[kind]
        raise PretrainedError(f"{path}: {key} must be {noun}, got {value!r}")
    return kind(value)


def _pattern(path: Path, layers: int, values: Mapping[str, Any]) -> int:
    """The distance between global layers, from the list of layers or the old key."""
    key = "sliding_window_pattern"
    stated = _number(path, key, values.get(f"_{key}", values[key]), int)
    kinds = values.get("layer_types")
    if kinds is None:
        return stated
    if len(kinds) != layers or not {*kinds} <= {*LAYER_TYPES}:
        raise PretrainedError(
            f"{path}: layer_types must have {' or '.join(LAYER_TYPES)} for each of "
            f"the {layers} layers, got {kinds}"
        )
    if LAYER_TYPES[1] not in kinds:
        return max(stated, layers + 1)
    pattern = kinds.index(LAYER_TYPES[1]) + 1
    if kinds != layer_types(layers, pattern):
        raise PretrainedError(
            f"{path}: layer_types must have full_attention at regular distances, "
            f"got {kinds}"
        )
    return pattern


def layer_types(layers: int, pattern: int) -> list[str]:
    """The kind of each layer, every `pattern`-th of which is global."""
    return [LAYER_TYPES[(i + 1) % pattern == 0] for i in range(layers)]


def _gemma2_rope(path: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    old = {"rope_theta": values["rope_theta"], **(values.get("rope_scaling") or {})}
    given = {**old, **(values.get("rope_parameters") or {})}
    base, scale = _rotation(path, "rope_parameters", given)
    _refuse_scale(path, "rope_parameters", scale)
    return {"base_local": base, "base_global": base}


def _gemma3_rope(path: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    new = values.get("rope_parameters") or {}
    if not {*new} <= {*LAYER_TYPES}:
        raise PretrainedError(
            f"{path}: rope_parameters must have {' and '.join(LAYER_TYPES)}, "
            f"got {', '.join(new)}"
        )
    sliding, full = ({**(new.get(kind) or {})} for kind in LAYER_TYPES)
    full = {"rope_theta": values["rope_theta"], **full}
    full |= values.get("rope_scaling") or {}
    sliding = {"rope_theta": values["rope_local_base_freq"], **sliding}
    base_global, scale = _rotation(path, "rope of full_attention", full)
    base_local, local_scale = _rotation(path, "rope of sliding_attention", sliding)
    _refuse_scale(path, "rope of sliding_attention", local_scale)
    return {
        "base_local": base_local,
        "base_global": base_global,
        "scale_global": scale,
    }


def _rotation(path: Path, name: str, given: Mapping[str, Any]) -> tuple[float, float]:
    """Base of the frequencies, and the factor that divides them."""
    unknown = {*given} - {"rope_theta", "rope_type", "type", "factor"}
    if unknown:
        raise PretrainedError(
            f"{path}: {name} must have rope_theta, rope_type and factor only, "
            f"got {', '.join(sorted(unknown))}"
        )
    kind = given.get("rope_type", given.get("type", "default"))
    if kind not in ("default", "linear"):
        raise PretrainedError(
            f"{path}: rope_type of {name} must be default or linear, got {kind!r}"
        )
    base = _number(path, f"rope_theta of {name}", given["rope_theta"], float)
    factor = given.get("factor", 1) if kind == "linear" else 1
    return base, _number(path, f"factor of {name}", factor, float)


def _refuse_scale(path: Path, name: str, scale: float) -> None:
    if scale != 1:
        raise PretrainedError(
            f"{path}: {name} must have factor 1, as only global layers of Gemma 3 "
            f"have one, got {scale:g}"
        )


def _eos(path: Path, *sources: Mapping[str, Any]) -> tuple[int, ...]:
    """Ids of end tokens from the first source that names them."""
    named = [each["eos_token_id"] for each in sources if "eos_token_id" in each]
    found = named[0] if named else EOS
    ids = tuple(found) if isinstance(found, list) else (found,)
    if EOS not in ids:
        raise PretrainedError(
            f"{path}: eos_token_id must be {EOS} or a list with {EOS}, got {found!r}"
        )
    return ids


def _optional_json(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        PretrainedError: the file is missing, or holds something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PretrainedError(
            f"a checkpoint must have {path.name}, but {path} cannot be read: "
            f"{error.strerror}"
        ) from error
    except ValueError as error:  # not JSON, or not UTF-8
        raise PretrainedError(f"{path} must be JSON: {error}") from error
    if not isinstance(found, dict):
        raise PretrainedError(f"{path} must be a JSON object")
    return found
