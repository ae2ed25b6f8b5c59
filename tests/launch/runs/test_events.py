"""The events of a run, in a file of one JSON object for each line."""

import pytest

from launch.runs import events


def test_events_are_read_back_in_their_order(tmp_path):
    assert events.read(tmp_path) == []
    events.append(tmp_path, "restart", role="actor/3", code=-9)
    events.append(tmp_path, "lost", role="actor/3", steps=70)
    first, second = events.read(tmp_path)
    assert (first["event"], first["role"], first["code"]) == ("restart", "actor/3", -9)
    assert (second["event"], second["steps"]) == ("lost", 70)
    assert first["time"] <= second["time"]


def test_a_line_that_was_cut_off_is_left_out(tmp_path):
    events.append(tmp_path, "restart", role="actor/3")
    path = tmp_path / events.FILE
    path.write_text(path.read_text() + '{"event": "lo')
    assert [row["event"] for row in events.read(tmp_path)] == ["restart"]
    for number in range(2):
        events.append(tmp_path, "lost", number=number)
    rows = events.read(tmp_path)
    assert [row["event"] for row in rows] == ["restart", "lost", "lost"]
    assert [row.get("number") for row in rows] == [None, 0, 1]


def test_another_line_that_is_not_json_is_named(tmp_path):
    (tmp_path / events.FILE).write_text("nonsense\n{}\n")
    with pytest.raises(ValueError, match=r"events\.jsonl, line 1: "):
        events.read(tmp_path)
