"""Every problem of a machine gets the line that fixes it."""

import sys
from importlib import metadata
from pathlib import Path

import pytest

from experiments.verbs import doctor
from experiments.verbs.doctor import Check, Probe

MISSING_LIBPYTHON = Probe(
    False,
    "ImportError: libpython3.10.so.1.0: cannot open shared object file: "
    "No such file or directory",
)


@pytest.fixture(autouse=True)
def any_python():
    """Replaces the fixture of this name: here the versions are as they are."""


def test_cpython_3_10_on_linux_is_fine():
    check = doctor.check_python((3, 10, 13), "CPython", "Linux", "x86_64")
    assert check == Check("python", "CPython 3.10.13, Linux x86_64")


@pytest.mark.parametrize("minor", [11, 12, 13])
def test_newer_pythons_are_fine_for_local_runs(minor):
    check = doctor.check_python((3, minor, 2), "CPython", "Linux", "x86_64")
    only = "local runs only, since distributed ones need CPython 3.10"
    assert check == Check("python", f"CPython 3.{minor}.2, Linux x86_64; {only}")


@pytest.mark.parametrize(
    ("version", "implementation", "system", "machine", "mend"),
    [
        ((3, 9, 18), "CPython", "Linux", "x86_64", "CPython 3.10 to 3.13"),
        ((3, 14, 0), "CPython", "Linux", "x86_64", "CPython 3.10 to 3.13"),
        ((3, 10, 13), "PyPy", "Linux", "x86_64", "CPython 3.10 to 3.13"),
        ((3, 10, 13), "CPython", "Darwin", "x86_64", "Linux"),
        ((3, 10, 13), "CPython", "Linux", "aarch64", "x86-64"),
    ],
)
def test_any_other_python_is_a_problem(version, implementation, system, machine, mend):
    check = doctor.check_python(version, implementation, system, machine)
    assert mend in check.mend


def test_versions_are_compared_with_the_requirements():
    versions = {"jax": "0.6.2", "numpy": "1.26.4"}
    requirements = ["jax==0.6.2", "numpy<2", 'pytest; extra == "dev"']
    check = doctor.check_versions(requirements, versions.__getitem__)
    assert check == Check("versions", "2 packages as required")


def test_wrong_and_missing_versions_are_named():
    def installed(package: str) -> str:
        if package == "optax":
            raise metadata.PackageNotFoundError(package)
        return "2.1.0"

    check = doctor.check_versions(["numpy<2", "optax==0.2.8"], installed)
    assert check.detail == "numpy is 2.1.0, needed <2; optax is missing"
    assert check.mend == "make clean install"


def test_a_missing_installation_is_a_problem(monkeypatch):
    def requires(package: str) -> list[str]:
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "requires", requires)
    check = doctor.check_installation()
    assert check.detail == "munchausen is not installed"
    assert check.mend == "make clean install"


def test_this_installation_has_the_versions_it_requires():
    assert not doctor.check_installation().mend


def test_a_libpython_in_another_folder_is_linked(tmp_path):
    library = tmp_path / "libpython3.10.so.1.0"
    library.touch()
    check = doctor.check_native("courier", MISSING_LIBPYTHON, library)
    assert check.mend == "make libpython"


@pytest.mark.parametrize(
    ("name", "folder"), [("courier", "courier/python"), ("reverb", "reverb")]
)
def test_without_a_makefile_the_command_that_links_libpython_is_printed(
    name, folder, tmp_path
):
    library = tmp_path / "libpython3.10.so.1.0"
    library.touch()
    check = doctor.check_native(name, MISSING_LIBPYTHON, library, in_repository=False)
    [command, option, linked, where] = check.mend.split()
    assert (command, option, linked) == ("ln", "-s", str(library))
    assert Path(where) == Path(pytest.__file__).parents[1] / folder


def test_a_static_python_is_replaced(tmp_path):
    library = tmp_path / "libpython3.10.so.1.0"
    check = doctor.check_native("reverb", MISSING_LIBPYTHON, library)
    assert check.detail == f"{library} is missing"
    assert "--enable-shared" in check.mend


@pytest.mark.parametrize(
    "text",
    [
        "ModuleNotFoundError: No module named 'reverb'",
        "ImportError: undefined symbol: _ZN10tensorflow",
    ],
)
def test_a_package_that_fails_otherwise_is_installed_again(text):
    check = doctor.check_native("reverb", Probe(False, text), Path("libpython"))
    assert check == Check("reverb", text, "make clean install")


def test_a_package_that_loads_is_fine():
    result = Probe(True, "imports TensorFlow 2.8.4")
    check = doctor.check_native("reverb", result, Path("libpython"))
    assert check == Check("reverb", "imports TensorFlow 2.8.4")


@pytest.mark.parametrize(
    ("result", "nvidia", "platforms", "mend"),
    [
        (Probe(True, "TFRT_CPU_0 (cpu)"), False, "", ""),
        (Probe(True, "TFRT_CPU_0 (cpu)"), True, "cpu", ""),
        (Probe(True, "cuda:0 (gpu)"), True, "", ""),
        (Probe(True, "TFRT_CPU_0 (cpu)"), True, "", "make cuda12"),
        (Probe(False, "RuntimeError: no backend"), False, "cuda", "JAX_PLATFORMS"),
        (Probe(False, "ModuleNotFoundError: jax"), False, "", "make clean install"),
    ],
)
def test_devices(result, nvidia, platforms, mend):
    check = doctor.check_devices(result, nvidia, platforms)
    assert bool(check.mend) == bool(mend)
    assert mend in check.mend


def test_roms(tmp_path):
    (tmp_path / "pong.bin").touch()
    check = doctor.check_roms(tmp_path)
    assert check.detail.startswith("breakout missing")
    assert check.mend
    (tmp_path / "breakout.bin").touch()
    assert doctor.check_roms(tmp_path) == Check("roms", "2 Atari games")


def test_disk_and_memory():
    assert "--runs" in doctor.check_disk(1e9).mend
    assert not doctor.check_disk(3e9).mend
    assert "capacity" in doctor.check_memory(1e9).mend
    assert not doctor.check_memory(8e9).mend


def test_available_memory_is_read_in_bytes():
    meminfo = "MemTotal:  4000 kB\nMemFree:  100 kB\nMemAvailable:  2000 kB\n"
    assert doctor.available_memory(meminfo) == 2_048_000


def test_a_probe_has_the_last_line_of_output_or_error():
    assert doctor.probe("print('first'); print('last')") == Probe(True, "last")
    assert doctor.probe("raise ValueError('bad')") == Probe(False, "ValueError: bad")
    assert doctor.probe("raise SystemExit(3)") == Probe(False, "ended with code 3")
    assert "0.1 s" in doctor.probe("import time; time.sleep(60)", seconds=0.1).text


def test_the_report_has_a_fix_under_each_problem(monkeypatch, capsys):
    checks = [Check("python", "fine"), Check("roms", "none", "make clean install")]
    monkeypatch.setattr(doctor, "examine", lambda: checks)
    assert doctor.main([]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "ok       python    fine",
        "problem  roms      none",
        "         fix       make clean install",
    ]


def test_without_a_problem_the_exit_code_is_0(monkeypatch):
    monkeypatch.setattr(doctor, "examine", lambda: [Check("python", "fine")])
    assert doctor.main([]) == 0


def test_under_another_python_nothing_else_is_checked(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 14, 1))
    assert [check.name for check in doctor.examine()] == ["python"]
