"""How long a replay takes to save is measured, and expected of the next save."""

import pytest

from launch.runs import replay_saving
from launch.runs.replay_saving import ReplaySaver


class Rows:
    """Rows of which each takes 0.25 s to save, on the test's clock."""

    def __init__(self, monkeypatch, number):
        self.number, self.now = number, 100.0
        monkeypatch.setattr(replay_saving.time, "monotonic", lambda: self.now)

    def stored(self):
        return self.number

    def save(self, path):
        path.mkdir()
        (path / "rows").write_bytes(bytes(self.number))
        self.now += 0.25 * self.number


def ended(saving):
    assert saving.ended(lambda: False)
    return saving.files()


def test_the_speed_of_a_save_gives_the_seconds_of_the_next(monkeypatch, tmp_path):
    rows = Rows(monkeypatch, 12)
    saver = ReplaySaver(rows)
    assert saver.seconds() == 0.0, "not known yet"
    files = ended(saver.begin(tmp_path / "a"))
    assert files == {"rows": [12, 2077607535]}  # size and CRC-32 of twelve zeros
    assert saver.rate == 4.0
    rows.number = 50
    assert saver.seconds() == 12.5


def test_an_empty_replay_tells_nothing_about_the_speed(monkeypatch, tmp_path):
    rows = Rows(monkeypatch, 0)
    saver = ReplaySaver(rows)
    saver.rate = 4.0
    ended(saver.begin(tmp_path / "a"))
    assert saver.rate == 4.0


def test_the_error_of_a_save_is_raised_where_its_files_are_wanted(
    monkeypatch, tmp_path
):
    rows = Rows(monkeypatch, 5)
    (tmp_path / "a").mkdir()
    saving = ReplaySaver(rows).begin(tmp_path / "a")
    assert saving.ended(lambda: False)
    with pytest.raises(FileExistsError):
        saving.files()
