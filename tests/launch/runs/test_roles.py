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
    with pytest.raises(ValueError, match="roles.json: "):
        roles.read(tmp_path)
