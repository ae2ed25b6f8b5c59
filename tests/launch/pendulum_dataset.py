"""Small datasets of a real environment, as files in D4RL's layout."""

import h5py
import numpy as np

import environments
from environments import Locomotion

POINT = Locomotion("InvertedPendulum-v5")


def write(path, steps, seed=0):
    """Uniform actions in an inverted pendulum; episodes last a few steps."""
    environment = environments.make(POINT, 1, seed)
    random = np.random.default_rng(seed)
    rows = {name: [] for name in ("observations", "next_observations", "actions")}
    rows |= {name: [] for name in ("rewards", "terminals", "timeouts")}
    timestep = environment.reset()
    while len(rows["rewards"]) < steps:
        observation = timestep.observation[0].copy()
        shape = (1, *environment.action_spec().shape)
        action = random.uniform(-1, 1, shape).astype(np.float32)
        timestep = environment.step(action)
        if timestep.step_type[0] == 0:
            continue  # the step that starts an episode ignores its action
        rows["observations"].append(observation)
        rows["next_observations"].append(timestep.observation[0].copy())
        rows["actions"].append(3 * action[0])  # the box of the environment itself
        rows["rewards"].append(timestep.reward[0])
        rows["terminals"].append(timestep.discount[0] == 0)
        ended = timestep.step_type[0] == 2 and timestep.discount[0] == 1
        rows["timeouts"].append(ended or len(rows["rewards"]) == steps)
    environment.close()
    with h5py.File(path, "w") as file:
        for name, values in rows.items():
            file[name] = np.array(values)
    return path
