"""Prepares a dataset for learning: normalises observations, scales rewards.

The statistics form a network that never learns, so that they are saved, served and
loaded with the policy, which normalises its observations with them.
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

FINGERPRINT = "dataset"  # its key in a checkpoint

# Added to deviations: Fujimoto and Gu 2021, and their code.
_LEAST_DEVIATION = 1e-3


class Prepared(NamedTuple):
    """A prepared dataset, as an agent sees it.

    Attributes:
        transitions: leaves `[M, ...]`, numpy.
        networks: parameters, by name, of networks that never learn.
        fingerprint: of the dataset before it was prepared, see `fingerprint`.
        notes: lines for the user about how the dataset was read.
    """

    transitions: Transition
    networks: Params
    fingerprint: dict[str, int]
    notes: tuple[str, ...] = ()


def fingerprint(transitions: Transition) -> dict[str, int]:
    """Identifies a dataset by its number of rows and a checksum, as plain data.

    Args:
        transitions: leaves `[M, ...]`, numpy; a gigabyte takes a second.
    """
    checksum = 0
    for column in transitions[:5]:
        checksum = zlib.crc32(np.ascontiguousarray(column).data, checksum)
    return {"rows": len(transitions.reward), "checksum": checksum}


def prepare(transitions: Transition, preparation: Preparation) -> Prepared:
    """Prepares the transitions of a dataset, leaves `[M, ...]`.

    Raises:
        ValueError: all rewards are the same, so they cannot be scaled.
    """
    source = fingerprint(transitions)
    if preparation.scale_rewards:
        spread = float(np.max(transitions.reward) - np.min(transitions.reward))
        if spread == 0:
            raise ValueError(
                "rewards must differ to be scaled, but those of the dataset are all "
                "the same; choose --preparation.scale_rewards false"
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
