"""Markov chains over tokens with seeded rows: the exact truth of two tasks.

Letters in shapes: V tokens, of which the first `SPECIAL` stand for no text; L columns
of a sequence, P of a prompt, T of a completion.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

import numpy as np

from environments.checks import InvalidSetting
from environments.language.vocabulary import SPECIAL, Vocabulary

# Log-probability of a token that the chain never draws. Its exponential is below the
# precision of float32, and no product with it is NaN.
IMPOSSIBLE = -30.0


@dataclass(frozen=True, eq=False)
class Chain:
    """A Markov chain that draws each token given the last `order` tokens.

    Attributes:
        probs: `[V, ..., V]` float64 with `order + 1` axes: the probability of the token
            of the last axis after the tokens of the other axes, oldest first. A special
            token has probability 0; after one all other tokens are equally likely.
        log_probs: the same as float32 logarithms, `IMPOSSIBLE` where `probs` is 0.
        cumulative: sums of `probs` along the last axis, 1 at its end.
    """

    probs: np.ndarray
    log_probs: np.ndarray
    cumulative: np.ndarray

    @property
    def order(self) -> int:
        """Number of tokens that the next token depends on."""
        return self.probs.ndim - 1

    def sample(
        self, generator: np.random.Generator, prompt: np.ndarray, length: int
    ) -> np.ndarray:
        """`[T]` int32 tokens drawn after a prompt.

        Args:
            generator: of the randomness; `length` numbers are taken from it.
            prompt: `[P]` tokens, at least `order`.
            length: T.
        """
        context = tuple(prompt[-self.order :].tolist())
        tokens = []
        for uniform in generator.random(length).tolist():
            token = bisect_right(self.cumulative[context], uniform)
            tokens.append(token)
            context = (*context[1:], token)
        return np.array(tokens, np.int32)

    def expected_log_prob(self, skip: int, length: int) -> float:
        """Mean log-probability of a token that the chain draws, in nats; exact.

        Args:
            skip: tokens drawn before the first one that counts, after `order` tokens
                that are uniform over the symbols.
            length: tokens that count.
        """
        inner = (slice(SPECIAL, None),) * (self.order + 1)
        rows = self.probs[inner]
        expected = (rows * self.log_probs[inner]).sum(-1)
        contexts = np.full(expected.shape, 1.0 / expected.size)
        total = 0.0
        for column in range(skip + length):
            if column >= skip:
                total += float((contexts * expected).sum())
            contexts = (contexts[..., np.newaxis] * rows).sum(0)
        return total / length


def draw(
    *, order: int, symbols: int, concentration: float, floor: float, seed: int
) -> Chain:
    """Draws a chain.

    Args:
        order: number of tokens that the next token depends on.
        symbols: number of tokens that are not special.
        concentration: of the symmetric Dirichlet distribution of each row.
        floor: weight of the uniform distribution in each row, so that no symbol is
            impossible; the Dirichlet row has the rest.
        seed: of the rows.
    """
    generator = np.random.default_rng(seed)
    alpha = np.full(symbols, concentration)
    rows = generator.dirichlet(alpha, size=(symbols,) * order)
    probs = np.zeros((SPECIAL + symbols,) * (order + 1))
    probs[..., SPECIAL:] = 1.0 / symbols
    inner = (slice(SPECIAL, None),) * (order + 1)
    probs[inner] = (1.0 - floor) * rows + floor / symbols
    with np.errstate(divide="ignore"):
        log_probs = np.where(probs > 0.0, np.log(probs), IMPOSSIBLE)
    sums = probs.cumsum(-1)
    return Chain(probs, log_probs.astype(np.float32), sums / sums[..., -1:])


def log_conditional(log_probs: Any, tokens: Any, start: int) -> Any:
    """Log-probabilities of every next token, exactly.

    Only indexes its arguments, so that it takes arrays of NumPy and, inside `jit`,
    arrays of JAX: then `log_probs` must be one, too.

    Args:
        log_probs: `[V, ..., V]` of a `Chain`.
        tokens: `[..., L]`, prompt and completion without a gap.
        start: first column whose distribution is returned, at least the chain's order.

    Returns:
        `[..., L - start, V]`: entry `t` is the distribution of the token in column
        `start + t` given the tokens before it.
    """
    order = log_probs.ndim - 1
    if start < order:
        raise ValueError(f"start must be at least the order {order}, got {start}")
    stop = tokens.shape[-1] - order
    columns = [tokens[..., start - order + i : stop + i] for i in range(order)]
    return log_probs[tuple(columns)]


def vocabulary(symbols: int) -> Vocabulary:
    """The special tokens, then symbols named s0, s1 and so on."""
    return Vocabulary([f"s{symbol}" for symbol in range(symbols)])


def check_row(concentration: float, floor: float) -> None:
    """Refuses a distribution of rows that is not one.

    Raises:
        InvalidSetting: the concentration is not above 0, or the floor not in (0, 1].
    """
    if not 0.0 < concentration < math.inf:
        raise InvalidSetting("environment.concentration", concentration, "above 0")
    if not 0.0 < floor <= 1.0:
        raise InvalidSetting("environment.floor", floor, "above 0 and at most 1")
