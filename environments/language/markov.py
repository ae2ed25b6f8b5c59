"""Completions by a Markov chain whose probabilities are known: the oracle is exact.

The chain draws each token given the last `order` tokens. The first `order` tokens of a
prompt are uniform, further ones are the chain's. The reference is what the chain draws
next; it fills all columns of the completion and has no EOS. The score of a completion
is the mean log-probability of its tokens under the chain, in nats. EOS counts as a
token; like all that the chain never draws it has the log-probability
`chain.IMPOSSIBLE`.

With 32 symbols a chain of order 2 has 1,024 rows, which a decoder of two layers of 64
learns within minutes; a chain of order 3 has 32,768, of which it learns little.

References score `reference_score` on average: minus the entropy of the chain. A policy
that prefers likely tokens, such as a greedy one, scores higher, so the score alone does
not show that a policy equals the chain: its loss, or a distance to `oracle`, does.
"""

import functools
from dataclasses import dataclass

import numpy as np

from environments.checks import InvalidSetting, check_at_least
from environments.language import chain
from environments.language.chain import Chain
from environments.language.task import LanguageEnvironment
from environments.language.vocabulary import SPECIAL, completion_length

_MOST_ENTRIES = 2**24  # of the table of a chain; 64 MiB in float32


@dataclass(frozen=True)
class Markov:
    """A chain, which does not depend on the seed of the run, and its prompts.

    Attributes:
        order: number of tokens that the next token depends on.
        symbols: number of tokens of the chain; the vocabulary has the special ones too.
        concentration: of the Dirichlet distribution of each row of the chain; below 1
            few tokens have most of the probability.
        floor: weight of the uniform distribution in each row, in (0, 1], so that no
            log-probability is below log(floor / symbols).
        layout: seed of the rows.
        prompt_columns: tokens of a prompt, at least `order`.
        completion_columns: tokens of a completion.
        prompts: number of distinct prompts in training; 0: no end.
    """

    order: int = 2
    symbols: int = 32
    concentration: float = 0.1
    floor: float = 0.01
    layout: int = 0
    prompt_columns: int = 2
    completion_columns: int = 30
    prompts: int = 0

    def __post_init__(self) -> None:
        least = {
            "order": 1,
            "symbols": 2,
            "layout": 0,
            "completion_columns": 1,
            "prompts": 0,
        }
        for name, bound in least.items():
            check_at_least(f"environment.{name}", getattr(self, name), bound)
        chain.check_row(self.concentration, self.floor)
        if (SPECIAL + self.symbols) ** (self.order + 1) > _MOST_ENTRIES:
            raise InvalidSetting(
                "environment.order",
                self.order,
                f"so small that ({SPECIAL} + environment.symbols) to the power of "
                f"(order + 1) is at most {_MOST_ENTRIES:,}",
            )
        check_at_least("environment.prompt_columns", self.prompt_columns, self.order)


@functools.lru_cache(maxsize=4)
def oracle(config: Markov) -> Chain:
    """The chain of a config, drawn once in a process."""
    return chain.draw(
        order=config.order,
        symbols=config.symbols,
        concentration=config.concentration,
        floor=config.floor,
        seed=config.layout,
    )


def reference_score(config: Markov) -> float:
    """Mean score of references over all prompts, in nats per token; exact."""
    skip = config.prompt_columns - config.order
    return oracle(config).expected_log_prob(skip, config.completion_columns)


class Continuations:
    """Prompts, references and scores; see `environments.language.task.Task`."""

    def __init__(self, config: Markov):
        self.vocabulary = chain.vocabulary(config.symbols)
        self.prompt_columns = config.prompt_columns
        self.completion_columns = config.completion_columns
        self._order = config.order
        self._chain = oracle(config)

    def draw(
        self, generator: np.random.Generator, evaluation: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """A prompt and what the chain draws after it."""
        del evaluation
        last = len(self.vocabulary)
        start = generator.integers(SPECIAL, last, self._order, dtype=np.int32)
        length = self.prompt_columns - self._order
        further = self._chain.sample(generator, start, length)
        prompt = np.concatenate([start, further])
        return prompt, self._chain.sample(generator, prompt, self.completion_columns)

    def score(self, prompt: np.ndarray, completion: np.ndarray) -> float:
        """Mean log-probability of the completion's tokens, in nats."""
        length = completion_length(completion)
        tokens = np.concatenate([prompt, completion[:length]])
        rows = chain.log_conditional(self._chain.log_probs, tokens, len(prompt))
        return float(rows[np.arange(length), completion[:length]].mean())


def make(
    config: Markov, num_environments: int, seed: int, evaluation: bool = False
) -> LanguageEnvironment:
    """N lanes of one chain."""
    task = Continuations(config)
    return LanguageEnvironment(
        task, num_environments, seed, evaluation, prompts=config.prompts
    )
