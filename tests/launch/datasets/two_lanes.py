"""Two lanes with known steps: lane 0 terminates, then is cut short; lane 1 is not."""

import dm_env
import numpy as np

from agents.parts.contract import Storage
from launch.replay.in_process import InProcess
from launch.runs import logs
from launch.runs.checkpoint import Checkpoint
from tests.launch.datasets.random_data import spec_of

FIRST, MID, LAST = (int(kind) for kind in dm_env.StepType)
SPEC = spec_of(observation=2, action=1)


# Lane 0: an episode of 2 steps that terminates, one of 3 that is cut short.
# Lane 1: an episode of 4 steps that is cut short, one that is unfinished.
SCRIPT = [
    ([MID, MID], [1, 1]),
    ([LAST, MID], [0, 1]),
    ([FIRST, MID], [1, 1]),
    ([MID, LAST], [1, 1]),
    ([MID, FIRST], [1, 1]),
    ([LAST, MID], [1, 1]),
]


def observed(step):
    """Lane i observes 100 i + step, twice."""
    return np.repeat([[step], [100 + step]], 2, axis=1).astype(np.float32)


def drive(adder):
    zeros, ones = np.zeros(2, np.float32), np.ones(2, np.float32)
    first = np.full(2, FIRST)
    adder.observe_first(dm_env.TimeStep(first, zeros, ones, observed(0)))
    for step, (kinds, discounts) in enumerate(SCRIPT, start=1):
        action = np.full((2, 1), step / 10, np.float32)
        reward = np.array([step, 100 + step], np.float32)
        adder.observe(
            action,
            dm_env.TimeStep(
                np.array(kinds), reward, np.array(discounts), observed(step)
            ),
        )


def save_store(directory, capacity=100, n_step=1, store=None):
    """The checkpoint of a store of this capacity that has seen both lanes."""
    storage = Storage(n_step=n_step, capacity=capacity, min_size=1)
    filled = InProcess(
        storage, SPEC, discount=0.9, frame_stack=1, num_environments=2, seed=0
    )
    drive(filled)
    filled.save(directory / "replay")
    extra = filled.progress() if store is None else {"store": store}
    return Checkpoint(directory, logs.Counts(12), extra)
