"""Sums of numbers: the score of a completion is exact, and difficulty is one number.

A prompt is `a+b=`, each number with at most `digits` digits. The answer begins with the
least significant digit, so that each digit depends only on digits before it and on a
carry. With a scratch-pad, the carry into each digit is written before the digit.
"""

import operator
from dataclasses import dataclass

import numpy as np

from environments import checks
from environments.language.task import LanguageEnvironment
from environments.language.vocabulary import EOS, Vocabulary, completion_length


@dataclass(frozen=True)
class Arithmetic:
    """Sums of two numbers.

    Attributes:
        digits: of each number, at most; numbers have no leading zeros.
        scratch_pad: whether references write each carry before its digit.
        partial: whether the score is the share of right tokens; otherwise it is 1 if
            all are right, else 0.
        prompts: number of distinct prompts in training; 0: no end.
    """

    digits: int = 3
    scratch_pad: bool = False
    partial: bool = False
    prompts: int = 0

    def __post_init__(self) -> None:
        # More digits than 18 do not fit an int64.
        if not 1 <= self.digits <= 18:
            raise checks.InvalidSetting(
                "environment.digits", self.digits, "between 1 and 18"
            )
        if self.prompts < 0:
            raise checks.InvalidSetting(
                "environment.prompts", self.prompts, "at least 0"
            )


class Sums:
    """Prompts, references and scores; see `environments.language.task.Task`."""

    def __init__(self, config: Arithmetic):
        """Makes the vocabulary.

        Args:
            config: kind of sums.
        """
        self.vocabulary = Vocabulary([*"0123456789", "+", "="], separator="")
        self.prompt_columns = 2 * config.digits + 2
        per_digit = 2 if config.scratch_pad else 1
        self.completion_columns = per_digit * (config.digits + 1) + 1
        self._config = config

    def draw(
        self, generator: np.random.Generator, evaluation: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """A sum and its answer."""
        del evaluation
        high = 10**self._config.digits
        a, b = (int(number) for number in generator.integers(high, size=2))
        prompt = self.vocabulary.encode(f"{a}+{b}=")
        return prompt, self._answer(prompt)

    def score(self, prompt: np.ndarray, completion: np.ndarray) -> float:
        """1 if the completion is the answer, else 0; or the share of right tokens."""
        right = [*self._answer(prompt).tolist(), EOS]
        given = completion[: completion_length(completion)].tolist()
        if not self._config.partial:
            return float(given == right)
        same = sum(map(operator.eq, given, right))
        return same / max(len(given), len(right))

    def _answer(self, prompt: np.ndarray) -> np.ndarray:
        """The answer to a prompt, without EOS."""
        left, right = "".join(self.vocabulary.decode(prompt)).rstrip("=").split("+")
        digits = str(int(left) + int(right))[::-1]
        if not self._config.scratch_pad:
            return self.vocabulary.encode(digits)
        written, carry = "", 0
        for place, digit in enumerate(digits):
            written += f"{carry}{digit}"
            column = left[::-1][place : place + 1], right[::-1][place : place + 1]
            carry = (sum(int(each or 0) for each in column) + carry) // 10
        return self.vocabulary.encode(written)


def make(
    config: Arithmetic, num_environments: int, seed: int, evaluation: bool = False
) -> LanguageEnvironment:
    """N lanes of sums."""
    task = Sums(config)
    return LanguageEnvironment(
        task, num_environments, seed, evaluation, prompts=config.prompts
    )
