"""Completions with an exact, continuous golden reward and a known best trade-off.

The reference policy is a Markov chain of order 1. The first token of a prompt is
uniform, the others are the chain's; the reference is what the chain draws next, and
fills all columns of the completion without EOS. The reward of a completion is the mean
over its columns of a seeded weight for the token and the one before it, which for the
first column is the prompt's last. A special token has the smallest weight of all, and
so have all columns after EOS: ending early never pays.

Because the reward is a sum over pairs, the policy of the best reward at each KL
divergence from the chain is itself a Markov chain, whose probabilities depend on the
column: `tilted` computes it. No policy lies above it.
"""

import functools
import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from environments.checks import check_at_least
from environments.language import chain
from environments.language.task import LanguageEnvironment, is_held_out
from environments.language.vocabulary import PAD, SPECIAL, completion_length

_MOST_PROMPTS = 2**20  # that `evaluation_ends` enumerates


@dataclass(frozen=True)
class Preferences:
    """A chain and a reward, which do not depend on the seed of the run.

    Attributes:
        symbols: number of tokens of the chain; the vocabulary has the special ones too.
        concentration: of the Dirichlet distribution of each row of the chain.
        floor: weight of the uniform distribution in each row, in (0, 1].
        layout: seed of the rows and of the weights of pairs.
        prompt_columns: tokens of a prompt.
        completion_columns: tokens of a completion.
        prompts: number of distinct prompts in training; 0: no end.
    """

    symbols: int = 32
    concentration: float = 0.1
    floor: float = 0.01
    layout: int = 0
    prompt_columns: int = 2
    completion_columns: int = 16
    prompts: int = 0

    def __post_init__(self) -> None:
        least = {
            "symbols": 2,
            "layout": 0,
            "prompt_columns": 1,
            "completion_columns": 1,
            "prompts": 0,
        }
        for name, bound in least.items():
            check_at_least(f"environment.{name}", getattr(self, name), bound)
        chain.check_row(self.concentration, self.floor)


class Tilted(NamedTuple):
    """The policy proportional to `reference * exp(reward / temperature)`; S symbols.

    Attributes:
        log_policy: `[T, S, S]` log-probabilities by column and the token before it.
        reward: `[S]` its expected reward after a prompt that ends in this symbol.
        kl: `[S]` its KL divergence from the chain after such a prompt, in nats.
    """

    log_policy: np.ndarray
    reward: np.ndarray
    kl: np.ndarray


def tilt(
    log_probs: np.ndarray, weights: np.ndarray, length: int, temperature: float
) -> Tilted:
    """Computes the tilted policy by backward recursion, in float64.

    Args:
        log_probs: `[S, S]` of the chain, next token on the last axis.
        weights: `[S, S]` of the pairs.
        length: T, over which the reward is a mean.
        temperature: above 0; the smaller, the higher are reward and KL divergence.

    Source: the soft value of column t is log sum_v p(v | u) exp(w(u, v) / (T
    temperature) + value of column t + 1); its policy maximises reward - temperature KL.
    """
    value = np.zeros(len(weights))
    log_policies = []
    for _ in range(length):
        joint = log_probs + weights / (length * temperature) + value
        value = np.logaddexp.reduce(joint, axis=-1)
        log_policies.append(joint - value[:, np.newaxis])
    reward = np.zeros(len(weights))
    for log_policy in log_policies:  # from the last column to the first
        reward = (np.exp(log_policy) * (weights / length + reward)).sum(-1)
    kl = reward / temperature - value
    return Tilted(np.stack(log_policies[::-1]), reward, kl)


@functools.lru_cache(maxsize=4)
def reference(config: Preferences) -> chain.Chain:
    """The chain of a config, drawn once in a process."""
    return chain.draw(
        order=1,
        symbols=config.symbols,
        concentration=config.concentration,
        floor=config.floor,
        seed=config.layout,
    )


def weights(config: Preferences) -> np.ndarray:
    """`[V, V]` standard normal weights of pairs; the smallest where one is special."""
    generator = np.random.default_rng([config.layout, 1])
    drawn = generator.standard_normal((config.symbols, config.symbols))
    table = np.full((SPECIAL + config.symbols,) * 2, drawn.min())
    table[SPECIAL:, SPECIAL:] = drawn
    return table


def tilted(config: Preferences, temperature: float) -> Tilted:
    """The best trade-off of a config at one temperature; S is its `symbols`."""
    inner = (slice(SPECIAL, None), slice(SPECIAL, None))
    log_probs = np.log(reference(config).probs[inner])
    length = config.completion_columns
    return tilt(log_probs, weights(config)[inner], length, temperature)


def evaluation_ends(config: Preferences) -> np.ndarray:
    """`[S]` probabilities of the symbol that ends a prompt of evaluation; exact.

    Raises:
        ValueError: there are too many prompts to enumerate them.
    """
    symbols, columns = config.symbols, config.prompt_columns
    if symbols**columns > _MOST_PROMPTS:
        raise ValueError(
            f"prompts must be at most {_MOST_PROMPTS:,} to enumerate them, but "
            f"{columns} columns of {symbols} symbols have {symbols**columns:,}"
        )
    probs = reference(config).probs[SPECIAL:, SPECIAL:]
    ends = np.zeros(symbols)
    for prompt in itertools.product(range(symbols), repeat=columns):
        tokens = np.array(prompt)
        if is_held_out(tokens + SPECIAL):
            ends[tokens[-1]] += probs[tokens[:-1], tokens[1:]].prod()
    return ends / ends.sum()


class GoldenRewards:
    """Prompts, references and rewards; see `environments.language.task.Task`."""

    def __init__(self, config: Preferences):
        self.vocabulary = chain.vocabulary(config.symbols)
        self.prompt_columns = config.prompt_columns
        self.completion_columns = config.completion_columns
        self._chain = reference(config)
        self._weights = weights(config)

    def draw(
        self, generator: np.random.Generator, evaluation: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """A prompt and what the chain draws after it."""
        del evaluation
        start = generator.integers(SPECIAL, len(self.vocabulary), 1, dtype=np.int32)
        further = self._chain.sample(generator, start, self.prompt_columns - 1)
        prompt = np.concatenate([start, further])
        return prompt, self._chain.sample(generator, prompt, self.completion_columns)

    def score(self, prompt: np.ndarray, completion: np.ndarray) -> float:
        """Mean weight of the pairs of all columns."""
        tokens = np.full(1 + self.completion_columns, PAD)
        tokens[0] = prompt[-1]
        length = completion_length(completion)
        tokens[1 : 1 + length] = completion[:length]
        return float(self._weights[tokens[:-1], tokens[1:]].mean())


def make(
    config: Preferences, num_environments: int, seed: int, evaluation: bool = False
) -> LanguageEnvironment:
    """N lanes of one chain."""
    task = GoldenRewards(config)
    return LanguageEnvironment(
        task, num_environments, seed, evaluation, prompts=config.prompts
    )
