"""Words and tokens: numbers by hand, and the same special tokens as the agents'."""

import numpy as np
import pytest

from environments.language import vocabulary
from environments.language.vocabulary import BOS, EOS, PAD, UNK, Vocabulary


@pytest.fixture
def animals():
    """Seven tokens: four special ones, then cat, dog and owl."""
    return Vocabulary(["cat", "dog", "owl"])


def test_special_tokens_come_first(animals):
    assert (PAD, EOS, BOS, UNK) == (0, 1, 2, 3)
    assert len(animals) == 7
    assert animals.words[:4] == ("<pad>", "<eos>", "<bos>", "<unk>")


def test_words_have_numbers_and_unknown_words_have_one(animals):
    tokens = animals.encode(["owl", "cat", "elk", "dog"])
    assert tokens.dtype == np.int32
    assert tokens.tolist() == [6, 4, UNK, 5]
    assert animals.encode([]).shape == (0,)


def test_decoding_ends_at_the_first_eos(animals):
    tokens = np.array([BOS, 5, UNK, 4, EOS, 6, EOS], np.int32)
    assert animals.decode(tokens) == ["dog", "cat"]
    assert animals.text(tokens) == "<bos> dog <unk> cat"
    assert animals.decode(np.array([4, PAD, PAD], np.int32)) == ["cat"]
    assert animals.text(np.array([4, PAD, PAD], np.int32)) == "cat"
    assert animals.text(np.array([EOS, 4], np.int32)) == ""


def test_the_separator_is_the_vocabularys():
    letters = Vocabulary("abc", separator="")
    assert letters.text(letters.encode("cab")) == "cab"


@pytest.mark.parametrize(
    ("tokens", "length"),
    [([4, 5, EOS, PAD], 3), ([EOS, EOS], 1), ([4, 5, 6], 3), ([PAD, 4, EOS], 3)],
)
def test_the_length_counts_eos(tokens, length):
    assert vocabulary.completion_length(np.array(tokens, np.int32)) == length


@pytest.mark.parametrize("words", [["cat", "dog", "cat"], ["dog", "<eos>"]])
def test_words_must_differ(words):
    with pytest.raises(ValueError, match=r"words must differ, got (cat|<eos>) twice"):
        Vocabulary(words)
