"""Words and their numbers; the same four special tokens in every vocabulary."""

import itertools
from collections.abc import Sequence

import numpy as np

PAD, EOS, BOS, UNK = range(4)
SPECIAL_NAMES = ("<pad>", "<eos>", "<bos>", "<unk>")
SPECIAL = len(SPECIAL_NAMES)  # the first token that is a word


class Vocabulary:
    """The special tokens, then words.

    Attributes:
        words: the names of all tokens, special ones first.
    """

    def __init__(self, words: Sequence[str], separator: str = " "):
        """Numbers the words in their order.

        Args:
            words: all different.
            separator: what people read between two words.

        Raises:
            ValueError: a word is there twice, or is the name of a special token.
        """
        self.words = (*SPECIAL_NAMES, *words)
        self._tokens = {word: token for token, word in enumerate(self.words)}
        self._separator = separator
        if len(self._tokens) != len(self.words):
            twice = sorted({word for word in self.words if self.words.count(word) > 1})
            raise ValueError(f"words must differ, got {', '.join(twice)} twice")

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, words: Sequence[str]) -> np.ndarray:
        """The tokens of words, `[n]` int32; UNK for words that it does not have."""
        return np.array([self._tokens.get(word, UNK) for word in words], np.int32)

    def decode(self, tokens: np.ndarray) -> list[str]:
        """The words of tokens `[n]`, without special tokens, up to the first EOS."""
        until_eos = itertools.takewhile(EOS.__ne__, tokens.tolist())
        return [self.words[token] for token in until_eos if token >= SPECIAL]

    def text(self, tokens: np.ndarray) -> str:
        """What people read: the words of tokens `[n]`, and UNK and BOS by name."""
        tokens = tokens[: completion_length(tokens)]
        shown = [token for token in tokens.tolist() if token not in (PAD, EOS)]
        return self._separator.join(self.words[token] for token in shown)


def completion_length(completion: np.ndarray) -> int:
    """Tokens of a completion `[T]` up to the first EOS, EOS included; T without EOS."""
    tokens = completion.tolist()  # so short that a list is faster than an array
    return tokens.index(EOS) + 1 if EOS in tokens else len(tokens)
