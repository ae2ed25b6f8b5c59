"""The provenance of a run: its command line and its machine."""

import os

from launch.runs import provenance


def test_the_command_is_preceded_by_the_flags_of_xla(monkeypatch):
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


def test_threads_are_those_of_xla(monkeypatch):
    monkeypatch.setenv("NPROC", "5")
    assert provenance.threads() == 5
    monkeypatch.delenv("NPROC")
    assert provenance.threads() == len(os.sched_getaffinity(0))
