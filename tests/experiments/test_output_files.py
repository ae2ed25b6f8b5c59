"""Output files of verbs: paths are checked early, writes are atomic."""

import pytest

from experiments.output_files import check_writable, draft, write_table
from launch.errors import RunDirectoryError


def test_a_new_and_an_old_file_can_be_written(tmp_path):
    check_writable(tmp_path / "new.html")
    (tmp_path / "old.html").write_text("old")
    check_writable(tmp_path / "old.html")


@pytest.mark.parametrize(
    "name, reason",
    [
        (".", "it is a directory"),
        ("none/page.html", "there is no directory"),
        ("x" * 300, "name too long"),
    ],
)
def test_an_unwritable_path_is_refused_with_the_reason(name, reason, tmp_path):
    with pytest.raises(RunDirectoryError, match=f"(?i){reason}"):
        check_writable(tmp_path / name)


def test_a_draft_replaces_the_file_when_complete(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    with draft(path) as hidden:
        hidden.write_text("new")
        assert path.read_text() == "old" and hidden.suffix == ".html"
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_a_draft_that_fails_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(RunDirectoryError, match="no space left"), draft(path) as hidden:
        hidden.write_text("half")
        raise OSError(28, "no space left on device")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_table_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "table.csv"
    write_table(path, ["name", "return"], [{"name": "IQ, M-IQN", "return": 2.5}])
    assert path.read_text() == 'name,return\n"IQ, M-IQN",2.5\n'
    with pytest.raises(ValueError, match="seed"):
        write_table(path, ["name"], [{"name": "a"}, {"seed": 3}])
    assert path.read_text().endswith("2.5\n")
    assert [each.name for each in tmp_path.iterdir()] == ["table.csv"]
