"""The conditional auto-encoder of a dataset's actions."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate, stats

from agents.anti_exploration import agent as anti_exploration
from agents.anti_exploration import autoencoder
from agents.parts.distributions import Gaussian
from tests.agents.anti_exploration.numpy_autoencoder import by_hand
from tests.agents.cases import BOX, batch_of, small

NAME = "anti_exploration"


def test_divergence_is_the_integral():
    latents = Gaussian(jnp.array([[0.7, -1.5]]), jnp.array([[-0.4, 0.3]]))
    (kl,) = autoencoder.divergence(latents)

    def nats(mean, log_std):
        own, prior = stats.norm(mean, np.exp(log_std)), stats.norm()
        return integrate.quad(
            lambda x: own.pdf(x) * (own.logpdf(x) - prior.logpdf(x)), -12, 12
        )[0]

    np.testing.assert_allclose(kl, [nats(0.7, -0.4), nats(-1.5, 0.3)], rtol=1e-5)
    standard = Gaussian(jnp.zeros((2, 4)), jnp.zeros((2, 4)))
    np.testing.assert_array_equal(autoencoder.divergence(standard), np.zeros((2, 4)))


def test_loss_of_the_autoencoder_by_hand(key):
    stage = anti_exploration.pretraining(small(NAME, BOX), BOX)
    state, batch = stage.init(key), batch_of(BOX)
    _, loss_key = jax.random.split(state.key)
    rebuilt, mean, log_std = by_hand(
        state.params["cvae"], loss_key, batch.observation, batch.action
    )
    variance = np.exp(2 * log_std)
    kl = -0.5 * (1 + np.log(variance) - mean**2 - variance).mean()
    expected = np.square(rebuilt - batch.action).mean() + 0.5 * kl
    _, metrics = jax.jit(stage.update)(state, batch)
    np.testing.assert_allclose(metrics["cvae_loss"], expected, rtol=1e-4)


def test_bytes_are_encoded_as_their_255th(key):
    config = small(NAME, BOX).autoencoder
    own, batch = autoencoder.make(config, BOX), batch_of(BOX)
    params = own.init(key)
    seen = np.arange(batch.observation.size, dtype=np.uint8)
    seen = seen.reshape(batch.observation.shape)
    for apply, vector in (
        (own.encode, batch.action),
        (own.decode, own.encode(params, batch.observation, batch.action).mean),
    ):
        found, wanted = (
            apply(params, each, vector)
            for each in (seen, seen.astype(np.float32) / 255)
        )
        chex.assert_trees_all_close(found, wanted, rtol=1e-5)
