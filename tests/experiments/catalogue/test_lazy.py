"""Mappings that build a value on its first access."""

import pytest

from experiments.catalogue.lazy import Joined, Lazy


@pytest.fixture
def made():
    return []


@pytest.fixture
def lazy(made):
    def maker(name):
        return lambda: made.append(name) or f"the {name}"

    return Lazy({name: maker(name) for name in ("b", "a")})


def test_a_value_is_built_once_on_its_first_access(lazy, made):
    assert list(lazy) == ["b", "a"] and len(lazy) == 2 and "a" in lazy
    assert "c" not in lazy and made == []
    assert [lazy["a"], lazy["a"]] == ["the a", "the a"]
    assert made == ["a"]


def test_an_unknown_name_is_a_key_error(lazy):
    with pytest.raises(KeyError, match="c"):
        lazy["c"]


def test_joined_mappings_keep_their_order_and_build_nothing(lazy, made):
    joined = Joined(lazy, {"c": "the c"})
    assert list(joined) == ["b", "a", "c"] and len(joined) == 3
    assert "c" in joined and "d" not in joined and made == []
    assert joined["c"] == "the c" and joined["b"] == "the b"
    with pytest.raises(KeyError, match="d"):
        joined["d"]
