"""One update on several local devices: how they share a batch and what it reads."""

import os
import pickle
import subprocess
import sys

import jax
import numpy as np
import pytest

import agents
from agents.parts.contract import Transition, discrete_spec
from launch import devices
from launch.errors import UnevenBatch
from tests.launch.small_experiments import changed, has


def test_batch_that_devices_cannot_share_is_refused():
    with pytest.raises(UnevenBatch) as caught:
        devices.compile_update(
            lambda state, batch, shared: (state, {}), 10, devices=[None] * 4
        )
    assert (caught.value.batch_size, caught.value.devices) == (10, 4)
    assert str(caught.value) == (
        "the batch size must be a multiple of the 4 devices that share a batch, got 10"
    )
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


SPEC = discrete_spec((7,), np.float32, 3)
BOX = SPEC._replace(num_actions=0, action=jax.ShapeDtypeStruct((2,), np.float32))


def small_agent(name):
    """An agent with targets that move at every second or third step, and its spec."""
    recipe = agents.REGISTRY[name]
    spec = BOX if recipe.actions == "continuous" else SPEC
    settings = {
        "network.torso": "mlp",
        "network.hidden": (5, 11),
        "value_network.hidden": (13,),
        "target_update_period": 3,
        "online_fractions": 4,
        "target_fractions": 6,
    }
    config = recipe.default()
    fitting = {path: new for path, new in settings.items() if has(config, path)}
    return recipe.agent(changed(config, fitting), spec), spec


def batch_of(spec, seed):
    rng = np.random.default_rng(seed)
    actions = rng.integers(0, 3, 12).astype(np.int32)
    if spec is BOX:
        actions = rng.uniform(-1, 1, (12, 2)).astype(np.float32)
    return Transition(
        rng.normal(size=(12, 7)).astype(np.float32),
        actions,
        rng.normal(size=12).astype(np.float32),
        rng.integers(0, 2, 12).astype(np.float32),
        rng.normal(size=(12, 7)).astype(np.float32),
    )


@pytest.mark.parametrize("unroll", [True, False])
@pytest.mark.parametrize(
    "name",
    ["td3"]
    + [
        pytest.param(name, marks=pytest.mark.slow)
        for name in ("dqn", "mdqn", "iqn", "dvw_mdqn", "sac", "iq", "td3_bc")
    ],
)
def test_updates_in_one_call_equal_single_ones(name, unroll):
    agent, spec = small_agent(name)
    batches = [batch_of(spec, seed) for seed in range(3)]
    update = devices.compile_update(
        lambda state, batch, shared: agent.update(state, batch), 12, unroll=unroll
    )
    init = jax.jit(agent.init)
    single, several = init(jax.random.key(1)), init(jax.random.key(1))
    for batch in batches:
        single, metrics = update(single, (batch,), None)
    several, last = update(several, tuple(batches), None)
    assert int(several.steps) == int(single.steps) == 3
    assert metrics.keys() == last.keys()

    def close(one, other):
        if jax.dtypes.issubdtype(one.dtype, jax.dtypes.prng_key):
            one, other = map(jax.random.key_data, (one, other))
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)

    jax.tree.map(close, (single, metrics), (several, last))


FOUR_DEVICES = """
import sys, jax, numpy as np
from agents import REGISTRY
from agents.parts.contract import Transition, discrete_spec
from launch.devices import compile_update
import dataclasses

assert len(jax.devices()) == 4
rng = np.random.default_rng(0)
discrete = discrete_spec((7,), np.float32, 3)
box = discrete._replace(num_actions=0, action=jax.ShapeDtypeStruct((2,), np.float32))
plain = Transition(
    rng.normal(size=(12, 7)).astype(np.float32),
    rng.integers(0, 3, 12).astype(np.int32),
    rng.normal(size=12).astype(np.float32),
    rng.integers(0, 2, 12).astype(np.float32),
    rng.normal(size=(12, 7)).astype(np.float32),
)
boxed = plain._replace(action=rng.uniform(-1, 1, (12, 2)).astype(np.float32))
# Of the agents: one network, random numbers of the batch's shape, three networks, and
# continuous actions with a network that learns at some steps only.
for name in sys.argv[1:]:
    recipe = REGISTRY[name]
    continuous = recipe.actions == "continuous"
    spec, batch = (box, boxed) if continuous else (discrete, plain)
    config = recipe.default()
    network = dataclasses.replace(config.network, torso="mlp", hidden=(5, 11))
    agent = recipe.agent(dataclasses.replace(config, network=network), spec)
    results = []
    # Five updates, of which four devices compute the last three in one call.
    for devices in (jax.devices(), jax.devices()[:1]):
        update = compile_update(
            lambda state, batch, shared: agent.update(state, batch), 12, devices
        )
        state = jax.jit(agent.init)(jax.random.key(1))
        for many in [1, 1, 3] if len(devices) == 4 else [1] * 5:
            state, _ = update(state, (batch,) * many, None)
        results.append(jax.tree.map(np.asarray, state.params))
        leaf = jax.tree.leaves(state.params)[0]
        assert len(leaf.sharding.device_set) == len(devices), name
    jax.tree.map(
        lambda four, one: np.testing.assert_allclose(four, one, atol=1e-6), *results
    )
print("equal")
"""


def on_four_devices(program, *arguments):
    """Standard output and error of a program that sees four devices."""
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"},
        cwd=".",
    )
    return result.stdout, result.stderr


@pytest.mark.parametrize(
    "names",
    [("miqn",), pytest.param(("mdqn", "dvw_mdqn", "td3"), marks=pytest.mark.slow)],
)
@pytest.mark.timeout(300)  # compiles each agent twice
def test_four_devices_give_the_update_of_one(names):
    assert on_four_devices(FOUR_DEVICES, *names) == ("equal\n", "")


SHARED = """
import jax, numpy as np
from agents.parts.contract import TrainingState
from launch import devices

table = devices.replicate(np.arange(11.0))
assert len(table.sharding.device_set) == 4 and table.is_fully_replicated
rows = np.array([3, 1, 4, 1, 5, 9, 2, 6])
seen = []

def read(state, rows, table):
    # The first device has two of the eight rows, and all of the table.
    jax.debug.inspect_array_sharding(rows, callback=lambda one: seen.append(one))
    jax.debug.inspect_array_sharding(table, callback=lambda one: seen.append(one))
    return state._replace(steps=state.steps + 1), {"read": table[rows]}

update = devices.compile_update(read, 8)
state = TrainingState({}, {}, {}, np.int32(2), np.uint32(0))
state, metrics = update(state, (rows,), table)
shapes = [place.shard_shape(of.shape) for place, of in zip(seen, (rows, table))]
print(int(state.steps), shapes, *metrics["read"].astype(int))
"""


def test_rows_are_sharded_and_the_table_they_index_is_replicated():
    read = "3 [(2,), (11,)] 3 1 4 1 5 9 2 6\n"
    assert on_four_devices(SHARED) == (read, "")
