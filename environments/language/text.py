"""Windows of the manual of the Python that runs: real English without a download.

The text is `pydoc_data.topics` of the standard library, so it depends on the version of
Python: runs compare only with runs of the same version, which `config.yaml` records. The
tokens do not depend on it: characters are printable ASCII and the line's end, and other
characters are replaced by their nearest or by UNK.

A prompt is a window of the text, the reference is what follows it, and both fill their
columns without EOS. The score of a completion is the share of the reference's tokens
that it has in the same column. Most continuations are as right as the manual's own, so
a good score is far below 1.

Every tenth topic or so, by a hash of its name, is for evaluation. Paragraphs that other
topics share with one of them are removed from training, and so is every repetition.
"""

import functools
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from zlib import crc32

import numpy as np

from environments import checks
from environments.checks import InvalidSetting
from environments.language import task, vocabulary
from environments.language.vocabulary import UNK

Unit = Literal["characters", "pieces"]

PIECES = 1_024  # size of the vocabulary of pieces, special tokens included
CHARACTERS = ("\n", *map(chr, range(32, 127)))
_NEAREST = str.maketrans(
    {"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "..."}
)
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
        checks.check_choice("environment.unit", self.unit, get_args(Unit))
        for name in ("prompt_columns", "completion_columns"):
            checks.at_least(f"environment.{name}", getattr(self, name), 1)
        checks.at_least("environment.prompts", self.prompts, 0)


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


def pieces(texts: Sequence[str]) -> tuple[tuple[str, ...], Callable[[str], list[int]]]:
    """Byte-pair encoding that is trained on texts; the same texts give the same pieces.

    Returns:
        The pieces after the special tokens, and a function that encodes a text.

    Raises:
        ModuleNotFoundError: the extra `language` is not installed.
    """
    try:
        tokenizers: Any = importlib.import_module("tokenizers")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "environment.unit pieces needs the package tokenizers: install it with "
            "`pip install 'munchausen[language]'`, or choose characters"
        ) from error
    special = list(vocabulary.SPECIAL_NAMES)
    encoder = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token=special[UNK]))
    words = tokenizers.Regex(_WORDS)
    encoder.pre_tokenizer = tokenizers.pre_tokenizers.Split(words, "isolated")
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=PIECES,
        special_tokens=special,
        initial_alphabet=list(CHARACTERS),
        show_progress=False,
    )
    encoder.train_from_iterator(texts, trainer)
    names = [encoder.id_to_token(index) for index in range(PIECES)]
    return tuple(names[len(special) :]), lambda text: encoder.encode(text).ids
