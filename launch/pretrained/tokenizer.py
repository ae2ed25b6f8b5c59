"""Tokenizers of pretrained models, and which models may share one run.

`tokenizer.json` is read by tokenizers, and `tokenizer.model` by sentencepiece. BOS is
added here, once, whatever the file says about it.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from agents.parts.language.sequences import BOS, EOS, PAD
from launch.errors import PretrainedError
from launch.pretrained import config_file, extra

JSON = "tokenizer.json"
MODEL = "tokenizer.model"
# Settings that Transformers reads with them.
_SETTINGS = ("tokenizer_config.json", "special_tokens_map.json")


class _Library(NamedTuple):
    """What we use of a tokenizer of either library.

    Attributes:
        pieces: the text of each token, by id.
        special: ids that stand for no text.
        encode: text to ids, without BOS and EOS.
        decode: ids to text, without special ones.
    """

    pieces: tuple[str, ...]
    special: frozenset[int]
    encode: Callable[[str], list[int]]
    decode: Callable[[list[int]], str]


@dataclass(frozen=True)
class Tokenizer:
    """Turns text into tokens and back.

    Attributes:
        path: its file.
        eos: ids that end a completion.
        pieces: the text of each token, by id.
    """

    path: Path
    eos: tuple[int, ...]
    library: _Library

    @property
    def pieces(self) -> tuple[str, ...]:
        """The text of each token, by id."""
        return self.library.pieces

    @property
    def sha256(self) -> str:
        """Hash of all pieces in order: equal if each id means the same text."""
        total = hashlib.sha256()
        for piece in self.pieces:
            total.update(piece.encode() + b"\0")
        return total.hexdigest()

    def encode(self, text: str) -> list[int]:
        """Tokens of a text, after exactly one BOS.

        Raises:
            ValueError: the text contains the padding token.
        """
        ids = self.library.encode(text)
        if PAD in ids:
            raise ValueError(
                f"a text must not contain {self.pieces[PAD]}, which is padding, "
                f"got {text!r}"
            )
        return ids if ids[:1] == [BOS] else [BOS, *ids]

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of tokens up to the first that ends a completion."""
        ends = [i for i, token in enumerate(tokens) if token in self.eos]
        return self.library.decode(
            [int(token) for token in tokens[: min(ends, default=None)]]
        )


def files(directory: Path) -> list[Path]:
    """The files of a checkpoint's tokenizer; none if it has no tokenizer."""
    names = (JSON, MODEL, *_SETTINGS)
    return [directory / name for name in names if (directory / name).exists()]


def load(directory: Path) -> Tokenizer:
    """Reads the tokenizer of a checkpoint.

    Raises:
        PretrainedError: it has none, it cannot be read, or it does not fit the decoder.
    """
    described = config_file.read(directory)
    path = next(
        (directory / x for x in (JSON, MODEL) if (directory / x).exists()), None
    )
    if path is None:
        raise PretrainedError(
            f"a tokenizer must be {JSON} or {MODEL}, but {directory} has neither"
        )
    library = (_read_json if path.name == JSON else _read_model)(path)
    size, rows = len(library.pieces), described.config.vocabulary
    if size > rows:
        raise PretrainedError(
            f"{path} must have at most {rows} tokens, as the decoder, got {size}"
        )
    for name, token in (("padding", PAD), ("EOS", EOS), ("BOS", BOS)):
        if token not in library.special:
            raise PretrainedError(
                f"{path} must have {name}, a special token, with the id {token}"
            )
    return Tokenizer(path, described.eos, library)


def _read_json(path: Path) -> _Library:
    library = extra.library("tokenizers", path)
    try:
        found = library.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises no class of its own
        raise _unreadable(path, error) from error
    # A file may ask for both; rows are cut and padded by their readers.
    found.no_truncation()
    found.no_padding()
    added = found.get_added_tokens_decoder()
    size = 1 + max(found.get_vocab(with_added_tokens=True).values())
    return _Library(
        pieces=tuple(found.id_to_token(i) or "" for i in range(size)),
        special=frozenset(i for i, token in added.items() if token.special),
        encode=lambda text: list(found.encode(text, add_special_tokens=False).ids),
        decode=lambda ids: str(found.decode(ids, skip_special_tokens=True)),
    )


def _read_model(path: Path) -> _Library:
    library = extra.library("sentencepiece", path)
    try:
        found = library.SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError) as error:
        raise _unreadable(path, error) from error
    size = found.get_piece_size()
    return _Library(
        pieces=tuple(found.id_to_piece(i) for i in range(size)),
        special=frozenset(i for i in range(size) if found.is_control(i)),
        encode=lambda text: list(found.encode(text, add_bos=False, add_eos=False)),
        decode=lambda ids: str(found.decode(ids)),
    )


def _unreadable(path: Path, error: Exception) -> PretrainedError:
    return PretrainedError(f"cannot read {path}: {' '.join(str(error).split())}")


def check_pair(one: Path, other: Path) -> None:
    """Refuses two checkpoints whose tokens mean different things.

    Args:
        one: directory of a checkpoint, such as a teacher's.
        other: directory of a checkpoint, such as its policy's.

    Raises:
        PretrainedError: their vocabularies, end tokens or tokenizers differ.
    """
    ours, theirs = _identity(other), _identity(one)
    for name, found in theirs.items():
        if found != ours[name]:
            raise PretrainedError(
                f"checkpoints that are used together must have the same {name}, but "
                f"{one} has {found} and {other} has {ours[name]}"
            )


def _identity(directory: Path) -> dict[str, Any]:
    described = config_file.read(directory)
    has_one = any((directory / name).exists() for name in (JSON, MODEL))
    return {
        "vocab_size": described.config.vocabulary,
        "eos_token_id": sorted(described.eos),
        "tokenizer": f"SHA-256 {load(directory).sha256[:12]}" if has_one else "none",
    }
