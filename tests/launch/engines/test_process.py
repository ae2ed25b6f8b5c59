"""How the process of a role ends when something fails."""

import sys

import pytest

from launch.engines import process
from launch.errors import SaveFailed, UnevenBatch
from tests.launch.language_runs import sums


def test_a_thread_that_fails_raises():
    with pytest.raises(SaveFailed), process.exit_on_expected_errors(False, sums()):
        raise SaveFailed("full")


@pytest.mark.parametrize(
    "error, said",
    [
        (SaveFailed("full"), "full\n"),
        (
            UnevenBatch(5, 8),
            "--agent.batch_size must be a multiple of the 8 devices that share a "
            "batch, got 5\n",
        ),
        (KeyError(), ""),
    ],
)
def test_a_process_prints_expected_errors_without_a_trace(
    error, said, monkeypatch, capsys
):
    class Ended(BaseException):
        pass

    def end(code):
        assert code == 1
        raise Ended

    monkeypatch.setattr(process.os, "_exit", end)
    monkeypatch.setattr(process.sys, "__stderr__", sys.stderr)
    expected = Ended if said else KeyError
    with pytest.raises(expected), process.exit_on_expected_errors(True, sums()):
        raise error
    assert capsys.readouterr().err == said
