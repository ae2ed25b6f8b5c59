"""Mappings that are fields of frozen dataclasses."""

from environments.keywords import Keywords


def test_equal_mappings_have_equal_hashes_in_any_order():
    one, other = Keywords(b=2, a=1), Keywords(a=1, b=2)
    assert one == other == {"a": 1, "b": 2} and hash(one) == hash(other)
    assert hash(Keywords(a=2, b=1)) != hash(one)
