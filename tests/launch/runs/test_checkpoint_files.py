"""Manifests, sizes and checksums of the files of a checkpoint."""

import json

import pytest

from launch.errors import Damaged
from launch.runs import checkpoint_files
from launch.runs.checkpoint_files import MANIFEST, Manifest
from launch.runs.logs import Counts

MADE = Manifest(
    Counts(70, 280, 9, 3),
    {"seconds": 1.5},
    {"state/a": [3, 7], "replay/b": [4, 8], "replay/c/d": [5, 9]},
    60,
    {"rows": [6, 10]},
)


def test_a_manifest_is_read_as_it_was_written(tmp_path):
    checkpoint_files.write_manifest(tmp_path, MADE)
    assert checkpoint_files.read_manifest(tmp_path) == MADE
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST]


def test_a_manifest_of_before_names_no_other_replay(tmp_path):
    plain = {"counts": MADE.counts._asdict(), "extra": {}, "files": {"state/a": [3, 7]}}
    (tmp_path / MANIFEST).write_text(json.dumps(plain))
    read = checkpoint_files.read_manifest(tmp_path)
    assert read == Manifest(MADE.counts, {}, {"state/a": [3, 7]}, None, {})
    assert read.own_replay() == {}


def test_the_files_of_a_replay_are_named_within_it():
    assert MADE.own_replay() == {"b": [4, 8], "c/d": [5, 9]}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"counts": {"steps": 3}}'])
def test_a_manifest_that_is_none_is_a_damage(tmp_path, text):
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(Damaged, match=r"has no readable manifest\.json"):
        checkpoint_files.read_manifest(tmp_path)


def test_files_are_measured_and_compared(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "text").write_bytes(b"123456789")
    (tmp_path / MANIFEST).touch()
    found = checkpoint_files.measure(tmp_path)
    assert found == {"inner/text": [9, 0xCBF43926]}  # the check value of CRC-32
    checkpoint_files.check(tmp_path, found, {**found, "more": [1, 1]})
    with pytest.raises(Damaged, match="damaged: inner/text was altered"):
        checkpoint_files.check(tmp_path, found, {"inner/text": [9, 1]})
    with pytest.raises(Damaged, match="damaged: inner/text is missing"):
        checkpoint_files.check(tmp_path, found, {})
    assert checkpoint_files.measure(tmp_path / "nowhere") == {}


def test_only_numbers_are_checkpoints_and_only_drafts_are_removed(tmp_path):
    for name in ("30", "7", ".9.partial", ".server"):
        (tmp_path / name).mkdir()
    assert checkpoint_files.steps(tmp_path) == [7, 30]
    checkpoint_files.discard_drafts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".server", "30", "7"]
    assert checkpoint_files.steps(tmp_path / "nowhere") == []


@pytest.mark.parametrize("at_once", [True, False])
def test_a_draft_replaces_a_checkpoint(at_once, tmp_path, monkeypatch):
    if not at_once:
        monkeypatch.setattr(checkpoint_files, "_exchange", lambda *_: False)
    final, draft = tmp_path / "7", tmp_path / ".7.partial"
    for path, text in ((final, "old"), (draft, "new")):
        path.mkdir()
        (path / "x").write_text(text)
    checkpoint_files.replace(final, draft)
    assert [path.name for path in tmp_path.iterdir()] == ["7"]
    assert (final / "x").read_text() == "new"


def test_a_process_killed_while_it_replaces_a_checkpoint_leaves_one(
    tmp_path, monkeypatch
):
    """Whatever comes after the exchange may never happen."""
    final, draft = tmp_path / "7", tmp_path / ".7.partial"
    for path, text in ((final, "old"), (draft, "new")):
        path.mkdir()
        (path / "x").write_text(text)

    def killed(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint_files, "discard", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint_files.replace(final, draft)
    assert (final / "x").read_text() == "new"
    assert (draft / "x").read_text() == "old"


def test_two_directories_that_cannot_be_exchanged_are_named(tmp_path):
    (tmp_path / "7").mkdir()
    with pytest.raises(FileNotFoundError, match="7"):
        checkpoint_files.replace(tmp_path / "7", tmp_path / "nowhere")
