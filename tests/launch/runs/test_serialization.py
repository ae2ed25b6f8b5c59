"""An experiment as plain data, and back."""

from dataclasses import dataclass

import pytest
import yaml

from agents import dqn
from environments import Catch, Gymnasium
from launch.experiment import Experiment
from launch.runs import serialization
from tests.launch.runs.stand_in_experiment import Fake, Network, Sea


@pytest.mark.parametrize(
    "value",
    [
        Fake(),
        Fake(network=Network(hidden=(), activation="relu")),
        Fake(place=Sea(depth=float("inf"))),
        Fake(place=Sea(depth=3)),
    ],
)
def test_a_value_survives_conversion_to_plain_data_and_back(value):
    plain = yaml.safe_load(yaml.safe_dump(serialization.to_plain(value)))
    assert serialization.from_plain(Fake, plain) == value


@pytest.mark.parametrize(
    "change, message",
    [
        ({"seed": {"kind": "Sky"}}, "no class named 'Sky'"),
        ({"colour": 1}, "Fake has no field 'colour'"),
    ],
)
def test_plain_data_of_another_version_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        serialization.from_plain(Fake, serialization.to_plain(Fake()) | change)


def test_the_kind_of_an_environment_names_its_class():
    experiment = Experiment("dqn/catch", "dqn", dqn.Config(), Catch(rows=7), 1000)
    plain = serialization.to_plain(experiment)
    assert plain["environment"]["kind"] == "Catch"
    assert serialization.read_experiment(plain) == experiment
    plain["environment"]["kind"] = "Cach"
    with pytest.raises(ValueError, match="got 'Cach'; did you mean 'Catch'"):
        serialization.read_experiment(plain)


def test_runs_of_versions_without_flags_for_datasets_are_read():
    experiment = Experiment("dqn/a", "dqn", dqn.Config(), Catch(), 7, dataset="b-v0")
    plain = serialization.to_plain(experiment)
    assert plain["dataset_reading"]["clip_actions"] is False
    del plain["dataset_reading"]
    assert serialization.read_experiment(plain) == experiment


def test_an_obstacle_names_what_config_yaml_cannot_hold():
    @dataclass(frozen=True)
    class Odd:
        pair: object = (1, 2)

    assert serialization.obstacle(Fake()) == ""
    assert serialization.obstacle(Odd()) == ""
    frozen = serialization.obstacle(Odd(frozenset({3})))
    assert frozen == "frozenset({3}) of type frozenset has no plain form"
    table = serialization.obstacle(Odd({"a": 1}))
    assert table.startswith("no class named None in ")


def test_keyword_arguments_of_an_environment_come_back():
    kwargs = {"size": 3, "names": ("a", "b"), "x": None}
    config = Gymnasium("my_module:make", kwargs)
    plain = serialization.to_plain(config)
    assert plain["kwargs"] == {"size": 3, "names": ["a", "b"], "x": None}
    assert serialization.from_plain(Gymnasium, plain) == config
