"""Strict JAX flags for every test, and fixtures that all of them may use."""

import os
import platform
import re
import signal
from importlib import util
from pathlib import Path

# Before JAX is imported, and inherited by the processes that tests start.
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"

import jax
import pytest

IGNORED = "TESTS_IGNORE_SIGNALS"  # numbers, from the main process to its workers

# CPython 3.11 and newer have no Launchpad, Courier, Reverb, TensorFlow and Acme.
DISTRIBUTED = util.find_spec("launchpad") is not None
# Files that import one of these. Tests of other files are skipped by their marks.
NEED_THEM = (
    "launch/engines/test_calls.py",
    "launch/engines/test_launchpad_engine.py",
    "launch/engines/test_program.py",
    "launch/engines/test_supervisor.py",
    "launch/roles/test_acme_interfaces.py",
    "launch/roles/test_context.py",
    "launch/roles/test_coordinator.py",
)
collect_ignore = [] if DISTRIBUTED else list(NEED_THEM)


def pytest_report_header():
    """Tells what is not tested on this Python."""
    if DISTRIBUTED:
        return None
    version = platform.python_version()
    return f"no Launchpad for CPython {version}; left out: {', '.join(NEED_THEM)}"


def pytest_collection_modifyitems(items):
    """Skips tests of distributed runs, by mark or parameter, where they cannot run."""
    reason = f"no Launchpad and Reverb for CPython {platform.python_version()}"
    for item in items if not DISTRIBUTED else ():
        marks = {mark.name for mark in item.iter_markers()}
        given = item.callspec.params.values() if hasattr(item, "callspec") else ()
        modes = re.search(r"\b(threads|processes)\b", " ".join(map(str, given)))
        if modes or marks & {"reverb", "launchpad"}:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_configure():
    """Lets commands that tests start receive SIGINT and SIGHUP in any case.

    `nohup` and the shell's `&` start the tests with one of them ignored, and a command
    would inherit that. A handler that does nothing is not inherited.
    """
    numbers = (signal.SIGINT, signal.SIGHUP)
    found = [int(n) for n in numbers if signal.getsignal(n) == signal.SIG_IGN]
    inherited = [int(n) for n in os.environ.get(IGNORED, "").split()]
    for number in {*found, *inherited}:
        signal.signal(number, lambda number, frame: None)
    os.environ[IGNORED] = " ".join(map(str, {*found, *inherited}))


@pytest.fixture(scope="session", autouse=True)
def compilation_cache(tmp_path_factory):
    """Programs compiled once serve all workers, and the processes that tests start."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    settings = {
        "jax_compilation_cache_dir": str(root / "compiled"),
        "jax_persistent_cache_min_compile_time_secs": 0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    for name, value in settings.items():
        jax.config.update(name, value)
        os.environ[name.upper()] = str(value)


@pytest.fixture(scope="module", autouse=True)
def forget_compiled():
    """Compiled programs of one test file do not fill the memory of the next."""
    yield
    jax.clear_caches()


@pytest.fixture
def key() -> jax.Array:
    """A fresh random key; equal in every test."""
    return jax.random.key(0)


@pytest.fixture
def strangers(monkeypatch):
    """Makes the strangers' environments importable, also in processes of a test."""
    folder = Path(__file__).parent / "data" / "strangers"
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder
