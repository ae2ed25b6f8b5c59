"""What a policy returns beside its actions: stored with them, and seen by `update`."""

import dataclasses
import itertools
import json
import pickle
import subprocess
import sys
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import environments
from agents import REGISTRY
from agents.parts.contract import Storage
from launch import build
from launch.build import make_agent, make_extras_spec, make_spec
from launch.engines import one_thread
from launch.errors import RunDirectoryError
from launch.replay.in_process import InProcess
from launch.roles.actor import Actor, Loop
from launch.runs import run_directory
from tests.launch import streams
from tests.launch.local_runs import run_local

DISCOUNT = 0.9
STORAGE = Storage(
    n_step=3, capacity=1000, min_size=40, batch_size=13, samples_per_insert=300.0
)


class Extras(NamedTuple):
    """What the made-up policy returns of each lane."""

    log_prob: Any  # [] float32
    counts: Any  # [3] int32


SPEC = Extras(
    jax.ShapeDtypeStruct((), np.float32), jax.ShapeDtypeStruct((3,), np.int32)
)


def extras_of(frames, actions):
    """Extras `[N, ...]` that tell which frame `[N]` and which action they belong to."""
    frames, actions = jnp.asarray(frames), jnp.asarray(actions)
    counts = jnp.stack([frames, actions, 2 * frames + actions], axis=-1)
    return Extras(-(frames + actions / 16).astype(jnp.float32), counts.astype(np.int32))


def newest_frame(observation, frame_stack):
    """A number for each observation `[N, ...]` of a stream: its newest frame's."""
    newest = observation[:, -1] if frame_stack > 1 else observation
    return newest[:, 0, 0]


def feed(adder, stream, frame_stack):
    """Each step with the extras of the observation that it was taken at."""
    adder.observe_first(stream.steps[0][1])
    for (_, before), (actions, after) in itertools.pairwise(stream.steps):
        frames = newest_frame(before.observation, frame_stack)
        adder.observe(actions, after, extras_of(frames, actions))


def assert_belong(batch, frame_stack):
    """The extras of a batch are those of its first observations and actions."""
    frames = newest_frame(batch.observation, frame_stack)
    wanted = extras_of(frames, batch.action)
    assert type(batch.extras) is Extras
    for got, leaf in zip(batch.extras, wanted, strict=True):
        assert got.dtype == leaf.dtype
        np.testing.assert_array_equal(got, leaf)


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


def test_extras_leave_the_rest_of_a_store_as_it_is():
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
    # One who has none does not read them, as one of before did not write them.
    plain.restore(tmp_path / "replay", progress, 0)
    assert plain.next().extras == ()


def test_rows_without_extras_are_refused_by_an_agent_that_has_some(tmp_path):
    plain = make_store(extras=())
    streams.feed(plain, streams.record(steps=70, frame_stack=1))
    plain.save(tmp_path / "replay")
    with pytest.raises(RunDirectoryError, match="replay holds no extras0: resume with"):
        make_store().restore(tmp_path / "replay", plain.progress(), 0)


@pytest.mark.reverb
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("n_step", "frame_stack"), [(1, 4), (3, 1)])
def test_both_stores_hold_the_same_extras(n_step, frame_stack):
    import reverb

    from launch.replay import reverb_store

    stream = streams.record(steps=60, frame_stack=frame_stack)
    reference = streams.reference(stream, n_step=n_step, discount=DISCOUNT)
    storage = dataclasses.replace(STORAGE, n_step=n_step, min_size=len(reference))
    spec, kept = streams.make_spec(frame_stack), {"frame_stack": frame_stack}
    tables = reverb_store.make_tables(storage, spec, **kept, extras=SPEC)
    server = reverb.Server(tables)
    try:
        client = reverb.Client(f"localhost:{server.port}")
        adder = reverb_store.ReverbAdder(
            client,
            storage,
            spec,
            discount=DISCOUNT,
            num_environments=2,
            stop=lambda: False,
            extras=SPEC,
            **kept,
        )
        feed(adder, stream, frame_stack)
        adder.close()
        reader = reverb_store.ReverbReader(
            client.server_address,
            storage,
            spec,
            stop=lambda: False,
            extras=SPEC,
            **kept,
        )
        batches = list(itertools.islice(reader, 100))
    finally:
        server.stop()
    store = make_store(n_step, frame_stack)
    feed(store, stream, frame_stack)
    for batch in batches:
        assert_belong(batch, frame_stack)
    in_process = [store.next() for _ in range(100)]
    held = [
        {key for b in each for key in streams.keys(b)} for each in (batches, in_process)
    ]
    assert held[0] == held[1] == {streams.key(transition) for transition in reference}


def acting(agent, extras_of_observation):
    """The agent with extras."""

    def act(params, key, observation, actor_steps, evaluation):
        actions, _ = agent.act(params, key, observation, actor_steps, evaluation)
        return actions, extras_of_observation(observation, actions)

    return agent._replace(act=act)


@pytest.fixture
def plain(catch):
    """The agent of a Catch experiment, and its spec."""
    experiment = catch()
    environment = environments.make(experiment.environment, 1, 0)
    spec = make_spec(environment)
    return make_agent(experiment, spec), spec


def hash_of(observation):
    """A number for each board of Catch, as many rows of 50 cells."""
    flat = observation.reshape(len(observation), -1)
    return flat @ jnp.arange(1.0, flat.shape[-1] + 1)


def test_the_spec_of_extras_has_no_lanes(plain):
    agent, spec = plain
    assert make_extras_spec(agent, spec) == ()
    leafless = acting(agent, lambda observation, actions: {"nothing": None})
    assert make_extras_spec(leafless, spec) == ()
    extended = acting(agent, lambda seen, actions: extras_of(hash_of(seen), actions))
    described = make_extras_spec(extended, spec)
    assert described == SPEC
    assert pickle.loads(pickle.dumps(described)) == SPEC  # it travels to processes


@pytest.mark.parametrize("shape", [(), (1,), (7, 3)])
def test_extras_have_a_row_for_each_environment(plain, shape):
    agent, spec = plain
    wrong = acting(agent, lambda observation, actions: jnp.zeros(shape))
    with pytest.raises(ValueError, match=r"must have 3 rows, got .*: return leaves"):
        make_extras_spec(wrong, spec)


def test_describing_extras_starts_no_jax_backend():
    names = [name for name in REGISTRY if REGISTRY[name].dataset is None]
    code = f"""
from agents import REGISTRY
from launch.build import make_extras_spec
from tests.agents.cases import make, specs
print([make_extras_spec(make(name), specs(name)[0]) for name in {names!r}])
from jax._src import xla_bridge
print("backends:", list(xla_bridge._backends))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    said = f"{[()] * len(names)}\nbackends: []\n"
    assert done.stdout == said, done.stderr


def test_an_actor_remembers_the_extras_of_its_last_actions(scripted):
    told = []

    class Recording:
        def observe_first(self, timestep):
            pass

        def observe(self, actions, timestep, extras):
            told.append((actions.tolist(), np.asarray(extras).tolist()))

    def act(params, key, observation, actor_steps, evaluation):
        return observation + 1, -observation

    environment = scripted([[[3.0, -5.0]], [[0.5, 0.25, 9.0]]])
    loop = Loop(environment, Actor(act, dict, seed=0, adder=Recording()))
    for _ in range(3):
        loop.step()
    assert told == [
        ([1, 101], [0, -100]),
        ([2, 102], [-1, -101]),
        ([3, 103], [-2, -102]),
    ]


@pytest.mark.parametrize("n_step", [1, 3])
def test_the_update_of_a_run_sees_the_extras(catch, tmp_path, monkeypatch, n_step):
    made = build.make_stages

    def make(experiment, spec):
        [stage] = made(experiment, spec)
        plain = stage.agent

        def update(state, batch):
            state, metrics = plain.update(state, batch)
            wanted = extras_of(hash_of(batch.observation), batch.action)
            wrong = sum(
                jnp.sum(jnp.abs(got - leaf))
                for got, leaf in zip(batch.extras, wanted, strict=True)
            )
            seen = jnp.mean(batch.extras.log_prob)
            return state, {**metrics, "wrong": wrong, "seen": seen}

        extended = acting(
            plain, lambda seen, actions: extras_of(hash_of(seen), actions)
        )
        return [stage._replace(agent=extended._replace(update=update))]

    monkeypatch.setattr(one_thread, "make_stages", make)
    settings = {"environments": 3, "agent.storage.min_size": 50, "log_period": 50}
    experiment = catch(settings | {"agent.storage.n_step": n_step})
    directory = run_directory.create(tmp_path, experiment)
    run_local(experiment, directory)
    rows = learner_rows(directory)
    assert len(rows) > 2
    assert all(row["wrong"] == 0.0 and row["seen"] < -1.0 for row in rows)


def learner_rows(directory):
    """Rows of the log that have the learner's metrics."""
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if "wrong" in row]
