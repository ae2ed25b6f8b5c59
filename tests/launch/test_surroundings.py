"""Machines and variables with which no run works are refused; others are prepared."""

import resource
import socket
import sys
import tempfile
from pathlib import Path

import pytest

from launch import surroundings
from launch.surroundings import Unfit


def prepared(variables):
    environment = dict(variables)
    surroundings.prepare(environment)
    return environment


@pytest.mark.parametrize(
    "variables, excluded",
    [
        ({}, "localhost,127.0.0.1,::1"),
        ({"http_proxy": "http://p:3128"}, "localhost,127.0.0.1,::1"),
        ({"no_proxy": "a.org, b.org"}, "a.org,b.org,localhost,127.0.0.1,::1"),
        ({"no_proxy": "a", "no_grpc_proxy": "b"}, "b,localhost,127.0.0.1,::1"),
        ({"no_grpc_proxy": "localhost"}, "localhost,127.0.0.1,::1"),
    ],
)
def test_calls_to_this_machine_avoid_the_proxy_and_nothing_else_does(
    variables, excluded
):
    environment = prepared(variables)
    assert environment.pop("no_grpc_proxy") == excluded
    assert environment.pop("HDF5_USE_FILE_LOCKING") == "FALSE"
    kept = {name: each for name, each in variables.items() if name != "no_grpc_proxy"}
    assert environment == kept


def test_values_of_the_user_are_kept():
    chosen = {"HDF5_USE_FILE_LOCKING": "TRUE", "HOME": "here"}
    assert chosen.items() <= prepared(chosen).items()


def test_a_user_without_home_and_name_gets_a_home(monkeypatch):
    def home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    assert prepared({})["HOME"] == "/"


def limited(monkeypatch, kind, limit):
    of = {kind: (limit, limit)}
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda each: of.get(each, unlimited))


@pytest.mark.parametrize(
    "mode, actors, fewest",
    [("local", 1, 24), ("processes", 7, 64), ("threads", 3, 112 + 3 * 16)],
)
def test_too_few_open_files_are_refused(monkeypatch, mode, actors, fewest):
    limited(monkeypatch, resource.RLIMIT_NOFILE, fewest)
    surroundings.check_files(mode, actors)
    limited(monkeypatch, resource.RLIMIT_NOFILE, fewest - 1)
    with pytest.raises(Unfit) as caught:
        surroundings.check_files(mode, actors)
    assert str(caught.value) == (
        f"--launch {mode} needs at least {fewest} open files, the limit is "
        f"{fewest - 1}; raise it with `ulimit -n 1024`"
    )
    limited(monkeypatch, resource.RLIMIT_AS, 3)
    surroundings.check_files(mode, actors)


def test_too_small_an_address_space_is_refused(monkeypatch):
    limited(monkeypatch, resource.RLIMIT_AS, 2_000_000_000)
    surroundings.check_addresses()
    limited(monkeypatch, resource.RLIMIT_AS, 1_460_000_000)
    with pytest.raises(Unfit) as caught:
        surroundings.check_addresses()
    assert str(caught.value) == (
        "a process needs at least 2 GB of address space, the limit is 1.5 GB; raise it "
        "with `ulimit -v unlimited`"
    )


def test_a_machine_that_reaches_itself_passes():
    surroundings.check_network()


@pytest.mark.parametrize(
    "error, message",
    [
        (
            socket.gaierror(-2, "Name or service not known"),
            "the name localhost must have an address, got: Name or service not known; "
            "add the line `127.0.0.1 localhost` to /etc/hosts, or use --launch local",
        ),
        (
            OSError(101, "Network is unreachable"),
            "a program must reach itself at localhost, got: network is unreachable; "
            "bring the loopback device up with `ip link set lo up`, or use --launch "
            "local",
        ),
    ],
)
def test_a_machine_that_does_not_is_refused(monkeypatch, error, message):
    def connect(address, timeout):
        assert address[0] == "localhost"
        raise error

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(surroundings, "DISTRIBUTED", sys.version_info[:2])
    with pytest.raises(Unfit) as caught:
        surroundings.check_program("processes", 1, here=True)
    assert str(caught.value) == message
    surroundings.check_program("local", 1, here=True)  # calls nobody


def test_a_platform_that_this_machine_lacks_is_refused(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "abacus")
    surroundings.check_process()
    with pytest.raises(Unfit):
        surroundings.check_process(devices=True)
    surroundings.check_program("local", 1, here=True)
    with pytest.raises(Unfit) as caught:
        surroundings.check_program("local", 1, here=False)
    message = str(caught.value)
    assert message.startswith(
        "JAX must start on JAX_PLATFORMS='abacus', but cannot: Unable to initialize "
        "backend 'abacus'"
    )
    assert "(set" not in message and "\n" not in message
    assert "set JAX_PLATFORMS=cpu; `make cuda12`" in message


def test_jax_may_fail_without_a_reason(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    assert surroundings.no_backend("AssertionError").problem == (
        "JAX must start on JAX_PLATFORMS='cuda', but cannot"
    )


@pytest.mark.parametrize(
    "flags, said",
    [
        ("--xla_abacus=1", "Unknown flag in XLA_FLAGS: --xla_abacus=1"),
        (
            "--xla_cpu_enable_fast_math=maybe",
            "Couldn't interpret value maybe for flag xla_cpu_enable_fast_math",
        ),
    ],
)
def test_flags_that_abort_a_process_are_refused(monkeypatch, flags, said):
    monkeypatch.setenv("XLA_FLAGS", flags)
    with pytest.raises(Unfit) as caught:
        surroundings.check_process()
    assert str(caught.value) == (
        f"XLA must accept every flag of XLA_FLAGS, got {flags!r}: {said}; correct the "
        "variable, or unset it"
    )


def test_variables_with_which_every_run_fails_are_refused():
    for value in ("disallow", "disallow_explicit"):
        with pytest.raises(Unfit, match=f"JAX_TRANSFER_GUARD must not be '{value}'"):
            surroundings.check_jax_variables({"JAX_TRANSFER_GUARD": value})
    surroundings.check_jax_variables({"JAX_TRANSFER_GUARD": "log"})


def test_a_value_that_jax_does_not_take_is_refused(monkeypatch):
    monkeypatch.setenv("JAX_ENABLE_X64", "maybe")
    code = "from launch import surroundings; surroundings.check_jax_variables()"
    said = surroundings.failure(code)
    assert said.startswith("JAX must accept the values of JAX_")
    assert "invalid truth value 'maybe' for environment 'JAX_ENABLE_X64'" in said


@pytest.mark.parametrize("option", ["error", "error::DeprecationWarning", "error:::"])
def test_warnings_of_libraries_stay_warnings(option):
    with pytest.raises(Unfit, match="PYTHONWARNINGS must not"):
        surroundings.check_warnings(["ignore", option])
    surroundings.check_warnings(["ignore", "error::ResourceWarning", "default"])


def test_some_directory_must_take_temporary_files(monkeypatch):
    def none():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(Unfit, match="set TMPDIR to a directory"):
        surroundings.temporary_directory()


def test_a_process_that_runs_code_ignores_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("json.py").write_text("raise SystemExit('not the library json')")
    done = surroundings.run_code("import json; print(json.dumps({}))", 20.0)
    assert (done.stdout, done.returncode) == ("{}\n", 0)
    assert surroundings.failure("import os; os._exit(7)") == "it ended with code 7"


@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_a_newer_python_is_refused_for_distributed_runs_only(mode):
    surroundings.check_python("local", (3, 12, 1))
    surroundings.check_python(mode, (3, 10, 13))
    with pytest.raises(surroundings.Unfit) as caught:
        surroundings.check_python(mode, (3, 12, 1))
    assert str(caught.value) == (
        f"--launch {mode} needs CPython 3.10, the last one for which Launchpad and "
        "Reverb exist; this is 3.12.1; use --launch local, or install munchausen for "
        "CPython 3.10"
    )
