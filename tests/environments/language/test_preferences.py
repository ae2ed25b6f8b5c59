"""Preferences: the golden reward, and the exact policy that trades it against KL."""

import itertools

import numpy as np
import pytest

import environments
from environments.language import preferences

LENGTH = 4
SEQUENCES = np.array(list(itertools.product(range(3), repeat=LENGTH)))


@pytest.fixture(scope="module")
def problem():
    """Log-probabilities and weights of a chain of three symbols."""
    generator = np.random.default_rng(2)
    return np.log(generator.dirichlet(np.ones(3), 3)), generator.normal(size=(3, 3))


def enumerate_all(table, start):
    """`[81, T]` entries of a table at the pairs of all sequences after `start`."""
    before = np.insert(SEQUENCES[:, :-1], 0, start, axis=1)
    return table[before, SEQUENCES]


@pytest.mark.parametrize("temperature", [0.03, 0.4, 5.0])
@pytest.mark.parametrize("start", range(3))
def test_the_tilted_policy_equals_the_enumerated_one(problem, temperature, start):
    log_probs, weights = problem
    reward = enumerate_all(weights, start).mean(1)
    reference = enumerate_all(log_probs, start).sum(1)
    wanted = reference + reward / temperature
    wanted -= np.logaddexp.reduce(wanted)

    tilted = preferences.tilt(log_probs, weights, LENGTH, temperature)
    before = np.insert(SEQUENCES[:, :-1], 0, start, axis=1)
    columns = np.arange(LENGTH)
    got = tilted.log_policy[columns, before, SEQUENCES].sum(1)
    np.testing.assert_allclose(got, wanted, rtol=1e-9)
    probs = np.exp(wanted)
    assert tilted.reward[start] == pytest.approx((probs * reward).sum())
    assert tilted.kl[start] == pytest.approx((probs * (wanted - reference)).sum())


def test_limits_are_the_reference_and_the_best_sequence(problem):
    log_probs, weights = problem
    reward = enumerate_all(weights, 1).mean(1)
    reference = np.exp(enumerate_all(log_probs, 1).sum(1))
    hot = preferences.tilt(log_probs, weights, LENGTH, 1e6)
    np.testing.assert_allclose(hot.kl, 0.0, atol=1e-9)
    assert hot.reward[1] == pytest.approx((reference * reward).sum(), abs=1e-5)
    cold = preferences.tilt(log_probs, weights, LENGTH, 1e-3)
    assert cold.reward[1] == pytest.approx(reward.max())


def test_no_other_policy_lies_above_the_front(problem):
    log_probs, weights = problem
    temperature = 0.2
    tilted = preferences.tilt(log_probs, weights, LENGTH, temperature)
    best = tilted.reward[0] - temperature * tilted.kl[0]
    reward = enumerate_all(weights, 0).mean(1)
    reference = enumerate_all(log_probs, 0).sum(1)
    generator = np.random.default_rng(7)
    for _ in range(20):
        other = reference + reward / temperature + generator.normal(size=len(reward))
        other -= np.logaddexp.reduce(other)
        kl = (np.exp(other) * (other - reference)).sum()
        assert (np.exp(other) * reward).sum() - temperature * kl < best


CONFIG = environments.Preferences(symbols=3, completion_columns=4)


def test_reward_is_the_mean_weight_of_neighbouring_tokens():
    task = preferences.GoldenRewards(CONFIG)
    table = preferences.weights(CONFIG)
    prompt = np.array([6, 5])
    pairs = [table[5, 4], table[4, 4], table[4, 6], table[6, 5]]
    reward = task.score(prompt, np.array([4, 4, 6, 5]))
    assert reward == pytest.approx(np.mean(pairs))


def test_ending_early_gives_the_smallest_weight_in_all_columns_left():
    task = preferences.GoldenRewards(CONFIG)
    table = preferences.weights(CONFIG)
    least = table[4:, 4:].min()
    assert (table[:4] == least).all()
    assert (table[:, :4] == least).all()
    reward = task.score(np.array([6, 5]), np.array([4, 1, 0, 0]))
    assert reward == pytest.approx((table[5, 4] + 3 * least) / 4)


def test_samples_of_the_tilted_policy_have_its_reward():
    tilted = preferences.tilted(CONFIG, temperature=0.1)
    task = preferences.GoldenRewards(CONFIG)
    generator = np.random.default_rng(4)
    rewards = []
    for _ in range(1_500):
        tokens = [2]  # the symbol of token 6
        for log_policy in tilted.log_policy:
            tokens.append(generator.choice(3, p=np.exp(log_policy[tokens[-1]])))
        rewards.append(task.score(np.array([4, 6]), np.array(tokens[1:]) + 4))
    error = np.std(rewards) / np.sqrt(len(rewards))
    assert error < 0.02
    assert abs(np.mean(rewards) - tilted.reward[2]) < 4 * error
    assert tilted.reward[2] > preferences.tilted(CONFIG, 1e6).reward[2] + 4 * error


@pytest.mark.parametrize("columns", [1, 3])
def test_prompts_of_evaluation_end_in_symbols_as_often_as_computed(columns):
    config = environments.Preferences(symbols=17, prompt_columns=columns, layout=4)
    ends = preferences.evaluation_ends(config)
    assert ends.shape == (17,) and ends.sum() == pytest.approx(1.0)
    lanes = 5_000
    environment = preferences.make(config, lanes, seed=2, evaluation=True)
    prompts = environment.reset().observation[:, :columns]
    drawn = np.bincount(prompts[:, -1] - 4, minlength=17) / lanes
    assert (abs(drawn - ends) <= 4 * np.sqrt(ends * (1 - ends) / lanes)).all()
    # The law is far from uniform: with one column, few symbols are for evaluation.
    assert abs(ends - 1 / 17).sum() > 0.3


def test_too_many_prompts_are_not_enumerated():
    config = environments.Preferences(symbols=33, prompt_columns=5)
    with pytest.raises(ValueError, match=r"at most 1,048,576 .* have 39,135,393"):
        preferences.evaluation_ends(config)
