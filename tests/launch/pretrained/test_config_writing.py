"""A written `config.json` describes the same decoder."""

import dataclasses
import json

import pytest

from agents.parts.language.transformer import GEMMA2, GEMMA3, Config
from launch.errors import PretrainedError
from launch.pretrained import config_file, config_writing

OWN = Config(vocabulary=59, width=36, heads=6, kv_heads=3, window=7, pattern=3)


def written(config, folder, eos=(1,), without=()):
    """What is read of a written file from which keys were removed."""
    values = config_writing.encode(config, eos)
    kept = {key: value for key, value in values.items() if key not in without}
    (folder / "config.json").write_text(json.dumps(kept))
    return config_file.read(folder)


@pytest.mark.parametrize(
    "config",
    [
        *GEMMA2.values(),
        *GEMMA3.values(),
        dataclasses.replace(GEMMA3["4b"], attention_cap=3.0, final_cap=7.0, layers=5),
    ],
)
@pytest.mark.parametrize(
    "without",
    [
        ("rope_parameters", "layer_types"),  # as before Transformers 5
        ("rope_theta", "rope_local_base_freq", "rope_scaling"),
    ],
)
def test_old_and_new_keys_describe_the_same_decoder(config, without, tmp_path):
    assert written(config, tmp_path, without=without).config == config


def test_derived_sizes_are_written_out(tmp_path):
    expected = dataclasses.replace(OWN, head=6, hidden=144, query_scalar=6.0)
    assert written(OWN, tmp_path, eos=(1, 5)) == (expected, (1, 5), False)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"query_scalar": 2.5}, "query_scalar is an integer, got 2.5"),
        ({"width": 40, "head": 8}, "width is a multiple of heads, 6, got 40"),
        ({"qk_norm": False}, "base_local is equal to base_global, 1e+06, without"),
        (
            {"qk_norm": False, "base_local": 1e6, "scale_global": 4.0},
            "scale_global is 1 without qk_norm, got 4",
        ),
    ],
)
def test_a_decoder_that_transformers_lacks_is_refused(change, rule):
    with pytest.raises(PretrainedError) as caught:
        config_writing.encode(dataclasses.replace(OWN, **change))
    assert f"only if network.{rule}" in str(caught.value)
