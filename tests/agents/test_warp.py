"""WARP: its loss and gradient by hand, its anchor, and that it finds the reward."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import warp
from agents.parts import sgd
from agents.parts.contract import Spec, Transition
from agents.parts.language import policy_gradient, sampling, sequences, transformer
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


def make(**settings):
    settings = {"network": NETWORK, "optimizer": sgd.Optimizer(1e-2, 1e-8)} | settings
    return warp.agent(warp.Config(**settings), SPEC)


@pytest.fixture(scope="module")
def networks():
    """A policy, the older one that generated, and an anchor."""
    return [transformer.init(jax.random.key(seed), NETWORK) for seed in (3, 4, 5)]


@pytest.fixture(scope="module")
def scores(networks):
    """`[3, B, T]` log-probabilities of the completions under each."""
    score = jax.jit(lambda each: sampling.score(each, NETWORK, PROMPTS, COMPLETIONS))
    return [np.asarray(score(each), np.float64) for each in networks]


def batch_of(old):
    return Transition(
        observation=OBSERVATION,
        action=COMPLETIONS,
        reward=jnp.float32(REWARD),
        discount=jnp.zeros(B),
        next_observation=OBSERVATION,
        extras={"log_probs": jnp.float32(old)},
    )


@pytest.mark.parametrize("parts", [1, B])
def test_loss_by_hand(networks, scores, parts):
    """The KL term has today's ratio in the reward, and the old one in the baseline."""
    policy, _, anchor = networks
    new, old, fixed = (each.sum(axis=1) for each in scores)
    config = warp.Config(anchor_weight=0.3, batch_size=B, parts=parts)
    loss = warp.loss_of(config, NETWORK, SPEC)

    @jax.jit
    def value(own):
        batch, key = batch_of(scores[1]), jax.random.key(0)
        return loss({"policy": own}, {"policy": anchor}, batch, key)

    found, metrics = value(policy)
    before = REWARD - 0.3 * (old - fixed)
    baseline = (before.sum() - before) / (B - 1)
    advantage = REWARD - 0.3 * (new - fixed) - baseline
    weight = np.minimum(np.exp(new - old), 1)
    assert found == pytest.approx((-weight * advantage * new).mean(), rel=1e-4)
    assert metrics["anchor_kl"] == pytest.approx((new - fixed).mean(), rel=1e-4)
    assert metrics["ratio_mean"] == pytest.approx(weight.mean(), rel=1e-4)
    assert metrics["score"] == pytest.approx(7 / 5)

    def by_hand(own):
        log_probs = sampling.score(own, NETWORK, PROMPTS, COMPLETIONS)
        return -(jnp.float32(weight * advantage) * log_probs.sum(axis=1)).mean()

    gradient = jax.jit(jax.grad(lambda own: value(own)[0]))(policy)
    wanted = jax.jit(jax.grad(by_hand))(policy)
    chex.assert_trees_all_close(gradient, wanted, rtol=1e-3, atol=1e-5)


def test_without_an_anchor_it_is_reinforce(networks, scores):
    policy, _, anchor = networks
    batch = batch_of(scores[0])
    loss = warp.loss_of(warp.Config(anchor_weight=0.0), NETWORK, SPEC)
    found, _ = jax.jit(loss)(
        {"policy": policy}, {"policy": anchor}, batch, jax.random.key(0)
    )
    own = jnp.float32(scores[0])
    losses, _ = policy_gradient.losses(
        own, own, policy_gradient.advantages(batch.reward)
    )
    assert found == pytest.approx(float(losses.mean()), rel=1e-4)


@pytest.mark.parametrize("step_size", [0.0, 0.25, 1.0])
def test_the_anchor_moves_a_fraction_towards_the_policy(step_size, scores, key):
    agent = make(anchor_step_size=step_size)
    first = agent.init(key)
    after, _ = jax.jit(agent.update)(first, batch_of(scores[1]))
    wanted = jax.tree.map(
        lambda old, new: (1 - step_size) * old + step_size * new,
        first.target_params["policy"],
        after.params["policy"],
    )
    chex.assert_trees_all_close(after.target_params["policy"], wanted, atol=1e-6)
    chex.assert_trees_all_equal(after.params["sft"], first.params["sft"])
    assert set(after.target_params) == {"policy"}


def test_the_measure_is_the_distance_from_the_supervised_policy(key):
    agent = make()
    params = agent.init(key).params
    alike = {"policy": params["sft"], "sft": params["sft"]}
    measure = jax.jit(agent.measure)
    assert measure(alike, key, OBSERVATION)["sft_kl"] == pytest.approx(0, abs=1e-5)
    many = jnp.broadcast_to(OBSERVATION[:1], (2_000, P + T))
    measured = measure(params, jax.random.key(1), many)["sft_kl"]
    tokens, own = jax.jit(sampling.generate, static_argnums=(1, 4))(
        params["policy"], NETWORK, jax.random.key(2), many[:, :P], T
    )
    other = sampling.score(params["sft"], NETWORK, many[:, :P], tokens)
    ratio = np.asarray((own - other).sum(axis=1))
    error = ratio.std() / np.sqrt(len(ratio))
    assert error < 0.1 * ratio.mean()
    assert abs(measured - ratio.mean()) < 5 * error


def test_the_measure_by_hand(key, monkeypatch):
    """KL(policy, sft), in this order, at the tokens up to EOS of given completions."""

    def generate(*arguments):
        return sampling.Completion(COMPLETIONS, jnp.zeros((B, T)))

    monkeypatch.setattr(sampling, "generate", generate)
    agent = make()
    params = agent.init(key).params
    logits = jax.jit(sampling.completion_logits, static_argnums=1)
    log_p, log_q = (
        np.asarray(
            jax.nn.log_softmax(logits(params[name], NETWORK, PROMPTS, COMPLETIONS)),
            np.float64,
        )
        for name in ("policy", "sft")
    )
    inside = np.asarray(sequences.completion_mask(COMPLETIONS))
    kl = (np.exp(log_p) * (log_p - log_q)).sum(axis=-1)
    measured = jax.jit(agent.measure)(params, key, OBSERVATION)["sft_kl"]
    assert measured == pytest.approx((kl * inside).sum(axis=1).mean(), rel=1e-4)


@pytest.mark.parametrize(("weight", "step_size"), [(0.0, 0.0), (0.02, 0.1)])
def test_it_finds_the_completion_with_the_best_reward(weight, step_size, key):
    """The reward is the number of tokens 7."""
    agent = make(anchor_weight=weight, anchor_step_size=step_size, temperature=1.0)
    state = agent.init(key)
    act, update = jax.jit(agent.act), jax.jit(agent.update)
    observation = jnp.tile(OBSERVATION, (7, 1))
    for i in range(60):
        key = jax.random.fold_in(jax.random.key(6), i)
        tokens, extras = act(state.params, key, observation, 0, False)
        reward = (tokens == 7).sum(axis=1).astype(jnp.float32)
        batch = Transition(observation, tokens, reward, 0 * reward, observation, extras)
        state, metrics = update(state, batch)
    assert metrics["score"] > 2.5
    greedy, _ = act(state.params, key, OBSERVATION, 0, True)
    np.testing.assert_array_equal(greedy, np.full((B, T), 7))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("anchor_weight", -0.1),
        ("anchor_step_size", 1.1),
        ("temperature", 0.0),
        ("evaluation_temperature", -1.0),
        ("batch_size", 1),
        ("parts", -1),
    ],
)
def test_errors_name_values_out_of_range(field, value):
    with pytest.raises(ValueError, match=rf"{field} must be .*, got "):
        make(**{field: value})
