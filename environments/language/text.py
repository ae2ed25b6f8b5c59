"""Windows of the manual of the Python that runs: real English without a download.

The text is `pydoc_data.topics` of the standard library, so it depends on the version of
Python: runs compare only with runs of the same version, which `config.yaml` records.
Characters do not: they are printable ASCII and the line's end; others are replaced by
their nearest or by a question mark.

A prompt is a window of the text, the reference is what follows it, and both fill their
columns without EOS. The score of a completion is the share of its columns that are as
in the manual. Other continuations may be as good, so a good score is far below 1.

Every tenth topic or so, by a hash of its name, is for evaluation. Paragraphs that other
topics share with one of them are removed from training, and so is every repetition.
"""

import functools
import importlib
import importlib.util
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args
from zlib import crc32

import numpy as np

from environments.checks import InvalidSetting, check_at_least, check_choice
from environments.language.task import LanguageEnvironment
from environments.language.vocabulary import PAD, SPECIAL_NAMES, UNK, Vocabulary

Unit = Literal["characters", "pieces"]

PIECES = 1_024  # size of the vocabulary of pieces, special tokens included
CHARACTERS = ("\n", *map(chr, range(32, 127)))
# Quotation marks, dashes and the ellipsis.
_NEAREST = {
    0x2018: "'",
    0x2019: "'",
    0x201C: '"',
    0x201D: '"',
    0x2013: "-",
    0x2014: "-",
    0x2026: "...",
}
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd and large, for hashes modulo 2**64
_OTHER = re.compile(r"[^\n -~]")
_MOST_COLUMNS = 1_000  # many topics are no longer
_HELD_OUT = 10  # one of so many topics is for evaluation
_WORDS = r" ?[^\s]+|\s+"  # no piece reaches over the end of one


@dataclass(frozen=True)
class Text:
    """Windows of CPython's manual.

    Attributes:
        unit: what a token is: a character, or one of 1,024 pieces that byte-pair
            encoding chooses on the text for training; pieces need the extra `language`.
        prompt_columns: tokens of a prompt.
        completion_columns: tokens of a completion.
        prompts: number of distinct prompts in training; 0: no end.
    """

    unit: Unit = "characters"
    prompt_columns: int = 32
    completion_columns: int = 32
    prompts: int = 0

    def __post_init__(self) -> None:
        check_choice("environment.unit", self.unit, get_args(Unit))
        for name in ("prompt_columns", "completion_columns"):
            if not 1 <= getattr(self, name) <= _MOST_COLUMNS:
                raise InvalidSetting(
                    f"environment.{name}",
                    getattr(self, name),
                    f"between 1 and {_MOST_COLUMNS:,}",
                )
        check_at_least("environment.prompts", self.prompts, 0)
        if self.unit == "pieces" and importlib.util.find_spec("tokenizers") is None:
            raise InvalidSetting(
                "environment.unit",
                self.unit,
                "characters unless the package tokenizers is installed, as by "
                "`pip install 'munchausen[language]'`",
            )


def split(topics: dict[str, str]) -> tuple[list[str], list[str]]:
    """The texts for training and those for evaluation, one of each topic that has any.

    Args:
        topics: text of each topic, by name.
    """
    held_out = {name for name in topics if crc32(name.encode()) % _HELD_OUT == 0}
    seen: set[str] = set()
    training, evaluation = [], []
    # Topics for evaluation come first, so that training loses what both have.
    for name in sorted(topics, key=lambda name: (name not in held_out, name)):
        text = _OTHER.sub("?", topics[name].translate(_NEAREST))
        unique = dict.fromkeys(text.split("\n\n"))
        paragraphs = [each for each in unique if each not in seen]
        seen.update(paragraphs)
        if paragraphs:
            texts = evaluation if name in held_out else training
            texts.append("\n\n".join(paragraphs))
    return training, evaluation


def pieces(texts: Sequence[str]) -> tuple[Sequence[str], Callable[[str], list[int]]]:
    """Byte-pair encoding that is trained on texts; equal texts give equal pieces.

    Returns:
        The names of all tokens, and a function from a text to its tokens.
    """
    # Late and by name, because the package is an extra.
    tokenizers: Any = importlib.import_module("tokenizers")
    encoder = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token=SPECIAL_NAMES[UNK]))
    encoder.pre_tokenizer = tokenizers.pre_tokenizers.Split(
        tokenizers.Regex(_WORDS), "isolated"
    )
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=PIECES,
        special_tokens=list(SPECIAL_NAMES),
        initial_alphabet=list(CHARACTERS),
        show_progress=False,
    )
    encoder.train_from_iterator(texts, trainer)
    names = [encoder.id_to_token(token) for token in range(encoder.get_vocab_size())]
    return names, lambda text: encoder.encode(text).ids


class Corpus(NamedTuple):
    """The manual as tokens.

    Attributes:
        vocabulary: of its tokens.
        training: texts `[m]` int32.
        evaluation: texts `[m]` int32 of other topics.
    """

    vocabulary: Vocabulary
    training: list[np.ndarray]
    evaluation: list[np.ndarray]


@functools.lru_cache
def corpus(unit: Unit) -> Corpus:
    """The manual of the Python that runs, read once in a process."""
    from pydoc_data.topics import topics  # 0.5 MB, so only where it is needed

    training, evaluation = split(topics)
    if unit == "pieces":
        names, encode = pieces(training)
        words = names[len(SPECIAL_NAMES) :]
        vocabulary = Vocabulary(words, separator="")
    else:
        vocabulary = Vocabulary(CHARACTERS, separator="")
        encode = vocabulary.encode
    return Corpus(
        vocabulary,
        [np.array(encode(text), np.int32) for text in training],
        [np.array(encode(text), np.int32) for text in evaluation],
    )


class Windows:
    """Prompts, references and scores; see `environments.language.task.Task`."""

    def __init__(self, config: Text):
        self.vocabulary, *texts = corpus(config.unit)
        self.prompt_columns = config.prompt_columns
        self.completion_columns = config.completion_columns
        self._texts = texts
        length = config.prompt_columns + config.completion_columns
        self._starts = [starts(each, length) for each in texts]
        end = np.full(config.completion_columns, PAD, np.int32)
        parts = [part for each in texts for text in each for part in (text, end)]
        self._all = np.concatenate(parts)
        hashes = _hashes(self._all, config.prompt_columns)
        self._order = np.argsort(hashes, kind="stable")
        self._sorted = hashes[self._order]

    def draw(
        self, generator: np.random.Generator, evaluation: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """A window of a topic of the right kind."""
        places = self._starts[evaluation]
        index, start = places[generator.integers(len(places))]
        middle = start + self.prompt_columns
        text = self._texts[evaluation][index]
        return text[start:middle], text[middle : middle + self.completion_columns]

    def score(self, prompt: np.ndarray, completion: np.ndarray) -> float:
        """Share of right columns; of several continuations the nearest counts."""
        [wanted] = _hashes(prompt, len(prompt))
        first, last = np.searchsorted(self._sorted, [wanted, wanted + np.uint64(1)])
        after = self._order[first:last] + len(prompt)
        columns = np.arange(len(completion))
        manual = self._all[after[:, np.newaxis] + columns]
        right = (manual == completion) & (manual != PAD)
        return float(right.mean(axis=1).max(initial=0.0))


def _hashes(tokens: np.ndarray, length: int) -> np.ndarray:
    """`[M - length + 1]` a number for each window of tokens `[M]`; equal ones agree."""
    count = len(tokens) - length + 1
    found = np.zeros(count, np.uint64)
    for column in range(length):
        found = found * _BASE + tokens[column : column + count].astype(np.uint64)
    return found


def starts(texts: Sequence[np.ndarray], length: int) -> np.ndarray:
    """`[K, 2]` index of a text and column, of all windows of `length` tokens."""
    found = [
        np.stack([np.full(columns, index), np.arange(columns)], axis=1)
        for index, text in enumerate(texts)
        if (columns := len(text) - length + 1) > 0
    ]
    return np.concatenate(found) if found else np.empty((0, 2), int)


def make(
    config: Text, num_environments: int, seed: int, evaluation: bool = False
) -> LanguageEnvironment:
    """N lanes of windows."""
    task = _windows(config)
    return LanguageEnvironment(
        task, num_environments, seed, evaluation, prompts=config.prompts
    )


@functools.lru_cache(maxsize=4)
def _windows(config: Text) -> Windows:
    return Windows(config)
