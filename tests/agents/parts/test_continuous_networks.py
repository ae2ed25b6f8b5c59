"""Networks and exploration of agents with continuous actions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts import continuous_exploration as exploration
from agents.parts import continuous_networks as heads
from agents.parts import networks
from agents.parts.contract import discrete_spec
from tests.agents.cases import BOX, batch_of

CONFIG = networks.Config("mlp", (13, 5))


def count(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def test_sizes(key):
    torso = (7 * 13 + 13) + (13 * 5 + 5)
    assert count(heads.tanh_gaussian(CONFIG, BOX).init(key)) == torso + (5 * 6 + 6)
    assert count(heads.deterministic(CONFIG, BOX).init(key)) == torso + (5 * 3 + 3)
    head, other = heads.histogram_head(BOX), networks.Config("mlp", (11,))
    shared = heads.policy_and_value(head, CONFIG, BOX).init(key)
    assert count(shared) == torso + (5 * 7 + 7)
    apart = heads.policy_and_value(head, CONFIG, BOX, other).init(key)
    assert count(apart["policy"]) == torso + (5 * 6 + 6)
    assert count(apart["value"]) == (7 * 11 + 11) + (11 + 1)
    one = (10 * 13 + 13) + (13 * 5 + 5) + (5 + 1)  # the action joins the observation
    assert count(heads.critics(CONFIG, BOX, number=4).init(key)) == 4 * one


def test_critics_are_independent(key):
    critic, batch = heads.critics(CONFIG, BOX, number=2), batch_of(BOX)
    params = critic.init(key)
    values = critic.apply(params, batch.observation, batch.action)
    assert values.shape == (11, 2)
    assert not np.allclose(values[:, 0], values[:, 1])
    alone = critic.apply(params[1:], batch.observation, batch.action)
    np.testing.assert_allclose(alone[:, 0], values[:, 1], rtol=1e-6)


def test_critics_see_the_action(key):
    critic, batch = heads.critics(CONFIG, BOX), batch_of(BOX)
    params = critic.init(key)
    gradient = jax.grad(
        lambda action: jnp.sum(critic.apply(params, batch.observation, action))
    )(batch.action)
    assert np.all(np.any(np.asarray(gradient) != 0, axis=0))


def test_deviations_stay_within_their_bounds(key):
    policy = heads.tanh_gaussian(CONFIG, BOX)
    params = jax.tree.map(lambda leaf: 1e3 * leaf, policy.init(key))
    log_std = policy.apply(params, batch_of(BOX).observation).base.log_std
    low, high = heads.LOG_STD
    assert np.all((np.asarray(log_std) >= low) & (np.asarray(log_std) <= high))
    assert log_std.shape == (11, 3)


def test_convolutions_of_a_vector_are_refused_by_critics():
    with pytest.raises(ValueError, match=r"network\.torso must be mlp, .*'nature'"):
        heads.critics(networks.Config("nature"), BOX)


@pytest.mark.parametrize("torso", ["auto", "nature_padded"])
def test_critics_of_images_see_the_action_after_the_convolutions(torso, key):
    image = jax.ShapeDtypeStruct((3, 36, 44), np.dtype(np.uint8))
    critic = heads.critics(
        networks.Config(torso, (13,)), BOX._replace(observation=image)
    )
    params = critic.init(key)
    # 36 x 44: 8 x 10, 3 x 4, 1 x 2 without padding; 9 x 11, 5 x 6, 5 x 6 with it.
    features = 64 * (1 * 2 if torso == "auto" else 5 * 6)
    convolutions = (3 * 64 * 32 + 32) + (32 * 16 * 64 + 64) + (64 * 9 * 64 + 64)
    layers = ((features + 3) * 13 + 13) + (13 + 1)
    assert count(params) == 2 * (convolutions + layers)
    observation = np.full((5, 3, 36, 44), 7, np.uint8)
    actions = np.random.default_rng(0).uniform(-1, 1, (5, 3)).astype(np.float32)
    values = critic.apply(params, observation, actions)
    assert values.shape == (5, 2) and len(set(np.asarray(values[:, 0]))) == 5


@pytest.mark.parametrize("build", [heads.tanh_gaussian, heads.deterministic])
def test_discrete_actions_are_refused(build):
    with pytest.raises(ValueError, match="needs continuous actions"):
        build(CONFIG, discrete_spec((7,), np.float32, 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: exploration.RandomStart(-1),
            "exploration.start must be at least 0, got -1",
        ),
        (
            lambda: exploration.GaussianNoise(-1),
            "exploration.start must be at least 0, got -1",
        ),
        (
            lambda: exploration.GaussianNoise(scale=-0.1),
            "exploration.scale must be at least 0, got -0.1",
        ),
    ],
)
def test_errors_name_values_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_critics_scale_bytes_to_one(key):
    """Bytes without convolutions, such as a RAM, as the same numbers in [0, 1]."""
    bytes_, numbers = (
        BOX._replace(observation=jax.ShapeDtypeStruct((7,), np.dtype(dtype)))
        for dtype in (np.uint8, np.float32)
    )
    params = heads.critics(CONFIG, numbers).init(key)
    seen = np.random.default_rng(0).integers(0, 256, (11, 7), np.uint8)
    action = batch_of(BOX).action
    np.testing.assert_allclose(
        heads.critics(CONFIG, bytes_).apply(params, seen, action),
        heads.critics(CONFIG, numbers).apply(params, np.float32(seen) / 255, action),
        rtol=1e-5,
        atol=1e-6,
    )
