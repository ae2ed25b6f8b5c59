"""Libraries that only pretrained models need."""

import sys
from pathlib import Path

import pytest

from launch.errors import PretrainedError
from launch.pretrained import extra


def test_a_library_that_is_installed_is_imported():
    assert extra.library("json", Path("file")).loads("[7]") == [7]


def test_a_missing_library_is_named_with_its_installation(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(PretrainedError) as caught:
        extra.library("tokenizers", Path("model/tokenizer.json"))
    assert str(caught.value) == (
        "model/tokenizer.json needs the package tokenizers: install it with `make "
        "language`, or with `pip install 'munchausen[language]'`"
    )
