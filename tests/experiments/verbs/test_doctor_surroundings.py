"""What the doctor finds out about limits, network, home and variables."""

import fcntl
import os
import sys
from importlib import util
from pathlib import Path

from experiments.verbs import doctor_surroundings
from experiments.verbs.doctor_surroundings import Check
from launch import surroundings
from launch.surroundings import Unfit


def found(name):
    [check] = [each for each in doctor_surroundings.examine() if each.name == name]
    return check


def test_what_refuses_a_run_is_a_problem_with_its_fix(monkeypatch):
    def unfit():
        raise Unfit("a program must reach itself", "bring it up")

    assert found("network") == Check("network", "localhost answers")
    monkeypatch.setattr(surroundings, "check_network", unfit)
    expected = Check("network", "a program must reach itself", "bring it up")
    assert found("network") == expected


def test_variables_are_checked(monkeypatch):
    assert found("variables").mend == ""
    monkeypatch.setenv("XLA_FLAGS", "--xla_abacus=1")
    check = found("variables")
    assert "--xla_abacus" in check.detail and "unset it" in check.mend


def test_missing_readers_of_pretrained_models_are_named_and_no_problem(monkeypatch):
    assert found("language") == Check("language", "reads pretrained models")
    gone = ("tokenizers", "sentencepiece")
    find = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda x: None if x in gone else find(x))
    assert doctor_surroundings.check_language() == Check(
        "language",
        "no tokenizers, sentencepiece; `make language`, for pretrained models",
    )


def test_a_home_that_cannot_be_written_is_no_problem(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert doctor_surroundings.check_home() == Check("home", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert doctor_surroundings.check_home() == Check(
        "home", f"{tmp_path} cannot be written; pictures take a temporary folder"
    )


def test_proxies_are_named(monkeypatch):
    for name in ("grpc_proxy", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert doctor_surroundings.check_proxies() == Check("proxies", "none")
    monkeypatch.setenv("http_proxy", "http://user:secret@proxy:3128")
    detail = "http_proxy; calls on this machine avoid them"
    assert doctor_surroundings.check_proxies() == Check("proxies", detail)


def test_a_file_system_without_locks_is_named(monkeypatch, tmp_path):
    fine = Check("locks", "the working directory has them")
    assert doctor_surroundings.check_locks(tmp_path) == fine

    def unsupported(file, how):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    assert doctor_surroundings.check_locks(tmp_path).detail == (
        f"not in {tmp_path} (function not implemented): two processes could write one "
        "run"
    )


def test_the_encoding_of_the_output_is_named():
    detail = doctor_surroundings.check_encoding().detail
    assert detail.startswith(f"{sys.stdout.encoding}, directories b'")
    assert Path(surroundings.temporary_directory()).is_dir()
