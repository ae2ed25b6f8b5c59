"""Every key of `config.json` is honoured or refused, under its old and new name."""

import json

import pytest

from agents.parts.language.transformer import GEMMA2, GEMMA3
from launch.errors import PretrainedError
from launch.pretrained import config_file
from tests.launch.pretrained.checkpoints import copy, describe

SLIDING, FULL = "sliding_attention", "full_attention"
SCALED = {"rope_type": "linear", "factor": 3.0, "rope_theta": 500.0}
PLAIN = {"rope_type": "default", "rope_theta": 70.0}


def write(folder, **values):
    """A directory whose `config.json` holds only these keys."""
    (folder / "config.json").write_text(json.dumps(values))
    return folder


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"vocab_size": 61}, {"vocabulary": 61}),
        ({"hidden_size": 36}, {"width": 36}),
        ({"intermediate_size": 44}, {"hidden": 44}),
        ({"num_attention_heads": 6}, {"heads": 6}),
        ({"num_key_value_heads": 1}, {"kv_heads": 1}),
        ({"head_dim": 10}, {"head": 10}),
        ({"sliding_window": 9}, {"window": 9}),
        ({"query_pre_attn_scalar": 25}, {"query_scalar": 25.0}),
        ({"rms_norm_eps": 1e-3}, {"epsilon": 1e-3}),
        ({"attn_logit_softcapping": 7}, {"attention_cap": 7.0}),
        ({"final_logit_softcapping": 9.5}, {"final_cap": 9.5}),
        ({"num_hidden_layers": 5, "layer_types": ...}, {"layers": 5}),
        ({"layer_types": [SLIDING, FULL] * 3 + [SLIDING]}, {"pattern": 2}),
        ({"layer_types": [FULL] * 7}, {"pattern": 1}),
        ({"layer_types": [SLIDING] * 7}, {"pattern": 8}),
        ({"layer_types": None, "_sliding_window_pattern": 4}, {"pattern": 4}),
        (
            {"rope_parameters": {FULL: SCALED, SLIDING: PLAIN}},
            {"base_local": 70.0, "base_global": 500.0, "scale_global": 3.0},
        ),
        (
            {"rope_parameters": ..., "rope_theta": 200.0, "rope_local_base_freq": 30},
            {"base_local": 30.0, "base_global": 200.0, "scale_global": 1.0},
        ),
        (
            {"rope_parameters": ..., "rope_scaling": {"type": "linear", "factor": 2}},
            {"base_local": 1e4, "base_global": 1e6, "scale_global": 2.0},
        ),
    ],
)
def test_a_changed_key_changes_its_field_and_no_other(change, fields, tmp_path):
    directory = copy("gemma3", tmp_path)
    before = config_file.read(directory).config
    describe(directory, **change)
    after = config_file.read(directory).config
    assert after == before.__class__(**{**vars(before), **fields})
    assert after != before


def test_gemma2_reads_its_one_base_under_both_names(tmp_path):
    directory = copy("gemma2", tmp_path)
    describe(directory, rope_parameters=PLAIN)
    config = config_file.read(directory).config
    assert (config.base_local, config.base_global) == (70, 70)
    describe(directory, rope_parameters=..., rope_theta=90.0)
    config = config_file.read(directory).config
    assert (config.base_local, config.base_global) == (90, 90)
    assert not config.qk_norm


def test_a_file_without_keys_means_what_transformers_takes_by_default(tmp_path):
    # The published file of Gemma 3 4B has no more than this about its decoder.
    text = {
        "model_type": "gemma3_text",
        "hidden_size": 2560,
        "intermediate_size": 10240,
        "num_hidden_layers": 34,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        "sliding_window": 1024,
    }
    write(tmp_path, model_type="gemma3", text_config=text, eos_token_id=[1, 106])
    described = config_file.read(tmp_path)
    assert described == (GEMMA3["4b"], (1, 106), True)
    assert config_file.read(write(tmp_path, model_type="gemma2")).config == GEMMA2["2b"]


def test_end_tokens_come_from_the_generation_config_if_it_has_them(tmp_path):
    write(tmp_path, model_type="gemma2", eos_token_id=1)
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [1, 107]}')
    assert config_file.read(tmp_path).eos == (1, 107)
    (tmp_path / "generation_config.json").write_text("{}")
    assert config_file.read(tmp_path).eos == (1,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"model_type": "llama"},
            "model_type must be gemma2, gemma3_text or gemma3, got",
        ),
        ({"hidden_size": "32"}, "hidden_size must be an integer, got '32'"),
        ({"hidden_size": 0}, "network.width must be at least 1, got 0"),
        ({"num_key_value_heads": 3}, "heads must be a multiple of kv_heads, 3, got 4"),
        ({"rms_norm_eps": "x"}, "rms_norm_eps must be a number, got 'x'"),
        ({"hidden_activation": "silu"}, "must be \"gelu_pytorch_tanh\", got 'silu'"),
        ({"attention_bias": True}, "attention_bias must be false, got True"),
        ({"attention_dropout": 0.1}, "attention_dropout must be 0, got 0.1"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings must be true, got False"),
        ({"use_bidirectional_attention": True}, "must be false, got True"),
        ({"quantization_config": {"bits": 4}}, "quantization_config must be null, got"),
        ({"pad_token_id": 3}, "pad_token_id must be 0, got 3"),
        ({"bos_token_id": 1}, "bos_token_id must be 2, got 1"),
        ({"eos_token_id": [5, 7]}, "eos_token_id must be 1 or a list with 1, got"),
        ({"layer_types": [SLIDING] * 3}, "for each of the 7 layers, got"),
        ({"layer_types": ["linear"] * 7}, "layer_types must have sliding_attention or"),
        (
            {"layer_types": [SLIDING, FULL, FULL, *[SLIDING] * 4]},
            "layer_types must have full_attention at regular distances, got",
        ),
        (
            {"rope_parameters": {"rope_theta": 5.0}},
            "and full_attention, got rope_theta",
        ),
        (
            {"rope_parameters": {SLIDING: SCALED}},
            "rope of sliding_attention must have factor 1, as only global layers of "
            "Gemma 3 have one, got 3",
        ),
        (
            {"rope_parameters": {FULL: {"rope_type": "yarn"}}},
            "rope_type of rope of full_attention must be default or linear, got 'yarn'",
        ),
        (
            {"rope_parameters": {FULL: {"partial_rotary_factor": 0.5}}},
            "must have rope_theta, rope_type and factor only, got partial_rotary",
        ),
    ],
)
def test_what_the_decoder_cannot_compute_is_refused(change, message, tmp_path):
    directory = copy("gemma3", tmp_path)
    describe(directory, **change)
    with pytest.raises(PretrainedError) as caught:
        config_file.read(directory)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{directory / 'config.json'}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_or_no_object_is_refused(tmp_path):
    with pytest.raises(PretrainedError, match=r"must have config\.json, but .* cannot"):
        config_file.read(tmp_path)
    for text, message in (("{", "must be JSON: "), ("[]", "must be a JSON object")):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(PretrainedError, match=message):
            config_file.read(tmp_path)
    with pytest.raises(PretrainedError, match="gemma3 must have a text_config"):
        config_file.read(write(tmp_path, model_type="gemma3"))
