"""Settings of decoders: derived sizes, kinds of layers, refusals, published sizes."""

import dataclasses

import jax
import pytest

from agents.parts.language import transformer
from agents.parts.language.architecture import GEMMA2, GEMMA3, Config

# Parameters in millions, embedding and rest: computed from the reports' tables.
MILLIONS = {
    "gemma2": {"2b": (590, 2_024), "9b": (918, 8_324), "27b": (1_180, 26_047)},
    "gemma3": {
        "270m": (168, 100),
        "1b": (302, 698),
        "4b": (671, 3_209),
        "12b": (1_007, 10_759),
        "27b": (1_410, 25_600),
    },
}


@pytest.mark.parametrize("family", ["gemma2", "gemma3"])
def test_published_sizes_have_the_published_numbers_of_parameters(family):
    presets = {"gemma2": GEMMA2, "gemma3": GEMMA3}[family]
    assert presets.keys() == MILLIONS[family].keys()
    for name, config in presets.items():
        init = lambda key, config=config: transformer.init(key, config)  # noqa: E731
        shapes = jax.eval_shape(init, jax.random.key(0))
        total = sum(leaf.size for leaf in jax.tree.leaves(shapes)) / 1e6
        embed = shapes["embed"].size / 1e6
        assert (embed, total - embed) == pytest.approx(MILLIONS[family][name], abs=0.6)


def test_sizes_that_are_0_follow_from_the_others():
    config = Config(width=48, heads=4)
    assert (config.head_size, config.hidden_size) == (12, 192)
    assert config.query_scale == pytest.approx(12**-0.5)
    explicit = Config(width=48, heads=4, head=10, hidden=7, query_scalar=16.0)
    assert (explicit.head_size, explicit.hidden_size) == (10, 7)
    assert explicit.query_scale == 0.25


def test_every_pattern_th_layer_is_global():
    kinds = [Config(pattern=3).is_global(layer) for layer in range(7)]
    assert kinds == [False, False, True, False, False, True, False]
    assert all(Config(pattern=1).is_global(layer) for layer in range(3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heads": 3}, "network.heads must be a multiple of kv_heads, 2, got 3"),
        ({"width": 66}, "network.width must be a multiple of heads, 4, got 66"),
        ({"width": 36}, "network.head must be even, got 9"),
        ({"layers": 0}, "network.layers must be at least 1, got 0"),
        ({"final_cap": -1.0}, "network.final_cap must be at least 0, got -1"),
        ({"epsilon": 0.0}, "network.epsilon must be above 0, got 0"),
        ({"dtype": "float16"}, "dtype must be one of float32, bfloat16, got 'float16'"),
    ],
)
def test_impossible_shapes_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(Config(), **settings)


def test_a_decoder_without_vocabulary_is_refused():
    with pytest.raises(ValueError, match=r"network.vocabulary must be at least 1, got"):
        transformer.init(jax.random.key(0), Config())
