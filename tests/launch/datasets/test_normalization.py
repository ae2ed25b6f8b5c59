"""Datasets as agents see them, and the fingerprints that identify them."""

import json

import numpy as np
import pytest

from agents.parts.contract import Preparation, Transition
from launch.datasets.normalization import fingerprint, prepare


def test_normalised_observations_have_mean_zero_and_deviation_one(transitions):
    prepared = prepare(transitions, Preparation())
    seen = prepared.transitions.observation
    np.testing.assert_allclose(seen.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(seen.std(axis=0), 1, atol=2e-3)
    assert seen.dtype == prepared.transitions.next_observation.dtype == np.float32
    # Both ends of a transition are normalised alike.
    row, column = 4, 1
    scale = transitions.observation[:, column].std() + 1e-3
    mean = transitions.observation[:, column].mean()
    expected = (transitions.next_observation[row, column] - mean) / scale
    assert prepared.transitions.next_observation[row, column] == pytest.approx(expected)
    np.testing.assert_array_equal(prepared.transitions.reward, transitions.reward)


def test_scaled_rewards_span_one(transitions):
    prepared = prepare(transitions, Preparation(False, scale_rewards=True))
    np.testing.assert_allclose(
        prepared.transitions.reward, transitions.reward / 5.0, rtol=1e-6
    )
    assert prepared.networks == {}


def test_equal_rewards_cannot_be_scaled(transitions):
    flat = transitions._replace(reward=np.ones(11, np.float32))
    with pytest.raises(ValueError, match="scale_rewards false"):
        prepare(flat, Preparation(scale_rewards=True))


def test_a_fingerprint_sees_every_column_and_the_order_of_rows():
    random = np.random.default_rng(0)
    transitions = Transition(*random.normal(size=(5, 7, 3)).astype(np.float32))
    whole = fingerprint(transitions)
    assert whole["rows"] == 7 and whole == json.loads(json.dumps(whole))
    for name in Transition._fields[:5]:
        column = getattr(transitions, name)
        for other in (np.nextafter(column, 9), column[::-1]):
            changed = fingerprint(transitions._replace(**{name: other}))
            assert changed != whole
