"""Where the evaluations of a resumed run begin; how roles tell of their failures."""

import sys

import pytest

from agents.parts.checks import UnevenBatch
from launch import logs, titles
from launch.checkpoint import SaveFailed
from launch.evaluator import evaluated
from launch.logs import Counts


def log(directory, *rows):
    written = logs.EvaluationLog(directory)
    for grid, actor_steps in rows:
        written.write(grid, Counts(actor_steps), [1.0], [9])
    written.close()


def test_what_was_under_way_at_the_checkpoint_is_evaluated_again(tmp_path):
    log(tmp_path, (100, 104), (200, 207), (300, 301))
    assert evaluated(tmp_path, 250) == 200
    assert evaluated(tmp_path, 205) == 100, "200 was begun, and its row is removed"
    assert evaluated(tmp_path, 0) == 0


def test_a_run_without_evaluations_begins_with_the_first(tmp_path):
    assert evaluated(tmp_path, 250) == 0


def test_a_thread_that_fails_raises(monkeypatch):
    monkeypatch.setattr(titles, "_is_process", lambda: False)
    with pytest.raises(SaveFailed), titles.told():
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

    monkeypatch.setattr(titles, "_is_process", lambda: True)
    monkeypatch.setattr(titles.os, "_exit", end)
    monkeypatch.setattr(titles.sys, "__stderr__", sys.stderr)
    with pytest.raises(Ended if told else KeyError), titles.told():
        raise error
    assert capsys.readouterr().err == ("full\n" if told else "")
