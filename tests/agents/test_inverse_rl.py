"""Inverse RL of language: its reward and loss by hand, and its limits."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import inverse_rl, sft
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
PROMPTS = jnp.array(
    [[4, 5, PAD, PAD], [6, 4, 7, PAD], [8, 6, 5, 4], [7, 8, PAD, PAD], [5, 7, 6, PAD]]
)
# The prompt's last token but one, then EOS; the last one fills all columns.
REFERENCES = jnp.array([[each, EOS, PAD] for each in (4, 4, 5, 7)] + [[7, 7, 7]])
BATCH = Transition(
    observation=jnp.concatenate([PROMPTS, REFERENCES], axis=1),
    action=REFERENCES,
    reward=jnp.zeros(5),
    discount=jnp.zeros(5),
    next_observation=jnp.concatenate([PROMPTS, REFERENCES], axis=1),
)


def make(module=inverse_rl, **settings):
    settings = {"network": NETWORK, "optimizer": sgd.Optimizer(1e-2, 1e-8)} | settings
    return module.agent(module.Config(**settings), SPEC)


def trained(agent, key, updates, batch=BATCH):
    """The states after each update, and the metrics of the last."""
    update, state, states = jax.jit(agent.update), agent.init(key), []
    for _ in range(updates):
        state, metrics = update(state, batch)
        states.append(state)
    return states, metrics


def test_rewards_by_hand():
    """V of the second and third state is ln 11 and ln 12; 0 behind the last column."""
    logits = jnp.log(jnp.array([[1.0, 2.0, 4.0], [8.0, 2.0, 1.0], [3.0, 4.0, 5.0]]))
    assert EOS == 1
    cut = inverse_rl.rewards(logits, jnp.array([2, 0, 2]), 0.5)
    by_hand = [np.log(4) - np.log(11) / 2, np.log(8) - np.log(12) / 2, np.log(5)]
    assert cut.tolist() == pytest.approx(by_hand, rel=1e-5)
    ended = inverse_rl.rewards(logits, jnp.array([2, EOS, PAD]), 0.5)
    assert ended[:2].tolist() == pytest.approx([by_hand[0], np.log(2)], rel=1e-5)


def test_entropies_by_hand():
    found = inverse_rl.entropies(jnp.log(jnp.array([[0.5, 0.25, 0.25], [1, 1, 1]])))
    assert found.tolist() == pytest.approx([1.5 * np.log(2), np.log(3)], rel=1e-6)


@pytest.mark.parametrize("average", ["token_mean", "sequence_mean"])
def test_the_loss_is_the_mean_of_its_three_terms(average, key):
    settings = {"td_weight": 0.3, "discount": 0.7, "entropy_weight": 0.2}
    agent = make(average=average, **settings)
    state = agent.init(key)
    _, metrics = jax.jit(agent.update)(state, BATCH)
    network = dataclasses.replace(NETWORK, vocabulary=V)
    logits = np.asarray(
        jax.jit(sampling.completion_logits, static_argnums=1)(
            state.params["policy"], network, PROMPTS, REFERENCES
        ),
        np.float64,
    )
    v = np.log(np.exp(logits).sum(axis=-1))
    means, squares, lengths = [], [], [2, 2, 2, 2, 3]
    for row, length in enumerate(lengths):
        terms = []
        for t in range(length):
            q = logits[row, t, REFERENCES[row, t]]
            after = v[row, t + 1] if t + 1 < length else 0.0
            policy = np.exp(logits[row, t] - v[row, t])
            entropy = -(policy * np.log(policy)).sum()
            squares.append((q - 0.7 * after) ** 2)
            terms.append(0.3 * squares[-1] + v[row, t] - q - 0.2 * entropy)
        means.append(terms)
    by_hand = {
        "token_mean": np.concatenate(means).mean(),
        "sequence_mean": np.mean([np.mean(terms) for terms in means]),
    }
    assert metrics["policy_loss"] == pytest.approx(by_hand[average], rel=1e-5)
    assert metrics["squared_reward"] == pytest.approx(np.mean(squares), rel=1e-5)


def test_without_weights_it_is_supervised_fine_tuning_to_the_bit(key):
    ours, _ = trained(make(td_weight=0.0), key, 4)
    other, _ = trained(make(sft), key, 4)
    jax.tree.map(np.testing.assert_array_equal, ours[-1].params, other[-1].params)
    apart, _ = trained(make(td_weight=0.01), key, 4)
    leaves = zip(
        *map(jax.tree.leaves, (ours[-1].params, apart[-1].params)), strict=True
    )
    assert any((a != b).any() for a, b in leaves)


def test_it_learns_the_references_with_smaller_rewards(key):
    """The term shrinks the rewards, and the most likely tokens stay the references."""
    squared = {}
    for weight in (0.0, 0.1):
        agent = make(td_weight=weight)
        states, metrics = trained(agent, key, 80)
        squared[weight] = metrics["squared_reward"]
        tokens, _ = jax.jit(agent.act)(
            states[-1].params, key, BATCH.observation, 0, True
        )
        np.testing.assert_array_equal(tokens, REFERENCES)
    assert squared[0.1] < squared[0.0] / 4


def test_an_entropy_bonus_leaves_more_entropy(key):
    _, plain = trained(make(td_weight=0.0), key, 40)
    _, bonus = trained(make(td_weight=0.0, entropy_weight=0.5), key, 40)
    assert bonus["entropy"] > 2 * plain["entropy"]


GENERATED = jnp.array(
    [[8, 3, EOS], [4, EOS, PAD], [EOS, PAD, PAD], [5, 6, 7], [7, 7, 7]], jnp.int32
)
ONLINE = BATCH._replace(action=GENERATED, extras={"log_probs": jnp.zeros((5, T))})


def lengths_of(completions):
    return [row.index(EOS) + 1 if EOS in row else T for row in completions.tolist()]


@pytest.mark.parametrize("average", ["token_mean", "sequence_mean"])
def test_the_online_loss_mixes_the_states_of_both_completions(average, key):
    """IQ-Learn's three expectations, token by token, in double precision."""
    weight, discount, share = 0.3, 0.7, 0.2
    agent = make(
        average=average, td_weight=weight, discount=discount, policy_share=share
    )
    state = agent.init(key)
    _, metrics = jax.jit(agent.update)(state, ONLINE)
    network = dataclasses.replace(NETWORK, vocabulary=V)

    def terms(completions, rows):
        """For each row the sums of r, r^2 and V(s_t) - gamma V(s_{t+1})."""
        logits = np.asarray(
            sampling.completion_logits(
                state.params["policy"], network, PROMPTS, completions
            ),
            np.float64,
        )
        v = np.log(np.exp(logits).sum(axis=-1))
        for row, length in zip(rows, lengths_of(completions), strict=True):
            after = [*v[row, 1:length], 0.0]
            q = [logits[row, t, completions[row, t]] for t in range(length)]
            r = np.array([q[t] - discount * after[t] for t in range(length)])
            steps = [v[row, t] - discount * after[t] for t in range(length)]
            yield np.array([r.sum(), (r**2).sum(), np.sum(steps)])

    rows = range(5)
    ours = np.array(list(terms(REFERENCES, rows)))
    own = np.array(list(terms(GENERATED, rows)))
    each = {
        "token_mean": np.full(5, 1 / 11),
        "sequence_mean": 1 / (5 * np.array([2, 2, 2, 2, 3])),
    }[average]
    mixed = (1 - share) * each @ ours + share * each @ own
    by_hand = mixed[2] - each @ ours[:, 0] + weight * mixed[1]
    assert metrics["policy_loss"] == pytest.approx(by_hand, rel=1e-5)
    assert metrics["completion_length"] == pytest.approx(12 / 5)
    assert metrics["truncated"] == pytest.approx(2 / 5)


def test_online_without_discount_and_squares_it_is_maximum_likelihood(key):
    """V(s_t) - V(s_{t+1}) adds up to V(s_0) over any completion of a prompt."""
    parts = {"parts": 1}
    online = make(td_weight=0.0, policy_share=0.6, **parts)
    state, metrics = jax.jit(online.update)(online.init(key), ONLINE)
    likelihood = make(sft, **parts)
    other, wanted = jax.jit(likelihood.update)(likelihood.init(key), BATCH)
    assert metrics["policy_loss"] == pytest.approx(
        float(wanted["policy_loss"]), rel=1e-5
    )
    # Adam's first step is the gradient's sign where the gradient is not about 0.
    for a, b in zip(*map(jax.tree.leaves, (state.params, other.params)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_online_actors_generate_and_offline_ones_copy_the_references(key):
    for share, references in ((0.0, True), (0.1, False)):
        agent = make(policy_share=share)
        params = agent.init(key).params
        tokens, extras = jax.jit(agent.act)(params, key, BATCH.observation, 0, False)
        assert (tokens == REFERENCES).all() == references
        assert bool(extras) != references


def test_online_it_learns_the_references_with_smaller_rewards_elsewhere(key):
    """Squared rewards of other completions shrink if they have a share."""
    network, squared = dataclasses.replace(NETWORK, vocabulary=V), {}
    for share in (0.0, 0.5):
        agent = make(td_weight=0.1, policy_share=share)
        batch = ONLINE if share else BATCH
        states, _ = trained(agent, key, 80, batch)
        params = states[-1].params
        greedy, _ = jax.jit(agent.act)(params, key, BATCH.observation, 0, True)
        np.testing.assert_array_equal(greedy, REFERENCES)
        logits = inverse_rl.logits_of(params, network, PROMPTS, GENERATED)
        implied, _ = inverse_rl.of_tokens(logits, GENERATED, 1.0)
        squared[share] = float(jnp.mean(implied[:, 0] ** 2))
    assert squared[0.5] < squared[0.0] / 4, squared


def test_measures_are_sums_over_the_references(key):
    agent = make(discount=0.6)
    params = agent.init(key).params
    measured = jax.jit(agent.measure)(params, key, BATCH.observation)
    network = dataclasses.replace(NETWORK, vocabulary=V)
    arguments = params["policy"], network, PROMPTS, REFERENCES
    scores = jax.jit(sampling.score, static_argnums=1)(*arguments)
    assert measured["reference_log_prob"] == pytest.approx(
        float(scores.sum() / 5), rel=1e-5
    )
    logits = jax.jit(sampling.completion_logits, static_argnums=1)(*arguments)
    sums = [
        float(inverse_rl.rewards(q, y, 0.6)[:length].sum())
        for q, y, length in zip(logits, REFERENCES, [2, 2, 2, 2, 3], strict=True)
    ]
    assert measured["reference_reward"] == pytest.approx(np.mean(sums), rel=1e-4)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("td_weight", -0.1),
        ("entropy_weight", -0.1),
        ("discount", 1.1),
        ("policy_share", -0.1),
        ("policy_share", 1.1),
        ("evaluation_temperature", -1.0),
        ("batch_size", 0),
        ("average", "mean"),
        ("parts", -1),
    ],
)
def test_errors_name_values_out_of_range(field, value):
    with pytest.raises(ValueError, match=rf"{field} must be .*, got "):
        make(**{field: value})


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_a_task_without_references_is_refused(share):
    config = inverse_rl.Config(network=NETWORK, policy_share=share)
    with pytest.raises(ValueError, match="learns from reference completions, but the "):
        inverse_rl.agent(config, SPEC._replace(references=False))
