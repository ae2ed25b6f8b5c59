"""The file of a merged checkpoint that tells where its weights come from."""

import json

import pytest

from launch.errors import PretrainedError
from launch.experiment import Origin
from launch.policies import merge_record
from launch.policies.merge_record import Record

ONE = Origin("reward", "/runs/one/checkpoints/35", "reward", "0a")
SFT = Origin("sft", "/runs/first/checkpoints/70", "policy", "1b")
RECORD = Record("reward", (ONE, ONE), False, (SFT,))


def write(directory, contents):
    (directory / merge_record.FILE).write_text(json.dumps(contents))


def test_what_is_written_is_read(tmp_path):
    write(tmp_path, merge_record.encode(RECORD))
    assert merge_record.read(tmp_path) == RECORD


def test_a_checkpoint_of_others_has_none(tmp_path):
    assert merge_record.read(tmp_path) is None


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"sources": ...}, "KeyError: 'sources'"),
        ({"sources": 3}, "TypeError: 'int' object is not iterable"),
        ({"sources": [["reward"]]}, "TypeError: "),
        ({"measured_from": [{"network": "sft"}]}, "TypeError: "),
    ],
)
def test_a_file_that_was_altered_is_refused(change, reason, tmp_path):
    contents = merge_record.encode(RECORD) | change
    write(tmp_path, {key: value for key, value in contents.items() if value is not ...})
    with pytest.raises(PretrainedError) as caught:
        merge_record.read(tmp_path)
    path = tmp_path / merge_record.FILE
    said = f"{path} must be as `munchausen merge` wrote it, but was altered ({reason}"
    assert str(caught.value).startswith(said)
