"""An experiment as plain data, and what is written beside it."""

import pytest
import yaml

from launch import config
from tests.launch.fakes import Fake, Land, Network, Sea


def test_the_command_has_the_flags_of_xla_before_it(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/bin/munchausen", "train", "dqn/catch"])
    monkeypatch.setenv("XLA_FLAGS", " --xla_one=true --xla_two=3 ")
    expected = "XLA_FLAGS='--xla_one=true --xla_two=3' munchausen train dqn/catch"
    assert config.circumstances()["command"] == expected
    monkeypatch.setenv("XLA_FLAGS", "--xla_one=true")
    assert config.command() == "XLA_FLAGS=--xla_one=true munchausen train dqn/catch"


@pytest.mark.parametrize(
    "value",
    [
        Fake(),
        Fake(place=Land(), network=Network(hidden=(), activation="relu")),
        Fake(place=Sea(depth=float("inf"))),
        Fake(place=Sea(depth=3)),
    ],
)
def test_plain_data_becomes_the_same_value_again(value):
    plain = yaml.safe_load(yaml.safe_dump(config.to_plain(value)))
    assert config.from_plain(Fake, plain) == value


@pytest.mark.parametrize(
    "change, message",
    [
        ({"place": {"kind": "Sky"}}, "no class named 'Sky'"),
        ({"colour": 1}, "Fake has no field 'colour'"),
    ],
)
def test_plain_data_of_another_version_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        config.from_plain(Fake, config.to_plain(Fake()) | change)
