"""WARM's policy gradient: its loss by hand, and that it climbs the learned reward."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import warm
from agents.parts import sgd
from agents.parts.contract import Spec, Transition
from agents.parts.language import reward, sampling, transformer
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
COMPLETIONS = jnp.array([[4, 5, 6], [EOS, 0, 0], [7, EOS, 0], [8, 8, EOS], [5, EOS, 0]])
OBSERVATION = jnp.concatenate([PROMPTS, jnp.full((B, T), PAD)], axis=1)
SCORES = np.array([1.0, 0.0, 2.0, 0.0, 4.0])


def make(**settings):
    settings = {"network": NETWORK, "optimizer": sgd.Optimizer(1e-2, 1e-8)} | settings
    return warm.agent(warm.Config(**settings), SPEC)


@pytest.mark.parametrize("parts", [1, B])
def test_loss_by_hand(key, parts):
    """The reward is that of the network; the task's score is only a metric."""
    names = ("policy", "old", "sft", "reward")
    params = {
        name: transformer.init(jax.random.key(seed), NETWORK)
        for seed, name in enumerate(names)
    }
    scores = {
        name: np.float64(sampling.score(params[name], NETWORK, PROMPTS, COMPLETIONS))
        for name in names[:3]
    }
    new, old, sft = (scores[name].sum(axis=1) for name in names[:3])
    learned = np.float64(
        reward.rewards(params["reward"], params["sft"], NETWORK, PROMPTS, COMPLETIONS)
    )
    batch = Transition(
        observation=OBSERVATION,
        action=COMPLETIONS,
        reward=jnp.float32(SCORES),
        discount=jnp.zeros(B),
        next_observation=OBSERVATION,
        extras={"log_probs": jnp.float32(scores["old"])},
    )
    loss = warm.loss_of(
        warm.Config(anchor_weight=0.3, batch_size=B, parts=parts), NETWORK, SPEC
    )
    found, metrics = jax.jit(loss)(params, {}, batch, key)
    before = learned - 0.3 * (old - sft)
    baseline = (before.sum() - before) / (B - 1)
    advantage = learned - 0.3 * (new - sft) - baseline
    weight = np.minimum(np.exp(new - old), 1)
    assert found == pytest.approx((-weight * advantage * new).mean(), rel=1e-4)
    assert metrics["reward_mean"] == pytest.approx(learned.mean(), rel=1e-4)
    assert metrics["anchor_kl"] == pytest.approx((new - sft).mean(), rel=1e-4)
    assert metrics["score"] == pytest.approx(1.4)


def test_the_policy_climbs_the_learned_reward_whatever_the_score(key):
    agent = make(anchor_weight=0.01)
    assert agent.given == ("reward", "sft")
    first = state = agent.init(key)
    act, update = jax.jit(agent.act), jax.jit(agent.update)
    observation = jnp.tile(OBSERVATION, (7, 1))
    generator = np.random.default_rng(0)
    rewards = []
    for i in range(100):
        key = jax.random.fold_in(jax.random.key(6), i)
        tokens, extras = act(state.params, key, observation, 0, False)
        score = jnp.float32(generator.normal(size=len(tokens)))
        batch = Transition(observation, tokens, score, 0 * score, observation, extras)
        state, metrics = update(state, batch)
        rewards.append(float(metrics["reward_mean"]))
    given = [first.params[name] for name in agent.given]
    learned = reward.rewards(*given, NETWORK, PROMPTS, COMPLETIONS)
    assert np.mean(rewards[-9:]) - np.mean(rewards[:9]) > np.std(learned)
    for name in agent.given:
        jax.tree.map(
            np.testing.assert_array_equal, state.params[name], first.params[name]
        )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("anchor_weight", -0.1),
        ("evaluation_temperature", -1.0),
        ("batch_size", 1),
        ("parts", -1),
    ],
)
def test_errors_name_values_out_of_range(field, value):
    with pytest.raises(ValueError, match=rf"{field} must be .*, got "):
        make(**{field: value})
