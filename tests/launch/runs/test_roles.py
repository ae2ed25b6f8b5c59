"""The file with the roles of a program."""

import pytest

from launch.runs import roles
from launch.runs.roles import Row


def test_the_newest_table_is_read(tmp_path):
    assert roles.read(tmp_path) == []
    roles.write(tmp_path, [Row("learner", "gpu1", 5, 0, 0.0)])
    rows = [Row("learner", "gpu1", 5, 0, 0.0), Row("actor/0", "", 0, 3, 7.5)]
    roles.write(tmp_path, rows)
    assert roles.read(tmp_path) == rows
    assert [path.name for path in tmp_path.iterdir()] == ["roles.json"]


@pytest.mark.parametrize("text", ("{", '[{"role": 3}]', "[4]"))
def test_another_file_is_named(tmp_path, text):
    (tmp_path / "roles.json").write_text(text)
    with pytest.raises(ValueError, match=r"roles\.json: "):
        roles.read(tmp_path)


def test_the_table_as_text():
    rows = [
        Row("learner", "gpu1", 5, 0, 0.0),
        Row("actor/0", "far", 1234, 2, 1234.5),
        Row("actor/1", "", 0, 1, 0.0),
    ]
    assert roles.lines(rows) == [
        "role     host               pid   restarts  steps/s",
        "learner  gpu1               5     0",
        "actor/0  far                1234  2         1,234",
        "actor/1  waits for a place        1",
    ]
    assert roles.lines(rows, most=1)[1:] == ["learner  gpu1  5    0", "and 2 more"]
