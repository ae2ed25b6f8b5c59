"""Marks for parameters: the quick tests run some of them, the slow tests the others."""

import pytest


def quick(some, everything):
    """All of `everything` as parameters; those that are not in `some` are slow."""
    assert set(some) <= set(everything), (some, everything)
    return [
        each if each in some else pytest.param(each, marks=pytest.mark.slow)
        for each in everything
    ]
