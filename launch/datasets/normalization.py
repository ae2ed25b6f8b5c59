"""What is done to a dataset before anything learns from it, and to observations since.

The statistics are a network that never learns, so that they are saved, served and
loaded with the policy.
"""

import zlib
from typing import NamedTuple

import numpy as np

from agents.parts.contract import (
    Params,
    Preparation,
    Transition,
)
from launch.build import (
    NORMALIZER,
    _normalize,
)

FINGERPRINT = "dataset"  # under which a checkpoint has it

# Added to deviations: Fujimoto and Gu 2021, and their code.
_LEAST_DEVIATION = 1e-3


class Prepared(NamedTuple):
    """A dataset as agents see it.

    Attributes:
        transitions: leaves `[M, ...]`, numpy.
        networks: parameters, by name, of networks that never learn.
        fingerprint: of the dataset before it was prepared, see `fingerprint`.
    """

    transitions: Transition
    networks: Params
    fingerprint: dict[str, int]


def fingerprint(transitions: Transition) -> dict[str, int]:
    """What tells a dataset from others, as plain data: its rows and a checksum.

    Args:
        transitions: leaves `[M, ...]`, numpy; a gigabyte of them takes a second.
    """
    checksum = 0
    for column in transitions[:5]:
        checksum = zlib.crc32(np.ascontiguousarray(column).data, checksum)
    return {"rows": len(transitions.reward), "checksum": checksum}


def prepare(transitions: Transition, preparation: Preparation) -> Prepared:
    """Prepares the transitions of a dataset, leaves `[M, ...]`.

    Raises:
        ValueError: all rewards are the same, so that there is nothing to scale by.
    """
    source = fingerprint(transitions)
    if preparation.scale_rewards:
        spread = float(np.max(transitions.reward) - np.min(transitions.reward))
        if spread == 0:
            raise ValueError(
                "all rewards of the dataset are the same: nothing to scale by; choose "
                "--preparation.scale_rewards false"
            )
        reward = transitions.reward / np.float32(spread)
        transitions = transitions._replace(reward=reward)
    if not preparation.normalize_observations:
        return Prepared(transitions, {}, source)
    mean = transitions.observation.mean(axis=0, keepdims=True, dtype=np.float64)
    deviation = transitions.observation.std(axis=0, keepdims=True, dtype=np.float64)
    statistics = {
        "mean": mean.astype(np.float32),
        "deviation": (deviation + _LEAST_DEVIATION).astype(np.float32),
    }
    normalized = transitions._replace(
        observation=_normalize(statistics, transitions.observation),
        next_observation=_normalize(statistics, transitions.next_observation),
    )
    return Prepared(normalized, {NORMALIZER: statistics}, source)
