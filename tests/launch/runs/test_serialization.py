"""An experiment as plain data, and what is written beside it."""

import pytest
import yaml

from agents import dqn
from environments import Catch
from launch.experiment import Experiment
from launch.runs import provenance, serialization
from tests.launch.fakes import Fake, Network, Sea


def test_the_command_has_the_flags_of_xla_before_it(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/bin/munchausen", "train", "dqn/catch"])
    monkeypatch.setenv("XLA_FLAGS", " --xla_one=true --xla_two=3 ")
    expected = "XLA_FLAGS='--xla_one=true --xla_two=3' munchausen train dqn/catch"
    assert provenance.circumstances()["command"] == expected
    monkeypatch.setenv("XLA_FLAGS", "--xla_one=true")
    assert provenance.command() == "XLA_FLAGS=--xla_one=true munchausen train dqn/catch"


def test_the_machine_has_the_gpus_that_jax_may_use(monkeypatch, tmp_path):
    for slot, model in enumerate(["NVIDIA H200", "NVIDIA A100-SXM4-80GB"]):
        (tmp_path / f"0000:0{slot}:00.0").mkdir()
        information = f"Model: \t\t {model}\nIRQ:   \t\t 16\n"
        (tmp_path / f"0000:0{slot}:00.0" / "information").write_text(information)
    for variable in ("JAX_PLATFORMS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(variable, raising=False)
    both = provenance.machine(tmp_path)
    assert both.endswith(" GiB, NVIDIA A100-SXM4-80GB, NVIDIA H200")
    assert provenance.machine(tmp_path / "none").endswith(" GiB")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert provenance.machine(tmp_path).endswith(" GiB")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert provenance.machine(tmp_path) == both
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert provenance.machine(tmp_path).endswith(" GiB")


@pytest.mark.parametrize(
    "value",
    [
        Fake(),
        Fake(network=Network(hidden=(), activation="relu")),
        Fake(place=Sea(depth=float("inf"))),
        Fake(place=Sea(depth=3)),
    ],
)
def test_plain_data_becomes_the_same_value_again(value):
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
