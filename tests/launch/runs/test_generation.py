"""Each start of a run takes it over from the one before."""

import json
import os

import pytest

from launch.errors import RunDirectoryError, SaveFailed
from launch.runs import generation


def test_starts_are_counted_and_named(tmp_path):
    first = generation.take(tmp_path)
    second = generation.take(tmp_path)
    assert (first.number, second.number, second.pid) == (1, 2, os.getpid())
    second.check()
    with pytest.raises(SaveFailed) as refused:
        first.check()
    assert str(refused.value) == (
        f"{tmp_path} is now written by generation 2 of the run, started on "
        f"{second.host} by process {os.getpid()}: generation 1 must not write any more"
    )


def test_the_same_number_of_another_process_is_another_start(tmp_path):
    """Two hosts that cannot see each other's files yet may count alike."""
    lease = generation.take(tmp_path)
    path = tmp_path / generation.FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"host": "elsewhere"}))
    with pytest.raises(SaveFailed, match="started on elsewhere"):
        lease.check()


def test_a_file_that_is_gone_names_no_other_start(tmp_path):
    lease = generation.take(tmp_path)
    (tmp_path / generation.FILE).unlink()
    lease.check()


@pytest.mark.parametrize("text", ["", "[]", '{"number": 3}'])
def test_a_file_that_cannot_be_read_is_an_error(tmp_path, text):
    lease = generation.take(tmp_path)
    (tmp_path / generation.FILE).write_text(text)
    with pytest.raises(SaveFailed, match="cannot read"):
        lease.check()
    with pytest.raises(RunDirectoryError, match="cannot take over"):
        generation.take(tmp_path)
