"""RLEF: returns, values and losses by hand, and that actor and critic learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import rlef
from agents.parts import sgd
from agents.parts.contract import Spec, Transition
from agents.parts.language import assembly, sampling, sequences, transformer
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
LENGTHS = [3, 1, 2, 3, 2]
OBSERVATION = jnp.concatenate([PROMPTS, jnp.full((B, T), PAD)], axis=1)
REWARD = np.array([1.0, 0.0, 2.0, 0.0, 4.0])
ALPHA = 0.3


def make(**settings):
    settings = {"network": NETWORK, "optimizer": sgd.Optimizer(1e-2, 1e-8)} | settings
    return rlef.agent(rlef.Config(**settings), SPEC)


def test_returns_by_hand():
    """Two tokens of log-ratio 1 and 2, then EOS of 4; and a completion of EOS alone."""
    log_ratio = jnp.array([[1.0, 2.0, 4.0], [3.0, 0.0, 0.0]])
    completion = jnp.array([[5, 6, EOS], [EOS, PAD, PAD]])
    found = rlef.returns(jnp.array([10.0, 20.0]), log_ratio, completion, 0.5)
    by_hand = [[10 - 3.5, 10 - 3, 10 - 2], [20 - 1.5, 0, 0]]
    np.testing.assert_allclose(found, by_hand)


@pytest.fixture(scope="module")
def params():
    names = ("policy", "value", "sft")
    return {
        name: transformer.init(jax.random.key(seed), NETWORK)
        for seed, name in enumerate(names, start=3)
    }


@pytest.fixture(scope="module")
def logits(params):
    """`[B, T, V]` of each network before each token of the completions."""
    find = jax.jit(sampling.completion_logits, static_argnums=1)
    return {
        name: np.asarray(find(each, NETWORK, PROMPTS, COMPLETIONS), np.float64)
        for name, each in params.items()
    }


def taken(logits):
    log_probs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    tokens = np.asarray(COMPLETIONS)[..., None]
    return np.take_along_axis(log_probs, tokens, axis=2)[..., 0]


def batch_of(old):
    return Transition(
        observation=OBSERVATION,
        action=COMPLETIONS,
        reward=jnp.float32(REWARD),
        discount=jnp.zeros(B),
        next_observation=OBSERVATION,
        extras={"log_probs": jnp.float32(old)},
    )


def test_losses_by_hand(params, logits):
    """A value is the critic's logit of PAD less that of the supervised policy."""
    policy, sft = taken(logits["policy"]), taken(logits["sft"])
    values = logits["value"][..., PAD] - logits["sft"][..., PAD]
    losses, errors, critics = [], [], []
    old = policy + 0.1
    for row, length in enumerate(LENGTHS):
        weight = min(np.exp(-0.1 * length), 1)
        loss = 0.0
        for t in range(length):
            cost = (old[row, t:length] - sft[row, t:length]).sum()
            error = REWARD[row] - ALPHA * cost - values[row, t]
            loss -= weight * error * policy[row, t]
            errors.append(error)
            critics.append(values[row, t])
        losses.append(loss)
    inside = np.asarray(sequences.completion_mask(COMPLETIONS))
    both = rlef.ActorCritic(NETWORK, ALPHA)

    @jax.jit
    def found(params):
        batch, key = batch_of(old * inside), jax.random.key(0)
        actor = assembly.loss_in_parts(SPEC, both.policy_loss, parts=B)
        critic = assembly.loss_in_parts(
            SPEC, both.critic_loss, parts=1, network="value"
        )
        return [each(params, {}, batch, key) for each in (actor, critic)]

    (policy_loss, metrics), (critic_loss, more) = found(params)
    assert policy_loss == pytest.approx(np.mean(losses), rel=1e-4)
    assert metrics["score"] == pytest.approx(7 / 5)
    assert critic_loss == pytest.approx(np.mean(np.square(errors)) / 2, rel=1e-4)
    assert more["value_mean"] == pytest.approx(np.mean(critics), rel=1e-4)


def test_a_critic_with_the_supervised_weights_begins_at_0(params):
    part = assembly.Part(PROMPTS, COMPLETIONS, None, None, None, None)
    alike = {**params, "value": params["sft"]}
    values = jax.jit(lambda own: rlef.ActorCritic(NETWORK, 0.0).values(own, part))
    assert not values(alike).any()


def test_actor_and_critic_learn_and_the_supervised_policy_does_not(key):
    """The reward is the number of tokens 7."""
    agent = make(kl_weight=0.01)
    assert agent.given == ("sft",)
    first = state = agent.init(key)
    act, update = jax.jit(agent.act), jax.jit(agent.update)
    observation = jnp.tile(OBSERVATION, (7, 1))
    losses = []
    for i in range(80):
        key = jax.random.fold_in(jax.random.key(6), i)
        tokens, extras = act(state.params, key, observation, 0, False)
        reward = (tokens == 7).sum(axis=1).astype(jnp.float32)
        batch = Transition(observation, tokens, reward, 0 * reward, observation, extras)
        state, metrics = update(state, batch)
        losses.append(float(metrics["value_loss"]))
    assert metrics["score"] > 2.5
    assert metrics["value_mean"] == pytest.approx(metrics["score"], abs=0.5)
    assert np.mean(losses[-9:]) < np.mean(losses[:9]) / 3
    greedy, _ = act(state.params, key, OBSERVATION, 0, True)
    np.testing.assert_array_equal(greedy, np.full((B, T), 7))
    jax.tree.map(
        np.testing.assert_array_equal, state.params["sft"], first.params["sft"]
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kl_weight", -0.1),
        ("evaluation_temperature", -1.0),
        ("batch_size", 0),
        ("parts", -1),
    ],
)
def test_errors_name_values_out_of_range(field, value):
    with pytest.raises(ValueError, match=rf"{field} must be .*, got "):
        make(**{field: value})
