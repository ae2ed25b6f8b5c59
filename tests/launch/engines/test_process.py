"""How the process of a role ends when something fails."""

import sys

import pytest

from launch.engines import process
from launch.errors import SaveFailed, UnevenBatch


def test_a_thread_that_fails_raises():
    with pytest.raises(SaveFailed), process.exit_on_expected_errors(alone=False):
        raise SaveFailed("full")


@pytest.mark.parametrize(
    "error, said",
    [
        (SaveFailed("full"), "full\n"),
        (UnevenBatch(9, 8), f"{UnevenBatch(9, 8)}\n"),
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
    with pytest.raises(expected), process.exit_on_expected_errors(alone=True):
        raise error
    assert capsys.readouterr().err == said
