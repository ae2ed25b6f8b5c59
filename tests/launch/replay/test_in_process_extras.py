"""The in-process replay stores the policy's extras with the actions, and saves them."""

import dataclasses

import numpy as np
import pytest

from agents.parts.contract import Storage
from launch.errors import RunDirectoryError
from launch.replay.in_process import InProcess
from tests.launch.replay import recorded_streams as streams
from tests.launch.replay.made_up_extras import SPEC, assert_belong, feed

DISCOUNT = 0.9
STORAGE = Storage(
    n_step=3, capacity=1000, min_size=40, batch_size=13, samples_per_insert=300.0
)


def make_store(n_step=3, frame_stack=1, extras=SPEC, **settings):
    return InProcess(
        dataclasses.replace(STORAGE, n_step=n_step, **settings),
        streams.make_spec(frame_stack),
        discount=DISCOUNT,
        frame_stack=frame_stack,
        num_environments=2,
        seed=0,
        extras=extras,
    )


@pytest.mark.parametrize(("n_step", "frame_stack"), [(1, 1), (3, 1), (1, 4), (3, 4)])
def test_a_transition_has_the_extras_of_its_first_step(n_step, frame_stack):
    # The rings of 19 rows wrap around many times, in the middle of episodes.
    store = make_store(n_step, frame_stack, capacity=37, min_size=2)
    stream = streams.record(steps=300, frame_stack=frame_stack)
    feed(store, stream, frame_stack)
    for _ in range(30):
        assert_belong(store.next(), frame_stack)


def test_extras_do_not_change_the_other_columns():
    stream = streams.record(steps=90, frame_stack=4)
    plain, extended = make_store(frame_stack=4, extras=()), make_store(frame_stack=4)
    streams.feed(plain, stream)
    feed(extended, stream, 4)
    for _ in range(20):
        one, other = plain.next(), extended.next()
        assert one.extras == ()
        for left, right in zip(one[:5], other[:5], strict=True):
            np.testing.assert_array_equal(left, right)


def test_extras_survive_saving(tmp_path):
    stream = streams.record(steps=70, frame_stack=1)
    store, restored, plain = make_store(), make_store(), make_store(extras=())
    feed(store, stream, 1)
    progress = store.progress()
    store.save(tmp_path / "replay")
    restored.restore(tmp_path / "replay", progress, 0)
    batch, again = store.next(), restored.next()
    assert_belong(again, 1)
    np.testing.assert_array_equal(batch.extras.log_prob, again.extras.log_prob)
    # A store without extras ignores saved extras.
    plain.restore(tmp_path / "replay", progress, 0)
    assert plain.next().extras == ()


def test_rows_without_extras_are_refused_by_an_agent_that_has_some(tmp_path):
    plain = make_store(extras=())
    streams.feed(plain, streams.record(steps=70, frame_stack=1))
    plain.save(tmp_path / "replay")
    with pytest.raises(RunDirectoryError, match="replay holds no extras0: resume with"):
        make_store().restore(tmp_path / "replay", plain.progress(), 0)
