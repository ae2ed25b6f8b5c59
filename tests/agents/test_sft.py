"""Supervised fine-tuning: its loss by hand, and that it learns to copy references."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import sft
from agents.parts import sgd
from agents.parts.contract import Spec, Transition
from agents.parts.language import sampling, transformer
from agents.parts.language.sequences import EOS, PAD

P, T, V = 4, 3, 9
SPEC = Spec(
    observation=jax.ShapeDtypeStruct((P + T,), np.dtype(np.int32)),
    num_actions=V,
    action=jax.ShapeDtypeStruct((T,), np.dtype(np.int32)),
)
NETWORK = transformer.Config(width=12, layers=1, heads=2, kv_heads=1)
# The reference is the prompt's last token but one, then EOS.
PROMPTS = jnp.array(
    [[4, 5, PAD, PAD], [6, 4, 7, PAD], [8, 6, 5, 4], [7, 8, PAD, PAD], [5, 7, 6, PAD]]
)
REFERENCES = jnp.array([[each, EOS, PAD] for each in (4, 4, 5, 7, 7)])
BATCH = Transition(
    observation=jnp.concatenate([PROMPTS, REFERENCES], axis=1),
    action=REFERENCES,
    reward=jnp.zeros(5),
    discount=jnp.zeros(5),
    next_observation=jnp.concatenate([PROMPTS, REFERENCES], axis=1),
)


def make(**settings):
    settings = {"network": NETWORK, "optimizer": sgd.Optimizer(1e-2, 1e-8)} | settings
    return sft.agent(sft.Config(**settings), SPEC)


def test_token_losses_by_hand():
    # log(e^1 + e^2 + e^3) - 3, and log 3 where all logits are equal.
    logits = jnp.array([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]])
    losses = sft.token_losses(logits, jnp.array([2, 0]))
    by_hand = [np.log(np.e + np.e**2 + np.e**3) - 3, np.log(3)]
    assert losses.tolist() == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize("average", ["token_mean", "sequence_mean"])
def test_the_loss_is_minus_the_mean_score_of_the_actions(average, key):
    """Also where actions are not the references, and differ in length."""
    actions = jnp.array([[4, 5, 6], [EOS, PAD, PAD], [7, EOS, PAD]] + [[8, 8, EOS]] * 2)
    agent = make(average=average)
    state = agent.init(key)
    _, metrics = jax.jit(agent.update)(state, BATCH._replace(action=actions))
    network = dataclasses.replace(NETWORK, vocabulary=V)
    score = jax.jit(sampling.score, static_argnums=1)
    scores = np.asarray(score(state.params["policy"], network, PROMPTS, actions))
    lengths = np.array([3, 1, 2, 3, 3])
    means = {
        "token_mean": scores.sum() / lengths.sum(),
        "sequence_mean": (scores.sum(axis=1) / lengths).mean(),
    }
    assert metrics["policy_loss"] == pytest.approx(-means[average], rel=1e-5)
    assert metrics["completion_length"] == pytest.approx(2.4)
    assert metrics["truncated"] == pytest.approx(0.2)


def test_it_learns_to_generate_the_references(key):
    agent = make()
    update, act, state = jax.jit(agent.update), jax.jit(agent.act), agent.init(key)
    tokens, extras = act(state.params, key, BATCH.observation, 0, False)
    np.testing.assert_array_equal(tokens, REFERENCES)
    assert extras == ()
    before, _ = act(state.params, key, BATCH.observation, 0, True)
    assert not np.array_equal(before, REFERENCES)
    for _ in range(60):
        state, metrics = update(state, BATCH)
    after, _ = act(state.params, key, BATCH.observation, 0, True)
    np.testing.assert_array_equal(after, REFERENCES)
    assert metrics["policy_loss"] < 0.1
    assert metrics["token_accuracy"] == pytest.approx(1)


def test_evaluation_samples_at_its_temperature(key):
    """At a high temperature the policy's completions are nearly uniform."""
    agent = make(evaluation_temperature=50.0)
    many = jnp.broadcast_to(BATCH.observation[:1], (400, P + T))
    tokens, _ = jax.jit(agent.act)(agent.init(key).params, key, many, 0, True)
    shares = np.bincount(tokens[:, 0], minlength=V) / 400
    assert np.all(np.abs(shares - 1 / V) < 0.08)


def test_completions_are_stored_in_a_queue_and_used_once():
    storage = make(batch_size=11).storage
    assert (storage.order, storage.samples_per_insert) == ("queue", 1)
    assert storage.capacity == storage.batch_size == storage.min_size == 11


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("evaluation_temperature", -1.0),
        ("batch_size", 0),
        ("average", "mean"),
        ("parts", -1),
    ],
)
def test_errors_name_values_out_of_range(field, value):
    with pytest.raises(ValueError, match=rf"{field} must be .*, got "):
        sft.agent(dataclasses.replace(sft.Config(), **{field: value}), SPEC)


def test_a_task_without_references_is_refused():
    with pytest.raises(ValueError, match="learns from reference completions, but the "):
        sft.agent(sft.Config(network=NETWORK), SPEC._replace(references=False))
