"""Markov completions: the score is the oracle's log-probability."""

import numpy as np
import pytest

import environments
from environments.language import chain, markov
from environments.language.vocabulary import EOS

CONFIG = environments.Markov(
    order=2, symbols=5, prompt_columns=3, completion_columns=4, floor=0.05
)


def test_score_is_the_mean_log_probability_of_tokens_up_to_eos():
    task = markov.Continuations(CONFIG)
    probs = markov.oracle(CONFIG).probs
    prompt = np.array([4, 7, 5])
    full = np.array([8, 4, 4, 6])
    wanted = np.log([probs[7, 5, 8], probs[5, 8, 4], probs[8, 4, 4], probs[4, 4, 6]])
    assert task.score(prompt, full) == pytest.approx(wanted.mean(), rel=1e-6)
    ended = np.array([8, EOS, 0, 0])
    mean = (wanted[0] + chain.IMPOSSIBLE) / 2
    assert task.score(prompt, ended) == pytest.approx(mean, rel=1e-6)


def test_references_score_as_the_chain_does_on_average():
    config = environments.Markov(order=1, symbols=6, prompt_columns=2)
    task = markov.Continuations(config)
    generator = np.random.default_rng(0)
    scores = [task.score(*task.draw(generator, evaluation=False)) for _ in range(1_000)]
    wanted = markov.reference_score(config)
    error = np.std(scores) / np.sqrt(len(scores))
    assert error < 0.02
    assert abs(np.mean(scores) - wanted) < 4 * error


def test_a_prompt_longer_than_the_order_ends_as_the_chain_does():
    config = environments.Markov(order=1, symbols=3, prompt_columns=2, layout=2)
    task = markov.Continuations(config)
    generator = np.random.default_rng(1)
    drawn = [task.draw(generator, evaluation=True)[0] for _ in range(2_000)]
    counts = np.zeros((7, 7))
    for first, second in drawn:
        counts[first, second] += 1
    shares = counts[4:] / counts[4:].sum(-1, keepdims=True)
    np.testing.assert_allclose(shares, markov.oracle(config).probs[4:], atol=0.08)


def test_the_seed_of_the_run_does_not_change_the_chain_but_the_layout_does():
    assert markov.oracle(CONFIG) is markov.oracle(CONFIG)
    other = environments.Markov(
        order=2, symbols=5, prompt_columns=3, completion_columns=4, floor=0.05, layout=1
    )
    assert not np.array_equal(markov.oracle(CONFIG).probs, markov.oracle(other).probs)
