"""Windows of the manual: what is held out, and the share of right tokens."""

import importlib.util
from pydoc_data.topics import topics

import numpy as np
import pytest

import environments
from environments.language import text


def test_held_out_topics_share_no_paragraph_with_training():
    # Only the first is held out.
    few = {
        "power": "Both.\n\nPower only.\n\nIt\u2019s \u201cso\u201d \u2013 \u2026 \xdf",
        "assert": "Assert.\n\nBoth.\n\nTwice.\n\nTwice.",
        "try": "Try.\n\nAssert.",
    }
    training, evaluation = text.split(few)
    assert evaluation == ['Both.\n\nPower only.\n\nIt\'s "so" - ... ?']
    assert training == ["Assert.\n\nTwice.", "Try."]


def test_windows_stay_inside_a_text():
    texts = [np.arange(5), np.arange(2), np.arange(3)]
    assert text.starts(texts, 3).tolist() == [[0, 0], [0, 1], [0, 2], [2, 0]]
    assert text.starts(texts, 6).shape == (0, 2)


def test_the_manual_has_a_hundred_characters_and_no_special_one():
    vocabulary, training, evaluation = text.corpus("characters")
    assert len(vocabulary) == 100
    assert sum(map(len, training)) > 250_000
    assert 20_000 < sum(map(len, evaluation)) < 80_000
    tokens = np.concatenate([*training, *evaluation])
    assert tokens.min() == 4
    assert tokens.max() == 99
    assert vocabulary.text(training[0][:200]).isprintable() is False  # it has lines
    # Each paragraph of evaluation is missing in training.
    learned = "\n\n".join(map(vocabulary.text, training))
    for paragraph in vocabulary.text(np.concatenate(evaluation)).split("\n\n"):
        if len(paragraph) > 100:
            assert paragraph not in learned


def test_score_is_the_share_of_columns_as_in_the_manual():
    task = text.Windows(environments.Text(prompt_columns=20, completion_columns=8))
    prompt, reference = task.draw(np.random.default_rng(0), evaluation=True)
    assert (len(prompt), len(reference)) == (20, 8)
    assert task.score(prompt, reference) == 1.0
    near = reference.copy()
    near[[1, 4, 7]] = 4 + (near[[1, 4, 7]] - 3) % 96
    assert task.score(prompt, near) == 5 / 8
    assert task.score(prompt, np.zeros(8, np.int32)) == 0.0


def test_of_several_continuations_the_nearest_counts():
    task = text.Windows(environments.Text(prompt_columns=5, completion_columns=3))
    encode = task.vocabulary.encode
    scores = [
        task.score(encode(" the "), encode(word)) for word in ("obj", "typ", "~~~")
    ]
    assert scores == [1.0, 1.0, 0.0]


@pytest.mark.skipif(
    importlib.util.find_spec("tokenizers") is None, reason="needs the extra language"
)
def test_pieces_spell_the_same_text():
    characters, pieces = text.corpus("characters"), text.corpus("pieces")
    assert len(pieces.vocabulary) == 1_024
    for few, many in zip(pieces.training, characters.training, strict=True):
        assert len(few) < len(many) / 2
        assert pieces.vocabulary.text(few) == characters.vocabulary.text(many)
    names, _ = text.pieces(text.split(topics)[0])
    assert tuple(names) == pieces.vocabulary.words


def test_pieces_without_their_package_are_refused(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    message = r"environment\.unit must be characters unless .*language.*, got 'pieces'"
    with pytest.raises(ValueError, match=message):
        environments.Text("pieces")
