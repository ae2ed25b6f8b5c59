"""Networks: shapes, sizes, and settings that they refuse."""

import functools

import jax
import numpy as np
import pytest

from agents.parts import networks
from agents.parts.contract import Spec, discrete_spec

ATARI = discrete_spec((4, 84, 84), np.uint8, 5)


def count(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize(
    ("torso", "hidden", "expected"),
    [
        # Mnih et al. 2015: 4x32x8x8, 32x64x4x4, 64x64x3x3, 3136x512, 512x5 and biases
        ("nature", (512,), 8224 + 32832 + 36928 + 1606144 + 2565),
        # The same padded, as in Dopamine: 11 x 11 x 64 = 7,744 features
        ("nature_padded", (512,), 8224 + 32832 + 36928 + 7744 * 512 + 512 + 2565),
        # Mnih et al. 2013: 4x16x8x8, 16x32x4x4, 2592x256, 256x5 and biases
        ("dqn2013", (256,), 4112 + 8224 + 663808 + 1285),
    ],
)
def test_sizes_are_those_of_the_papers(key, torso, hidden, expected):
    network = networks.action_values(networks.Config(torso, hidden), ATARI)
    params = jax.eval_shape(network.init, key)
    assert count(params) == expected
    observation = np.zeros((3, 4, 84, 84), np.uint8)
    assert jax.eval_shape(network.apply, params, observation).shape == (3, 5)


def test_images_are_scaled_to_one(key):
    """Bytes and the same image in [0, 1] give the same values."""
    network = networks.action_values(networks.Config("dqn2013", (7,)), ATARI)
    params = network.init(key)
    image = np.random.default_rng(0).integers(0, 256, (2, 4, 84, 84), np.uint8)
    scaled = image.astype(np.float32) / 255
    np.testing.assert_allclose(
        network.apply(params, image), network.apply(params, scaled), rtol=1e-4
    )


def test_stack_is_the_channel_axis(key):
    """Permuting frames changes the values; they are not mixed with rows or columns."""
    config = networks.Config("nature", (7,))
    params = networks.action_values(config, ATARI).init(key)
    kernel = params["params"]["torso"]["Conv_0"]["kernel"]
    assert kernel.shape == (8, 8, 4, 32)


@pytest.mark.parametrize(
    "shape, dtype, torso",
    [
        ((7,), np.float32, "mlp"),
        ((3, 5), np.float32, "mlp"),
        ((4, 10, 10), np.float32, "minatar"),
        ((3, 35, 44), np.uint8, "minatar"),
        ((3, 36, 44), np.uint8, "nature"),
        ((3, 2, 2), np.uint8, "mlp"),
    ],
)
def test_the_automatic_torso_fits_the_observation(shape, dtype, torso, key):
    spec = discrete_spec(shape, dtype, 3)
    automatic, named = (
        networks.action_values(networks.Config(name, (7,)), spec).init(key)
        for name in ("auto", torso)
    )
    assert jax.tree.structure(automatic) == jax.tree.structure(named)
    assert count(automatic) == count(named)


def test_mlp_flattens_any_observation(key):
    spec = discrete_spec((3, 5), np.float32, 2)
    network = networks.action_values(networks.Config("mlp", (7, 11)), spec)
    params = network.init(key)
    assert count(params) == (15 * 7 + 7) + (7 * 11 + 11) + (11 * 2 + 2)
    assert network.apply(params, np.zeros((4, 3, 5), np.float32)).shape == (4, 2)


def test_layers_are_normalised_before_their_relu(key):
    spec = discrete_spec((5,), np.float32, 2)
    config = networks.Config("mlp", (7, 3), layer_norm=True)
    network = networks.action_values(config, spec)
    params = network.init(key)
    observation = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    torso, x = params["params"]["torso"], observation
    for layer in range(2):
        x = x @ torso[f"Dense_{layer}"]["kernel"]
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
        x = np.maximum(x, 0)
    expected = x @ params["params"]["Dense_0"]["kernel"]
    values = network.apply(params, observation)
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-6)


def test_every_network_can_have_layer_normalisation(key):
    """It adds two parameters for each hidden unit, and no others."""
    spec = discrete_spec((5,), np.float32, 2)
    for make in (
        networks.action_values,
        functools.partial(networks.quantile_values, cosines=9),
    ):
        plain, normalised = (
            make(networks.Config("mlp", (7, 3), layer_norm), spec).init(key)
            for layer_norm in (False, True)
        )
        assert count(normalised) == count(plain) + 2 * (7 + 3)


def test_convolutions_of_a_vector_are_refused():
    spec = discrete_spec((4,), np.float32, 2)
    with pytest.raises(ValueError, match=r"torso must be mlp, .*\[4\], got 'nature'"):
        networks.action_values(networks.Config("nature"), spec)


@pytest.mark.parametrize(
    "torso, shape, fitting",
    [
        ("nature", (4, 35, 84), "nature_padded or dqn2013 or minatar or mlp"),
        ("dqn2013", (4, 10, 19), "nature_padded or minatar or mlp"),
        ("minatar", (4, 2, 5), "nature_padded or mlp"),
    ],
)
def test_convolutions_of_too_small_an_image_are_refused(torso, shape, fitting):
    size = f"{shape[1]} x {shape[2]} pixels"
    message = f"^network.torso must be {fitting}, for images of {size}, got '{torso}'$"
    with pytest.raises(ValueError, match=message):
        networks.action_values(
            networks.Config(torso), discrete_spec(shape, np.uint8, 2)
        )


def test_padding_is_of_zeros(key):
    """The padded torso's first convolution of an image is that of its zero border."""
    padded = networks.make_torso(networks.Config("nature_padded", ()), ATARI)
    plain = networks.make_torso(networks.Config("nature", ()), ATARI)
    image = np.random.default_rng(0).integers(0, 256, (1, 4, 84, 84), np.uint8)
    params = padded.init(key, image)
    # Total padding of the layers: 84 -> 21 needs 4, 21 -> 11 needs 3, 11 -> 11 needs 2.
    assert jax.eval_shape(padded.apply, params, image).shape == (1, 7744)
    first = lambda torso: torso.clone(convolutions=torso.convolutions[:1])  # noqa: E731
    bordered = np.pad(image, ((0, 0), (0, 0), (2, 2), (2, 2)))
    np.testing.assert_allclose(
        first(padded).apply(params, image),
        first(plain).apply(params, bordered),
        atol=1e-5,
    )


@pytest.mark.parametrize("torso, size", [("nature", 36), ("dqn2013", 20)])
def test_convolutions_leave_one_pixel_of_the_smallest_image(torso, size, key):
    spec = discrete_spec((4, size, size), np.uint8, 2)
    params = networks.action_values(networks.Config(torso, (7,)), spec).init(key)
    channels = networks.CONVOLUTIONS[torso][-1][0]
    assert count(params) - count_of(torso, 4) == (channels * 7 + 7) + (7 * 2 + 2)


def count_of(torso, channels):
    weights = 0
    for features, kernel, _ in networks.CONVOLUTIONS[torso]:
        weights += kernel**2 * channels * features + features
        channels = features
    return weights


def test_continuous_actions_are_refused():
    spec = Spec(ATARI.observation, 0, jax.ShapeDtypeStruct((3,), np.float32))
    with pytest.raises(ValueError, match="needs discrete actions"):
        networks.action_values(networks.Config(), spec)


def test_only_bytes_are_scaled():
    bytes_ = np.asarray([[0, 51], [255, 102]], np.uint8)
    np.testing.assert_allclose(networks.scaled(bytes_), [[0, 0.2], [1, 0.4]], rtol=1e-6)
    for kind in (np.float32, np.float64, np.int32):
        found = networks.scaled(bytes_.astype(kind))
        np.testing.assert_array_equal(found, [[0, 51], [255, 102]])
        assert found.dtype == np.float32
