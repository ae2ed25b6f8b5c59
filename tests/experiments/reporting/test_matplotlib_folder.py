"""Where matplotlib keeps its caches."""

import os
from pathlib import Path

import pytest

from experiments.reporting import matplotlib_folder

VARIABLES = ("MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")


@pytest.fixture(autouse=True)
def none_set(monkeypatch):
    for variable in VARIABLES:
        monkeypatch.setenv(variable, "")  # so that the old value is restored
        monkeypatch.delenv(variable)


def no_home():
    raise RuntimeError("Could not determine home directory.")


def test_a_home_that_can_be_written_is_left_to_matplotlib(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    matplotlib_folder.prepare()
    assert "MPLCONFIGDIR" not in os.environ and not list(tmp_path.iterdir())


def test_without_a_home_there_is_a_temporary_folder(monkeypatch):
    monkeypatch.setattr(Path, "home", no_home)
    _assert_temporary(monkeypatch)


def test_a_home_below_a_file_is_not_used(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file/home"))
    _assert_temporary(monkeypatch)


def test_a_home_that_is_read_only_is_not_used(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    _assert_temporary(monkeypatch)


def test_a_folder_that_the_user_chose_is_kept(monkeypatch):
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setenv("MPLCONFIGDIR", "/chosen")
    matplotlib_folder.prepare()
    assert os.environ["MPLCONFIGDIR"] == "/chosen"


def _assert_temporary(monkeypatch):
    at_exit = []
    monkeypatch.setattr(
        matplotlib_folder.atexit, "register", lambda *a, **k: at_exit.append((a, k))
    )
    matplotlib_folder.prepare()
    folder = Path(os.environ["MPLCONFIGDIR"])
    assert folder.is_dir()
    [((delete, path), options)] = at_exit
    delete(path, **options)
    assert Path(path) == folder and not folder.exists()
