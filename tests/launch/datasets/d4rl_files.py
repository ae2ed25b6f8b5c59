"""Files of D4RL's layout, written by hand: five observations wide, two actions."""

import numpy as np

from tests.launch.datasets.random_data import spec_of

SPEC = spec_of(observation=5, action=2)


def columns(rows=7):
    """Columns in which row i observes the number i throughout; no episode ends."""
    return {
        "observations": np.tile(np.arange(rows, dtype=np.float32)[:, None], (1, 5)),
        "actions": np.tile(np.linspace(-1, 1, rows, dtype=np.float32)[:, None], (1, 2)),
        "rewards": 10 + np.arange(rows, dtype=np.float32),
        "terminals": np.zeros(rows, bool),
        "timeouts": np.zeros(rows, bool),
    }


def three_episodes():
    """Nine rows: episodes of 3, 2 and 4 rows, the second terminates."""
    data = columns(9)
    data["timeouts"][[2, 8]] = data["terminals"][4] = True
    return data


# The rows of `three_episodes` that are whole transitions, and the next row of each.
SOUND = [(0, 1), (1, 2), (3, 4), (4, 5), (5, 6), (6, 7), (7, 8)]


def seen(dataset):
    """Each transition as (row, row of next observation, discount, end of record)."""
    step = dataset.transitions
    return list(
        zip(
            step.observation[:, 0].astype(int).tolist(),
            step.next_observation[:, 0].astype(int).tolist(),
            step.discount.astype(int).tolist(),
            dataset.ends.tolist(),
            strict=True,
        )
    )
