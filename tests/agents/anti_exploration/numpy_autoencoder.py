"""The auto-encoder again, in numpy."""

import jax
import numpy as np


def by_hand(params, key, observation, action):
    """The auto-encoder layer by layer, in numpy: rebuilt actions, means, log-scales."""

    def layers(tree, x):
        inner = tree["params"]["Torso_0"]["Dense_0"]
        x = np.maximum(x @ np.asarray(inner["kernel"]) + np.asarray(inner["bias"]), 0)
        head = tree["params"]["Dense_0"]
        return x @ np.asarray(head["kernel"]) + np.asarray(head["bias"])

    encoded = layers(params["encoder"], np.concatenate([observation, action], axis=1))
    mean, log_std = encoded[:, :6], np.clip(encoded[:, 6:], -4, 15)
    noise = np.asarray(jax.random.normal(key, mean.shape))
    latent = mean + np.exp(log_std) * noise
    decoded = layers(params["decoder"], np.concatenate([observation, latent], axis=1))
    return np.tanh(decoded), mean, log_std
