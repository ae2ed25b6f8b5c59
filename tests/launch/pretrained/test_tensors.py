"""Names of tensors in all kinds of files, and ours made of them."""

import chex
import jax
import numpy as np
import pytest

from agents.parts.language import transformer
from launch.pretrained import tensors

# D 10, N 6, K 3, H 4, F 7, V 11.
CONFIG = transformer.Config(
    vocabulary=11, width=10, layers=2, heads=6, kv_heads=3, head=4, hidden=7
)


def random_tensors():
    """A tensor of each name."""
    rng = np.random.default_rng(0)
    shapes = tensors.shapes(CONFIG)
    return {n: rng.normal(size=s).astype(np.float32) for n, s in shapes.items()}


@pytest.mark.parametrize(
    "name",
    [
        "model.layers.0.mlp.up_proj.weight",
        "language_model.model.layers.0.mlp.up_proj.weight",
        "model.language_model.layers.0.mlp.up_proj.weight",
        "layers.0.mlp.up_proj.weight",
    ],
)
def test_all_prefixes_mean_the_same_tensor(name):
    assert tensors.plain(name) == "model.layers.0.mlp.up_proj.weight"


def test_the_head_and_the_image_encoder_are_known_with_any_prefix():
    assert tensors.plain("language_model.lm_head.weight") == "lm_head.weight"
    for name in ("vision_tower.vision_model.x", "multi_modal_projector.x"):
        assert tensors.plain(f"model.{name}") == tensors.plain(name) == name
        assert tensors.is_vision(name)
    assert not tensors.is_vision(tensors.plain("model.norm.weight"))


def test_shapes_follow_from_the_configuration():
    shapes = tensors.shapes(CONFIG)
    assert len(shapes) == 2 + 2 * 13
    assert shapes["model.embed_tokens.weight"] == (11, 10)
    layer = {
        "self_attn.q_proj": (24, 10),
        "self_attn.v_proj": (12, 10),
        "self_attn.o_proj": (10, 24),
        "self_attn.k_norm": (4,),
        "mlp.gate_proj": (7, 10),
        "mlp.down_proj": (10, 7),
        "input_layernorm": (10,),
    }
    for name, shape in layer.items():
        assert shapes[f"model.layers.1.{name}.weight"] == shape


def test_heads_and_branches_lie_where_the_decoder_looks():
    stored = random_tensors()
    layer = tensors.gather(CONFIG, stored.__getitem__)["layers"][1]

    def matrix(name):
        return stored[f"model.layers.1.{name}.weight"]

    # Query head 3 is the second of key-value head 1; a head has 4 rows.
    np.testing.assert_equal(layer["qkv"][:, 1, 1], matrix("self_attn.q_proj")[12:16].T)
    np.testing.assert_equal(layer["qkv"][:, 2, 2], matrix("self_attn.k_proj")[8:].T)
    np.testing.assert_equal(layer["qkv"][:, 0, 3], matrix("self_attn.v_proj")[:4].T)
    np.testing.assert_equal(layer["output"], matrix("self_attn.o_proj").T)
    np.testing.assert_equal(layer["gate_up"][:, 0], matrix("mlp.gate_proj").T)
    np.testing.assert_equal(layer["gate_up"][:, 1], matrix("mlp.up_proj").T)
    np.testing.assert_equal(layer["mlp_norm"], matrix("pre_feedforward_layernorm"))


def test_scattering_undoes_gathering_in_the_order_of_the_shapes():
    stored = random_tensors()
    scattered = dict(tensors.scatter(tensors.gather(CONFIG, stored.__getitem__)))
    assert list(scattered) == list(tensors.shapes(CONFIG))
    for name, tensor in scattered.items():
        assert tensor.flags.c_contiguous and tensor.dtype == np.float32
        np.testing.assert_array_equal(tensor, stored[name])


def test_gathered_parameters_have_the_decoders_shapes():
    init = lambda: transformer.init(jax.random.key(0), CONFIG)  # noqa: E731
    params = tensors.gather(CONFIG, random_tensors().__getitem__)
    chex.assert_trees_all_equal_shapes_and_dtypes(jax.eval_shape(init), params)
