"""BOND and J-BOND: rewards, loss and anchor by hand, the anchor's samples, learning."""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import REGISTRY, bond
from agents.parts import sgd
from agents.parts.contract import Others, Spec, Transition
from agents.parts.language import sampling, transformer
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
REWARD = np.array([1.0, 0.0, 2.0, 0.0, 4.0])
# Worse than both, equal to one, between, better than both, equal to both.
OTHERS = np.array([[2.0, 1.5], [0.0, 3.0], [5.0, 1.0], [-1.0, -2.0], [4.0, 4.0]])
R_J = np.array([-math.log(16), 0, 0, 0, 0])
BETTER = [0, 1, 0, 0, 0]
DRAWN = jnp.stack([COMPLETIONS[::-1], jnp.roll(COMPLETIONS, 1, axis=0)], axis=1)
# With a third sample, N = 2 and k = 3: the best is still that of the first two.
THIRD = np.array([9.0, 0.5, 2.0, 0.0, 3.0])
THREE = Others(
    jnp.concatenate([DRAWN, COMPLETIONS[:, None]], axis=1),
    jnp.float32(np.concatenate([OTHERS, THIRD[:, None]], axis=1)),
)
TWO = Others(DRAWN, jnp.float32(OTHERS))
LOG_QUANTILES = {2: np.log([1, 2, 2, 3, 3]) - math.log(3)}
LOG_QUANTILES[3] = np.log([1, 2, 3, 4, 4]) - math.log(4)


def make(**settings):
    settings = {"network": NETWORK, "optimizer": sgd.Optimizer(1e-2, 1e-8)} | settings
    return bond.agent(bond.Config(**settings), SPEC)


def test_rewards_by_hand():
    found = bond.worse_than_both(jnp.float32(REWARD), jnp.float32(OTHERS))
    np.testing.assert_allclose(found, R_J, rtol=1e-6)


@pytest.mark.parametrize("others", [TWO, THREE], ids=["2", "3"])
def test_quantiles_by_hand(others):
    found = bond.log_quantiles(jnp.float32(REWARD), others.rewards)
    wanted = LOG_QUANTILES[others.rewards.shape[1]]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)


def test_quantiles_depend_on_the_order_of_scores_only():
    found = bond.log_quantiles(jnp.float32(REWARD), THREE.rewards)
    other = bond.log_quantiles(jnp.exp(jnp.float32(REWARD)), jnp.exp(THREE.rewards))
    np.testing.assert_array_equal(found, other)


@pytest.fixture(scope="module")
def networks():
    """A policy, the older one that generated, and an anchor."""
    return [transformer.init(jax.random.key(seed), NETWORK) for seed in (3, 4, 5)]


def scores(params, completions):
    score = jax.jit(sampling.score, static_argnums=1)
    return np.asarray(score(params, NETWORK, PROMPTS, completions), np.float64)


def batch_of(old, others=TWO):
    return Transition(
        observation=OBSERVATION,
        action=COMPLETIONS,
        reward=jnp.float32(REWARD),
        discount=jnp.zeros(B),
        next_observation=OBSERVATION,
        extras={
            "log_probs": jnp.float32(old),
            "others": others,
        },
    )


@pytest.mark.parametrize(
    ("others", "parts"), [(TWO, 1), (THREE, B)], ids=["jbond", "bond, in parts"]
)
def test_loss_and_gradient_by_hand(networks, others, parts):
    policy, older, anchor = networks
    beta, gamma = 0.3, 0.7
    new, old, fixed = (scores(each, COMPLETIONS).sum(axis=1) for each in networks)
    better = DRAWN[np.arange(B), np.array(BETTER)]
    samples = others.rewards.shape[1]
    config = bond.Config(
        backward_weight=beta,
        regularization=gamma,
        batch_size=B,
        parts=parts,
        quantile_samples=samples if others is THREE else 0,
    )
    loss = bond.loss_of(config, NETWORK, SPEC)
    batch = batch_of(scores(older, COMPLETIONS), others)

    @jax.jit
    def value(own):
        params = {"policy": own, "anchor": anchor}
        return loss(params, {}, batch, jax.random.key(0))

    found, metrics = value(policy)
    reward = LOG_QUANTILES[3] if others is THREE else R_J
    before = beta * reward - (beta + gamma) * (old - fixed)
    baseline = (before.sum() - before) / (B - 1)
    advantage = beta * reward - (beta + gamma) * (new - fixed) - baseline
    weight = np.minimum(np.exp(new - old), 1) * advantage
    likelihood = scores(policy, better).sum(axis=1)
    by_hand = -(1 - beta) * likelihood - weight * new
    assert found == pytest.approx(by_hand.mean(), rel=1e-4)
    distance = (scores(anchor, better).sum(axis=1) - likelihood).mean()
    assert metrics["forward_kl"] == pytest.approx(
        distance + math.log(2) - 1 / 2, rel=1e-4
    )
    assert metrics["log_quantile"] == pytest.approx(
        LOG_QUANTILES[samples].mean(), rel=1e-4
    )
    assert metrics["anchor_score"] == pytest.approx(others.rewards.mean())
    assert metrics["anchor_kl"] == pytest.approx((new - fixed).mean(), rel=1e-4)

    def surrogate(own):
        def score(completion):
            return sampling.score(own, NETWORK, PROMPTS, completion).sum(axis=1)

        backward = jnp.float32(weight) * score(COMPLETIONS)
        return -((1 - beta) * score(better) + backward).mean()

    gradient = jax.jit(jax.grad(lambda own: value(own)[0]))(policy)
    wanted = jax.jit(jax.grad(surrogate))(policy)
    chex.assert_trees_all_close(gradient, wanted, rtol=1e-3, atol=1e-5)


def test_the_policy_that_is_the_anchor_has_the_distance_of_the_best_of_n(networks):
    """KL(best of N, anchor) is log N - (N - 1) / N, whatever the samples."""
    anchor = networks[2]
    loss = bond.loss_of(bond.Config(best_of=3, quantile_samples=3), NETWORK, SPEC)
    batch = batch_of(scores(anchor, COMPLETIONS), THREE)
    params = {"policy": anchor, "anchor": anchor}
    _, metrics = jax.jit(loss)(params, {}, batch, jax.random.key(0))
    assert metrics["forward_kl"] == pytest.approx(math.log(3) - 2 / 3, abs=1e-5)
    assert metrics["anchor_kl"] == pytest.approx(0, abs=1e-5)


def test_the_anchor_becomes_the_policy_at_every_third_update(networks, key):
    agent = make(anchor_step_size=1.0, anchor_period=3)
    update, state = jax.jit(agent.update), agent.init(key)
    batch = batch_of(scores(networks[1], COMPLETIONS))
    anchor = state.params["anchor"]
    for step in range(1, 8):
        state, _ = update(state, batch)
        anchor = state.params["policy"] if step in (3, 6) else anchor
        chex.assert_trees_all_equal(state.params["anchor"], anchor)


def test_an_update_moves_the_anchor_towards_the_new_policy(networks, key):
    agent = make(anchor_step_size=0.25)
    first = agent.init(key)
    after, _ = jax.jit(agent.update)(first, batch_of(scores(networks[1], COMPLETIONS)))
    wanted = jax.tree.map(
        lambda old, new: 0.75 * old + 0.25 * new,
        first.params["anchor"],
        after.params["policy"],
    )
    chex.assert_trees_all_close(after.params["anchor"], wanted, atol=1e-6)
    chex.assert_trees_all_equal(after.params["sft"], first.params["sft"])


def test_samples_of_the_anchor_come_with_each_of_the_policy(key):
    """Samples are more likely under the network that drew them than under another."""
    samples = 5
    agent = make(best_of=3, quantile_samples=samples)
    params = agent.init(key).params
    many = jnp.tile(OBSERVATION, (40, 1))
    prompts = many[:, :P]
    _, extras = jax.jit(agent.act)(params, key, many, 0, False)
    others = extras["others"]
    assert others.actions.shape == (200, samples, T) and not others.rewards.any()
    assert (others.actions[:, 0] != others.actions[:, 1]).any(axis=1).mean() > 0.5

    def mean_log_prob(name, tokens):
        found = sampling.score(params[name], NETWORK, prompts, tokens)
        return found.sum(axis=1).mean()

    for k in range(samples):
        own = mean_log_prob("anchor", others.actions[:, k])
        assert own > mean_log_prob("policy", others.actions[:, k]) + 1
    _, extras = jax.jit(agent.act)(params, key, many, 0, True)
    assert not extras["others"].actions.any()


@pytest.mark.parametrize(
    "settings",
    [
        {"anchor_step_size": 0.1},
        {**REGISTRY["bond"].settings, "quantile_samples": 6, "anchor_period": 10},
    ],
    ids=["jbond", "bond"],
)
def test_it_finds_the_completion_with_the_best_reward(key, settings):
    """The reward is the number of tokens 7, with a little noise that breaks ties."""
    agent = make(**settings)
    state = agent.init(key)
    act, update = jax.jit(agent.act), jax.jit(agent.update)
    observation = jnp.tile(OBSERVATION, (7, 1))
    generator = np.random.default_rng(0)

    def reward_of(tokens):
        noise = 0.1 * generator.normal(size=tokens.shape[:-1])
        return jnp.float32((np.asarray(tokens) == 7).sum(axis=-1) + noise)

    for i in range(120):
        key = jax.random.fold_in(jax.random.key(6), i)
        tokens, extras = act(state.params, key, observation, 0, False)
        others = extras["others"]
        extras["others"] = others._replace(rewards=reward_of(others.actions))
        reward = reward_of(tokens)
        batch = Transition(observation, tokens, reward, 0 * reward, observation, extras)
        state, metrics = update(state, batch)
    assert metrics["score"] > 2.5
    greedy, _ = act(state.params, key, OBSERVATION, 0, True)
    np.testing.assert_array_equal(greedy, np.full((B, T), 7))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("backward_weight", 1.1),
        ("anchor_step_size", -0.1),
        ("anchor_period", 0),
        ("best_of", 1),
        ("best_of", 3),
        ("quantile_samples", 1),
        ("quantile_samples", -1),
        ("regularization", -0.1),
        ("evaluation_temperature", -1.0),
        ("batch_size", 1),
        ("parts", -1),
    ],
)
def test_errors_name_values_out_of_range(field, value):
    with pytest.raises(ValueError, match=rf"{field} must be .*, got "):
        make(**{field: value})
