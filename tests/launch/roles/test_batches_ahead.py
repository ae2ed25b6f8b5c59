"""Batches that a thread draws ahead: their order, their number, and how they end."""

import threading

import jax
import numpy as np
import pytest

from launch.roles.batches import Given
from launch.roles.batches_ahead import DEPTH, BatchesAhead


class Numbered(Given):
    """Batches 1, 2, ... of which the first `free` come at once, the others never."""

    def __init__(self, free, end=StopIteration):
        self.drawn, self._free, self._end = 0, free, end
        self.changed, self._closed = threading.Condition(), threading.Event()
        super().__init__(self._next)

    def _next(self):
        if self.drawn == self._free:
            self._closed.wait()
            raise self._end
        with self.changed:
            self.drawn += 1
            self.changed.notify()
            return np.full(3, self.drawn)

    def end(self):
        self._closed.set()

    def close(self):
        self._closed.set()

    def wait_for(self, drawn):
        with self.changed:
            assert self.changed.wait_for(lambda: self.drawn >= drawn, timeout=30)


@pytest.fixture
def ahead():
    """Makes sources that are closed in the end; no thread may remain."""
    made = []

    def make(source, **settings):
        made.append(BatchesAhead(source, **settings))
        made[-1].prepare({}, lambda: None)
        return made[-1]

    yield make
    for each in made:
        each.close()
    assert "batches" not in {thread.name for thread in threading.enumerate()}


def test_batches_come_in_order_on_the_device_and_a_bounded_number_ahead(ahead):
    source = Numbered(50)
    batches = ahead(source)
    for taken in range(1, 8):
        batch = batches.next()
        assert isinstance(batch, jax.Array) and batch.tolist() == [taken] * 3
        source.wait_for(taken + DEPTH)
        # One more may be drawn while the oldest is taken.
        assert source.drawn <= taken + DEPTH + 1


def test_batches_that_wait_come_before_the_end(ahead):
    source = Numbered(2)
    batches = ahead(source)
    source.end()
    assert [batches.next()[0], batches.next()[0]] == [1, 2]
    for _ in range(2):
        with pytest.raises(StopIteration):
            batches.next()


def test_an_error_of_the_source_reaches_the_learner(ahead):
    source = Numbered(1, end=OSError("the server is gone"))
    batches = ahead(source)
    source.end()
    batches.next()
    with pytest.raises(OSError, match="the server is gone"):
        batches.next()


def test_all_batches_of_a_call_are_owed_once_they_wait(ahead):
    source = Numbered(5)
    batches = ahead(source, updates_per_call=5)
    batches.next()
    source.wait_for(5)
    assert batches.owed() == 1, "four wait"
    source = Numbered(6)
    batches = ahead(source, updates_per_call=5)
    batches.next()
    source.wait_for(6)
    deadline = threading.Event()
    while batches.owed() != 5:  # the sixth is put in place
        assert not deadline.wait(0.01)


def test_a_source_that_never_gives_a_batch_is_closed(ahead):
    ahead(Numbered(0))


def test_what_it_does_not_do_itself_is_the_sources(ahead, tmp_path):
    source = Numbered(1)
    source.shared, source.empty = {"table": 3}, lambda: "zeros"
    source.progress, source.stored = lambda: {"at": 5}, lambda: 7
    tape = []
    source.save = tape.append
    source.restore = lambda *given: tape.append(given)
    batches = ahead(source)
    assert batches.shared == {"table": 3} and batches.empty() == "zeros"
    assert batches.progress() == {"at": 5} and batches.stored() == 7
    assert batches.read("a batch", None) == "a batch"
    batches.save(tmp_path)
    batches.restore(None, {}, 11)
    assert tape == [tmp_path, (None, {}, 11)]
