"""A program that fails is started again if it had got further, and only so often."""

import pytest

from launch import errors
from launch.engines import generations
from launch.roles.context import Run
from launch.runs import checkpoint, events, generation
from launch.runs.checkpoint import Checkpoint
from launch.runs.logs import Counts

DIED = "learner/0 died (signal 9); its last lines, from x.log:\n  why"


@pytest.fixture
def play(tmp_path, monkeypatch):
    """Runs generations, each of which saves at a step, and then fails or ends.

    Returns the step at which each began, its number, and the message of the failure.
    """

    def run(saves, restarts, start=None):
        saved, began = [start], []

        def newest(directory):
            if saved[-1] is None:
                raise errors.RunDirectoryError("none")
            return Checkpoint(directory / str(saved[-1]), Counts(saved[-1]), {})

        def program(each):
            began.append((each.start.clock, each.lease.number))
            each.lease.check()
            step, failure = saves[len(began) - 1]
            saved.append(step)
            if failure is not None:
                raise failure

        monkeypatch.setattr(checkpoint, "newest", newest)
        resume = None if start is None else newest(tmp_path)
        made = Run(None, tmp_path, None, 1, resume, lease=generation.take(tmp_path))
        try:
            generations.run(made, program, restarts)
        except errors.RoleFailed as error:
            return began, str(error)
        return began, None

    return run


def test_the_next_generation_begins_at_the_newest_checkpoint(play, tmp_path, capsys):
    died = errors.RoleFailed(DIED)
    began, failure = play([(40, died), (70, died), (99, None)], restarts=2)
    assert (began, failure) == ([(0, 1), (40, 2), (70, 3)], None)
    rows = events.read(tmp_path)
    assert [(row["event"], row["number"], row["steps"]) for row in rows] == [
        ("generation", 2, 40),
        ("generation", 3, 70),
    ]
    assert rows[0]["line"] == "learner/0 died (signal 9)"
    assert capsys.readouterr().err.splitlines() == [
        "learner/0 died (signal 9); the program is started again from step 40, as "
        "generation 2",
        "learner/0 died (signal 9); the program is started again from step 70, as "
        "generation 3",
    ]


def test_there_are_only_so_many(play):
    died = errors.RoleFailed(DIED)
    began, failure = play([(40, died), (70, died)], restarts=1)
    assert began == [(0, 1), (40, 2)]
    assert failure == f"{DIED}\nit was started again 1 time, and no more is allowed"


@pytest.mark.parametrize("start, step", [(None, None), (40, 40), (None, 0)])
def test_one_that_got_no_further_is_the_last(play, tmp_path, start, step):
    began, failure = play([(step, errors.RoleFailed(DIED))], restarts=9, start=start)
    assert len(began) == 1 and events.read(tmp_path) == []
    assert failure == (
        f"{DIED}\nit is not started again: it has saved nothing since step "
        f"{start or 0}, where it began"
    )


def test_without_restarts_a_failure_is_what_it_was(play):
    assert play([(40, errors.RoleFailed(DIED))], restarts=0)[1] == DIED


@pytest.mark.parametrize("end", [errors.Interrupted(15), errors.EndedEarly("early")])
def test_an_end_in_order_is_no_reason(play, end):
    with pytest.raises(type(end)):
        play([(40, end)], restarts=9)
