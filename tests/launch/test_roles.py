"""Where the evaluations of a resumed run begin; how roles tell of their failures."""

import sys

import pytest

from agents.parts.checks import UnevenBatch
from launch.engines import process
from launch.errors import SaveFailed
from launch.runs import logs
from launch.runs.logs import Counts, last_evaluated_step


def log(directory, *rows):
    written = logs.EvaluationLog(directory)
    for grid, actor_steps in rows:
        written.write(grid, Counts(actor_steps), [1.0], [9])
    written.close()


def test_what_was_under_way_at_the_checkpoint_is_evaluated_again(tmp_path):
    log(tmp_path, (100, 104), (200, 207), (300, 301))
    assert last_evaluated_step(tmp_path, 250) == 200
    assert last_evaluated_step(tmp_path, 205) == 100, (
        "200 was begun, and its row is removed"
    )
    assert last_evaluated_step(tmp_path, 0) == 0


def test_a_run_without_evaluations_begins_with_the_first(tmp_path):
    assert last_evaluated_step(tmp_path, 250) == 0


def test_a_thread_that_fails_raises(monkeypatch):
    monkeypatch.setattr(process, "_is_process", lambda: False)
    with pytest.raises(SaveFailed), process.told():
        raise SaveFailed("full")


@pytest.mark.parametrize(
    "error, told",
    [(SaveFailed("full"), True), (UnevenBatch("full"), True), (KeyError(), False)],
)
def test_a_process_tells_what_was_foreseen_without_a_trace(
    error, told, monkeypatch, capsys
):
    class Ended(BaseException):
        pass

    def end(code):
        assert code == 1
        raise Ended

    monkeypatch.setattr(process, "_is_process", lambda: True)
    monkeypatch.setattr(process.os, "_exit", end)
    monkeypatch.setattr(process.sys, "__stderr__", sys.stderr)
    with pytest.raises(Ended if told else KeyError), process.told():
        raise error
    assert capsys.readouterr().err == ("full\n" if told else "")
