"""Run directories: their names, their configuration, and directories of other kinds."""

import os
import platform

import pytest
import yaml

from launch import errors
from launch.runs import run_directory
from tests.launch.runs.stand_in_experiment import Fake, Sea
from tests.launch.small_experiments import small_catch


def test_two_runs_in_the_same_second_get_two_directories(tmp_path, monkeypatch):
    class Noon(run_directory.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 2, 12, 0, 0)

    monkeypatch.setattr(run_directory, "datetime", Noon)
    made = [run_directory.create(tmp_path / "runs", Fake()) for _ in range(3)]
    assert [str(path.relative_to(tmp_path)) for path in made] == [
        "runs/mdqn/sea/seed3-20260102-120000",
        "runs/mdqn/sea/seed3-20260102-120000-1",
        "runs/mdqn/sea/seed3-20260102-120000-2",
    ]


def test_the_configuration_records_experiment_and_command(tmp_path, monkeypatch):
    line = ["/some/bin/munchausen", "train", "mdqn/sea", "--title", "a b"]
    monkeypatch.setattr("sys.argv", line)
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    directory = run_directory.create(tmp_path, Fake(place=Sea(depth=0.00005)))
    written = yaml.safe_load((directory / "config.yaml").read_text())
    assert written["experiment"] == {
        "kind": "Fake",
        "name": "mdqn/sea",
        "seed": 3,
        "network": {"kind": "Network", "hidden": [7, 5], "activation": None},
        "place": {"kind": "Sea", "depth": 0.00005},
    }
    assert written["versions"]["jax"].startswith("0.")
    assert written["versions"]["python"] == platform.python_version()
    assert written["command"] == "munchausen train mdqn/sea --title 'a b'"
    assert {"started", "code"} <= written.keys()
    assert run_directory.read_config(directory) == written


def test_a_file_in_place_of_the_runs_directory_is_reported_in_one_line(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(errors.RunDirectoryError, match="cannot write runs") as caught:
        run_directory.create(tmp_path / "runs", Fake())
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_without_permission_is_reported(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(errors.RunDirectoryError, match="Permission denied"):
        run_directory.create(tmp_path / "runs", Fake())
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("content", [None, "", "a: 1", "a: [", "\x00"])
def test_a_foreign_directory_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "config.yaml").write_text(content)
    with pytest.raises(errors.RunDirectoryError) as caught:
        run_directory.read_config(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_resumed_run_records_what_changed(tmp_path):
    directory = run_directory.create(tmp_path, Fake())
    changed = {"network.hidden": [(7, 5), (3,)]}
    details = {"step": 70, "changed": changed}
    run_directory.record_resume(directory, Fake(), details)
    run_directory.record_resume(directory, Fake())
    first, second = run_directory.read_config(directory)["resumed"]
    assert first["step"] == 70
    assert first["changed"] == {"network.hidden": [[7, 5], [3]]}
    assert "changed" not in second and second.keys() < first.keys()


@pytest.mark.parametrize(
    "resumed, expected",
    [
        ([], []),
        ([{"step": 7}], [(7, {})]),
        (
            [{"step": 7, "changed": {"agent.discount": [0.5, 0.25], "steps": 3}}, {}],
            [(7, {"agent.discount": (0.5, 0.25)}), (None, {})],
        ),
        ([3, {"step": 7, "changed": [1]}], [(None, {}), (7, {})]),  # a user's edits
        (None, []),
    ],
)
def test_changes_of_each_resumption_are_read(resumed, expected):
    assert run_directory.changes({"resumed": resumed}) == expected


def test_a_path_that_is_not_text_is_refused_before_anything_is_written(
    tmp_path, monkeypatch
):
    root = os.fsdecode(os.fsencode(tmp_path) + b"/r\xff")
    for use in (
        lambda: run_directory.create(root, None),
        lambda: run_directory.read_experiment(root),
    ):
        with pytest.raises(errors.RunDirectoryError) as caught:
            use()
        assert str(caught.value) == (
            f"the path of a run must be UTF-8 text, got {os.fsencode(root)!r}; rename "
            "the directory that is not, or write runs elsewhere with --runs"
        )
    assert not list(tmp_path.iterdir())


def test_a_path_that_python_does_not_read_as_utf_8_has_another_remedy(monkeypatch):
    monkeypatch.setattr(run_directory.sys, "getfilesystemencoding", lambda: "ascii")
    with pytest.raises(errors.RunDirectoryError, match="; set PYTHONUTF8=1, so that"):
        run_directory.create("\udcc3\udcbc", Fake())


@pytest.mark.parametrize("above", [1, 2, 3])
def test_a_folder_of_runs_is_told_from_a_run(above, tmp_path):
    run = run_directory.create(tmp_path, small_catch())
    folder = run.parents[above - 1]
    with pytest.raises(errors.RunDirectoryError) as error:
        run_directory.read_config(folder)
    assert str(error.value) == (
        f"{folder} is not a run directory: it has no config.yaml; name a run inside, "
        f"such as {run}"
    )
