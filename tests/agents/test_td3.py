"""TD3: its delay, the objective of its policy, and its defaults."""

import dataclasses

import jax
import numpy as np
import pytest

from agents import REGISTRY, td3
from agents.parts.continuous_exploration import GaussianNoise
from tests.agents.cases import BOX, batch_of, leaves_equal, make, observations


def test_policy_and_targets_move_at_every_third_step_only(key):
    agent = make("td3", policy_delay=3)
    state, update = agent.init(key), jax.jit(agent.update)
    for step in range(1, 7):
        following, _ = update(state, batch_of(BOX, seed=step))
        due = step % 3 == 0
        assert not leaves_equal(following.params["critic"], state.params["critic"])
        for one, other in [
            (following.params["policy"], state.params["policy"]),
            (following.opt_state["policy"], state.opt_state["policy"]),
            (following.target_params["policy"], state.target_params["policy"]),
            (following.target_params["critic"], state.target_params["critic"]),
        ]:
            assert leaves_equal(one, other) != due
        state = following


def test_the_policy_ascends_the_first_critic(key):
    """With the critics held fixed, policy steps increase Q1."""
    agent = make("td3")
    state, update, batch = agent.init(key), jax.jit(agent.update), batch_of(BOX)
    frozen, losses = state.params["critic"], []
    for _ in range(100):
        state, metrics = update(state, batch)
        state = state._replace(params={**state.params, "critic": frozen})
        losses.append(float(metrics["policy_loss"]))
    assert losses[-1] < losses[0] - 0.02


def test_defaults_are_the_reference_implementations():
    config = td3.Config()
    assert (config.target_noise, config.target_noise_clip) == (0.2, 0.5)
    assert (config.policy_delay, config.exploration.scale) == (2, 0.1)
    assert (config.discount, config.target_step_size) == (0.99, 0.005)
    assert config.optimizer.learning_rate == 3e-4
    assert config.storage.batch_size == config.storage.samples_per_insert == 256


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("target_noise", -0.1),
        ("target_noise_clip", -1.0),
        ("policy_delay", 0),
        ("discount", 1.5),
        ("target_step_size", -0.5),
    ],
)
def test_errors_name_values_out_of_range(field, value):
    with pytest.raises(ValueError, match=rf"{field} must be .*, got {value:g}"):
        dataclasses.replace(td3.Config(), **{field: value})


def test_the_variant_of_2018_has_the_settings_of_the_published_curves():
    """One update a step of 100 transitions, at 1e-3, with layers of 400 and 300."""
    config = REGISTRY["td3_2018"].default()
    assert config.network.hidden == (400, 300)
    assert config.optimizer.learning_rate == 1e-3
    assert config.storage.batch_size == config.storage.samples_per_insert == 100
    today = td3.Config()
    changed = ("network", "optimizer", "storage")
    same = {name: getattr(today, name) for name in changed}
    assert dataclasses.replace(config, **same) == today


def test_the_noise_has_the_configured_scale(key):
    agent = make("td3", exploration=GaussianNoise(start=3, scale=0.01))
    params, seen = agent.init(key).params, observations(BOX, 3_000)
    best, _ = agent.act(params, key, seen, 3, True)
    noisy, _ = agent.act(params, key, seen, 3, False)
    inside = np.abs(best).max(axis=1) < 0.9
    assert inside.sum() > 300
    assert np.std((noisy - best)[inside]) == pytest.approx(0.01, rel=0.05)
    random, _ = agent.act(params, key, seen, 2, False)
    assert np.std(random) == pytest.approx(3**-0.5, rel=0.05)
