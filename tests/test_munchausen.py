"""Processes find our packages and the user's modules, whatever else has their names."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

import munchausen

ROOT = Path(__file__).resolve().parents[1]
SHOW = """
import sys
print(*(sys.modules[name].__file__ for name in ("agents", "launch", "experiments")))
import my_module
print(my_module.__file__)
"""


@pytest.fixture
def project(tmp_path):
    """A user's folder with packages of our names, one of them without `__init__`."""
    for name in ("agents", "launch", "experiments"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("MINE = True")
    (tmp_path / "environments").mkdir()
    (tmp_path / "my_module.py").write_text("")
    (tmp_path / "yaml.py").write_text("raise SystemExit('not the library yaml')")
    return tmp_path.resolve()


def python(folder, *arguments, **variables):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**munchausen.os.environ, **variables},
        capture_output=True,
        text=True,
    )


def run(folder, code, **variables):
    """Runs a module of the user as our child processes are run."""
    (folder / "shown.py").write_text(code)
    command = munchausen.command("shown")
    assert command[0] == sys.executable
    return python(folder, *command[1:], **variables)


def test_a_child_process_has_our_packages_and_then_the_users_modules(project):
    imports = "import agents, launch, experiments, environments, yaml\n"
    done = run(project, imports + SHOW, PYTHONPATH=str(project / "launch"))
    ours, users = done.stdout.splitlines()
    names = ("agents", "launch", "experiments")
    assert ours.split() == [str(ROOT / name / "__init__.py") for name in names]
    assert users == str(project / "my_module.py")


def test_arguments_reach_the_module(project):
    done = run(project, "import sys; print(sys.argv[1:], __name__)")
    assert done.stdout.strip() == "[] __main__"
    line = [*munchausen.command("shown", "-m", "--x=1")[1:]]
    assert python(project, *line).stdout.strip() == "['-m', '--x=1'] __main__"


def test_packages_on_pythonpath_hide_nothing_from_the_command(project):
    line = ("-m", "munchausen", "train", "mdqn/pnog")
    done = python("/", *line, PYTHONPATH=str(project))
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean 'mdqn/pong'?" in done.stderr


def test_a_policy_can_be_loaded_from_a_folder_of_such_packages(project):
    (project / "yaml.py").unlink()
    code = "from munchausen import load_policy; load_policy('runs/x')"
    done = python(project, "-c", code)
    assert done.stderr.splitlines()[-1] == (
        "launch.errors.RunDirectoryError: runs/x is not a directory"
    )


def test_names_that_were_imported_before_cannot_be_taken(project):
    code = "import agents, munchausen; munchausen.take_names()"
    done = python(project, "-c", code)
    assert "ImportError: munchausen needs its own package 'agents'" in done.stderr


def test_a_working_directory_that_was_deleted_is_refused(tmp_path):
    code = (
        "import os, sys, munchausen; os.rmdir(os.getcwd()); sys.exit(munchausen.main())"
    )
    done = python(tmp_path, "-c", code)
    assert (done.returncode, done.stderr) == (
        2,
        "munchausen: the working directory no longer exists; change to one that does\n",
    )


def test_characters_that_the_output_lacks_are_escaped(tmp_path):
    code = "print('\\u0153 \\udcff \\u00fc')"
    for encoding, shown in (
        ("ascii", b"\\u0153 \\udcff \\xfc"),
        ("latin-1", b"\\u0153 \\udcff \xfc"),
        ("utf-8", "\u0153 \\udcff \u00fc".encode()),
    ):
        (tmp_path / "shown.py").write_text(code)
        done = subprocess.run(
            munchausen.command("shown"),
            cwd=tmp_path,
            env={**munchausen.os.environ, "PYTHONIOENCODING": encoding},
            capture_output=True,
        )
        assert done.stdout.strip() == shown, done.stderr


def test_a_process_may_have_no_output(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    munchausen._enter()
