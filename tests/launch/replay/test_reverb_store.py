"""The Reverb replay: the same transitions as in process, the limiter, and stopping."""

import dataclasses
import itertools
import threading
import time

import dm_env
import numpy as np
import pytest

from launch.replay import limiter
from launch.replay.in_process import InProcess
from tests.launch.replay import recorded_streams as streams
from tests.launch.replay.reverb_parts import (
    DISCOUNT,
    STORAGE,
    make_adder,
    make_reader,
    make_tables,
)

pytestmark = [
    pytest.mark.reverb,
    # TensorFlow 2.8 is older than NumPy's deprecations.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.mark.parametrize(("n_step", "frame_stack"), [(1, 4), (3, 1), (3, 4)])
def test_holds_the_same_transitions_as_in_process(make_server, n_step, frame_stack):
    stream = streams.record(steps=60, frame_stack=frame_stack)
    reference = streams.reference(stream, n_step=n_step, discount=DISCOUNT)
    storage = dataclasses.replace(STORAGE, n_step=n_step, min_size=len(reference))
    client = make_server(make_tables(storage))
    adder = make_adder(client, storage, frame_stack=frame_stack)
    streams.feed(adder, stream)
    adder.close()
    assert limiter.limiter_state(client).size == len(reference)
    reader = make_reader(client, storage, frame_stack=frame_stack)
    batches = list(itertools.islice(reader, 100))

    store = InProcess(
        storage,
        streams.make_spec(frame_stack),
        discount=DISCOUNT,
        frame_stack=frame_stack,
        num_environments=2,
        seed=0,
    )
    streams.feed(store, stream)
    in_process = [store.next() for _ in range(100)]
    stored = {key for batch in batches for key in streams.keys(batch)}
    assert stored == {key for batch in in_process for key in streams.keys(batch)}
    assert stored == {streams.key(transition) for transition in reference}
    for leaf, other in zip(batches[0][:5], in_process[0][:5], strict=True):
        assert leaf.shape == other.shape
        assert leaf.dtype == other.dtype


@pytest.mark.parametrize("n_step", [1, 3])
def test_agrees_with_acme(make_server, n_step):
    """Acme's adder defines the same transitions, and n - 1 more for an episode.

    These start at the first observation and have fewer than n steps, though the episode
    continues. Ours has one transition for each decision.
    """
    import reverb
    from acme.adders.reverb import NStepTransitionAdder

    # Long enough for both kinds of short transitions to show.
    stream = streams.record(steps=70, frame_stack=1, lanes=1, lengths=(5, 9))
    table = reverb.Table.queue("priority_table", 1000)
    client = make_server([table])
    adder = NStepTransitionAdder(client, n_step, DISCOUNT)
    done = stream.episodes[:-1]
    for episode in done:
        _feed_acme(adder, episode)
    count = client.server_info()["priority_table"].current_size
    items = client.sample("priority_table", count, emit_timesteps=False)
    stored = {streams.key(streams.Transition(*item.data)) for item in items}
    ours = {
        streams.key(transition)
        for transition in streams.reference(
            stream._replace(episodes=done), n_step=n_step, discount=DISCOUNT
        )
    }
    assert ours <= stored
    assert len(stored - ours) == (n_step - 1) * len(done)
    starts = {tuple(np.ravel(e.observations[0]).tolist()) for e in done}
    assert all(key[0] in starts for key in stored - ours)


def _feed_acme(adder, episode: streams.Episode) -> None:
    adder.add_first(dm_env.restart(episode.observations[0]))
    last = len(episode.actions) - 1
    for t, action in enumerate(episode.actions):
        timestep = dm_env.TimeStep(
            dm_env.StepType.LAST if t == last else dm_env.StepType.MID,
            np.float32(episode.rewards[t]),
            np.float32(episode.discounts[t]),
            episode.observations[t + 1],
        )
        adder.add(np.int32(action), timestep)


@pytest.mark.parametrize("samples_per_insert", [0.5, 8.0])
def test_samples_per_insert_stay_within_the_tolerance(make_server, samples_per_insert):
    storage = dataclasses.replace(
        STORAGE, n_step=1, min_size=5, samples_per_insert=samples_per_insert
    )
    client = make_server(make_tables(storage))
    stop = threading.Event()
    adder = make_adder(client, storage, stop=stop.is_set)
    reader = make_reader(client, storage, stop=stop.is_set)
    stream = streams.record(steps=200, frame_stack=1)

    def act():
        adder.observe_first(stream.steps[0][1])
        for actions, timestep in itertools.cycle(stream.steps[1:]):
            if stop.is_set():
                return adder.close()
            if (timestep.step_type == streams.MID).all():
                adder.observe(actions, timestep)

    threads = [
        threading.Thread(target=act),
        threading.Thread(target=list, args=(reader,)),
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in range(4):
            time.sleep(0.4)
            state = limiter.limiter_state(client)
            owed = samples_per_insert * (state.inserted - storage.min_size)
            # One more call of each kind can be under way.
            slack = limiter.error_buffer(storage) + max(1, samples_per_insert)
            assert abs(state.sampled - owed) <= slack
        assert state.inserted > 200
    finally:
        stop.set()
        for thread in threads:
            thread.join(5)
    assert not any(thread.is_alive() for thread in threads)


def test_an_adder_held_up_by_the_limiter_notices_a_stop(make_server):
    storage = dataclasses.replace(STORAGE, min_size=5, samples_per_insert=2.0)
    client = make_server(make_tables(storage))
    stop = threading.Event()
    adder = make_adder(client, storage, stop=stop.is_set)
    stream = streams.record(steps=200, frame_stack=1)
    threading.Timer(1.0, stop.set).start()
    start = time.monotonic()
    adder.observe_first(stream.steps[0][1])
    for actions, timestep in stream.steps[1:]:
        adder.observe(actions, timestep)
        if stop.is_set():
            break
    adder.close()
    assert 1 <= time.monotonic() - start < 20
    state = limiter.limiter_state(client)
    assert state.missing_inserts == 0
    assert state.missing_samples > 0


class Blocked:
    """A client whose writers never flush; lists how long each flush waited."""

    def __init__(self):
        self.waited = []

    def structured_writer(self, configs):
        return self

    def flush(self, pending, timeout_ms):
        import reverb

        self.waited.append(timeout_ms)
        raise reverb.errors.DeadlineExceededError


def test_only_one_of_many_blocked_writers_waits_for_the_stop():
    client = Blocked()
    stops = iter([False, False, True])
    adder = make_adder(client, STORAGE, lanes=7, stop=lambda: next(stops))
    adder.close()
    assert len(client.waited) == 3 + 6
    assert sum(client.waited) < 4 * max(client.waited)
