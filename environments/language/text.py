"""Windows of the manual of the Python that runs: real English without a download.

The text is `pydoc_data.topics` of the standard library, so it depends on the version of
Python: runs compare only with runs of the same version, which `config.yaml` records.
Characters do not: they are printable ASCII and the line's end; a few others are replaced
by their nearest, the rest by UNK.

A prompt is a window of the text, the reference is what follows it, and both fill their
columns without EOS. The score of a completion is the share of its columns that are as
in the manual. Other continuations may be as good, so a good score is far below 1.

Every tenth topic or so, by a hash of its name, is for evaluation. Paragraphs that other
topics share with one of them are removed from training, and so is every repetition.
"""

import functools
import importlib
import importlib.util
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
_NEAREST = {0x201C: '"', 0x201D: '"', 0x2018: "'", 0x2019: "'", 0x2013: "-"} | {
    0x2014: "-",
    0x2026: "...",
}
_END = chr(PAD)  # no text contains it
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
            check_at_least(f"environment.{name}", getattr(self, name), 1)
        check_at_least("environment.prompts", self.prompts, 0)
        if self.unit == "pieces" and importlib.util.find_spec("tokenizers") is None:
            raise InvalidSetting(
                "environment.unit",
                self.unit,
                "characters unless the package tokenizers is installed, as by "
                "`pip install 'munchausen[language]'`",
            )


def split(topics: dict[str, str]) -> tuple[list[str], list[str]]:
    """The texts for training and those for evaluation, one of each topic.

    Args:
        topics: text of each topic, by name.
    """
    held_out = {name for name in topics if crc32(name.encode()) % _HELD_OUT == 0}
    seen: set[str] = set()
    training, evaluation = [], []
    # Topics for evaluation come first, so that training loses what both have.
    for name in sorted(topics, key=lambda name: (name not in held_out, name)):
        text = topics[name].translate(_NEAREST)
        paragraphs = [each for each in text.split("\n\n") if each not in seen]
        seen.update(paragraphs)
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
        # A character for each token: searching a string is fast.
        self._all = _END.join(_as_string(text) for each in texts for text in each)

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
        given = np.array(completion)
        wanted = _as_string(prompt)
        best, place = 0, self._all.find(wanted)
        while place >= 0:
            start = place + len(wanted)
            text, *_ = self._all[start : start + len(given)].split(_END)
            tokens = np.array([ord(character) for character in text])
            best = max(best, int((tokens == given[: len(tokens)]).sum()))
            place = self._all.find(wanted, place + 1)
        return best / len(given)


def starts(texts: Sequence[np.ndarray], length: int) -> np.ndarray:
    """`[K, 2]` index of a text and column, of all windows of `length` tokens."""
    return np.array(
        [
            (index, start)
            for index, text in enumerate(texts)
            for start in range(len(text) - length + 1)
        ]
    ).reshape(-1, 2)


def _as_string(tokens: np.ndarray) -> str:
    return "".join(map(chr, tokens.tolist()))


def make(
    config: Text, num_environments: int, seed: int, evaluation: bool = False
) -> LanguageEnvironment:
    """N lanes of windows."""
    task = Windows(config)
    return LanguageEnvironment(
        task, num_environments, seed, evaluation, prompts=config.prompts
    )
