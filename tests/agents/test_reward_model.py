"""The reward model: preferences and loss by hand, and that it orders completions."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import reward_model
from agents.parts import sgd
from agents.parts.contract import Others, Spec, Transition
from agents.parts.language import reward, transformer
from agents.parts.language.sequences import EOS, PAD

P, T, V, B = 4, 3, 9, 5
SPEC = Spec(
    observation=jax.ShapeDtypeStruct((P + T,), np.dtype(np.int32)),
    num_actions=V,
    action=jax.ShapeDtypeStruct((T,), np.dtype(np.int32)),
    references=False,
)
NETWORK = transformer.Config(V, width=12, layers=1, heads=2, kv_heads=1)
PROMPTS = jnp.array(
    [[4, 5, PAD, PAD], [6, 4, 7, PAD], [8, 6, 5, 4], [7, 8, PAD, PAD], [5, 7, 6, PAD]]
)
FIRST = jnp.array([[4, 5, 6], [EOS, 0, 0], [7, EOS, 0], [8, 8, EOS], [5, EOS, 0]])
SECOND = jnp.array([[5, EOS, 0], [4, 4, 4], [8, 7, 5], [EOS, 0, 0], [6, 6, EOS]])
OBSERVATION = jnp.concatenate([PROMPTS, jnp.full((B, T), PAD)], axis=1)
SCORES = np.array([[1.0, 0.0, 2.0, 0.5, 4.0], [0.5, 3.0, 2.0, 0.75, -1.0]])
SIGNS = [1, -1, 0, -1, 1]  # the third pair has equal scores
UNEQUAL = [0, 1, 3, 4]


def make(**settings):
    settings = {"network": NETWORK, "optimizer": sgd.Optimizer(1e-2, 1e-8)} | settings
    return reward_model.agent(reward_model.Config(**settings), SPEC)


def batch_of(first, second, scores):
    scores = jnp.float32(scores)
    observation = jnp.resize(OBSERVATION, (len(first), P + T))
    return Transition(
        observation=observation,
        action=first,
        reward=scores[0],
        discount=jnp.zeros(len(first)),
        next_observation=observation,
        extras={"others": Others(second[:, None], scores[1][:, None])},
    )


BATCH = batch_of(FIRST, SECOND, SCORES)


@pytest.mark.parametrize(("flipped", "way"), [(0.0, 1), (1.0, -1)])
def test_preferences_are_those_of_the_scores_or_swapped(key, flipped, way):
    pairs = reward_model.pairs_of(BATCH, flipped, key)
    np.testing.assert_array_equal(pairs.other, SECOND)
    np.testing.assert_array_equal(pairs.sign, way * np.array(SIGNS))
    np.testing.assert_array_equal(pairs.weight, np.array(SIGNS) ** 2 / 4)


def test_the_given_share_of_preferences_is_swapped(key):
    many = [jnp.tile(each, (400, 1)) for each in (FIRST, SECOND)]
    pairs = reward_model.pairs_of(batch_of(*many, np.tile(SCORES, 400)), 0.25, key)
    swapped = (pairs.sign != np.tile(SIGNS, 400))[np.tile(SIGNS, 400) != 0]
    assert swapped.mean() == pytest.approx(0.25, abs=0.04)


def test_pairs_of_equal_scores_only_have_no_loss(key):
    equal = batch_of(FIRST, SECOND, SCORES[:1].repeat(2, axis=0))
    pairs = reward_model.pairs_of(equal, 0.0, key)
    assert not pairs.weight.any() and not pairs.sign.any()


def test_pair_losses_by_hand():
    first, second = jnp.array([0.0, 2.0, 2.0]), jnp.array([0.0, 1.0, 1.0])
    found = reward_model.pair_losses(first, second, jnp.array([1.0, 1.0, -1.0]))
    wanted = [math.log(2), math.log(1 + math.exp(-1)), math.log(1 + math.exp(1))]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize("parts", [1, B])
def test_the_loss_is_the_mean_over_pairs_that_are_not_equal(key, parts):
    params, sft = (transformer.init(jax.random.key(seed), NETWORK) for seed in (3, 4))
    loss = reward_model.loss_of(
        reward_model.Config(batch_size=B, parts=parts), NETWORK, SPEC
    )
    found, metrics = jax.jit(loss)({"reward": params, "sft": sft}, {}, BATCH, key)
    first, second = (
        np.float64(reward.rewards(params, sft, NETWORK, PROMPTS, each))
        for each in (FIRST, SECOND)
    )
    margin = (np.array(SIGNS) * (first - second))[UNEQUAL]
    assert 0 < (margin > 0).mean() < 1
    assert found == pytest.approx(np.log1p(np.exp(-margin)).mean(), rel=1e-4)
    assert metrics["accuracy"] == pytest.approx((margin > 0).mean())
    assert metrics["reward_mean"] == pytest.approx(first.mean(), rel=1e-4)
    assert metrics["score"] == pytest.approx(1.5)


def test_it_learns_the_order_and_chooses_the_best_sample(key):
    """The score is the number of tokens 7; the labels of a tenth are swapped."""
    agent = make(candidates=6, flipped=0.1)
    assert agent.given == ("sft",)
    first = state = agent.init(key)
    act, update = jax.jit(agent.act), jax.jit(agent.update)
    observation = jnp.tile(OBSERVATION, (7, 1))

    def sevens(tokens):
        return np.float32((np.asarray(tokens) == 7).sum(axis=-1))

    for i in range(150):
        key = jax.random.fold_in(jax.random.key(6), i)
        tokens, extras = act(state.params, key, observation, 0, False)
        others = extras["others"]
        assert others.actions.shape == (35, 1, T)
        scores = np.stack([sevens(tokens), sevens(others.actions[:, 0])])
        batch = batch_of(tokens, others.actions[:, 0], scores)
        state, metrics = update(state, batch._replace(observation=observation))
    assert metrics["accuracy"] > 0.75
    best, extras = act(state.params, key, observation, 0, True)
    assert not extras["others"].actions.any()
    plain, _ = act(first.params, key, observation, 0, False)
    assert sevens(best).mean() > sevens(plain).mean() + 0.5
    jax.tree.map(
        np.testing.assert_array_equal, state.params["sft"], first.params["sft"]
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [("flipped", 1.1), ("candidates", 0), ("batch_size", 0), ("parts", -1)],
)
def test_errors_name_values_out_of_range(field, value):
    with pytest.raises(ValueError, match=rf"{field} must be .*, got "):
        make(**{field: value})
