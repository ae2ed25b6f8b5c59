"""Neighbours: compared with brute force, at ends of episodes, and as tables."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts.contract import Transition
from agents.parts.networks import Network
from agents.ploff import neighbours
from agents.ploff.metric import Embeddings
from agents.ploff.neighbours import Tables, following, nearest


def brute_force(points, queries, number):
    squares = ((queries[:, None].astype(np.float64) - points[None]) ** 2).sum(-1)
    return np.argsort(squares, axis=1)[:, :number]


def clustered(seed, number, size=7, clusters=40):
    rng = np.random.default_rng(seed)
    centres = 4 * rng.normal(size=(clusters, size))
    noise = rng.normal(size=(number, size))
    return (centres[rng.integers(0, clusters, number)] + noise).astype(np.float32)


def share_found(found, expected):
    pairs = zip(found, expected, strict=True)
    return np.mean([len(set(one) & set(other)) / len(other) for one, other in pairs])


@pytest.mark.parametrize("number", [1, 5, 31])
def test_few_states_are_searched_exactly(number):
    points, queries = clustered(0, 31), clustered(1, 13)
    found = nearest(points, queries, number)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, brute_force(points, queries, number))


def test_the_search_among_many_states_is_accurate_and_deterministic():
    points, queries = clustered(0, 20_011), clustered(1, 211)
    found = nearest(points, queries, 50, exact_up_to=1_000)
    assert share_found(found, brute_force(points, queries, 50)) > 0.95
    again = nearest(points, queries, 50, exact_up_to=1_000)
    np.testing.assert_array_equal(found, again)


def test_every_query_gets_the_requested_number_of_neighbours():
    """Most of the 1,500 points are identical, so most cells are almost empty."""
    points = np.ones((1_500, 3), np.float32)
    points[:90] = clustered(2, 90, size=3, clusters=90)
    found = nearest(points, points[:90] + 0.01, 60, exact_up_to=100)
    assert found.min() >= 0
    assert all(len(set(row)) == 60 for row in found)


def test_results_do_not_depend_on_the_block_size(monkeypatch):
    points, queries = clustered(0, 31), clustered(1, 23)
    whole = nearest(points, queries, 4)
    embedded = neighbours.in_blocks(lambda x, y: x + 2 * y, queries, queries)
    np.testing.assert_allclose(embedded, 3 * queries, rtol=1e-6)
    monkeypatch.setattr(neighbours, "BLOCK", 5)
    np.testing.assert_array_equal(nearest(points, queries, 4), whole)
    again = neighbours.in_blocks(lambda x, y: x + 2 * y, queries, queries)
    np.testing.assert_array_equal(again, embedded)


@pytest.mark.parametrize("number", [0, 32])
def test_more_neighbours_than_transitions_are_refused(number):
    points = clustered(0, 31)
    expected = f"neighbours must be between 1 and 31, .* dataset, got {number}"
    with pytest.raises(ValueError, match=expected):
        nearest(points, points, number)


def test_next_states_are_those_of_the_next_row_within_an_episode():
    # Two episodes: states 0 1 2 | 7 8, then 3 and 0. The last next state counts as new
    # although row 0 has it: only the next row is compared.
    observations = np.array([[0.0, 1], [1, 1], [2, 1], [7, 1], [8, 1]])
    next_observations = np.array([[1.0, 1], [2, 1], [3, 1], [8, 1], [0, 1]])
    places, new = following(observations, next_observations)
    assert places.dtype == np.int32
    np.testing.assert_array_equal(places, [1, 2, 5, 4, 6])
    np.testing.assert_array_equal(new, [2, 4])


def test_states_differ_if_one_number_differs():
    observations = np.zeros((3, 4), np.float32)
    next_observations = observations.copy()
    next_observations[0, 2] = 1e-6
    places, new = following(observations, next_observations)
    np.testing.assert_array_equal(places, [3, 2, 4])
    np.testing.assert_array_equal(new, [0, 2])


def walk(rows=29, seed=0):
    """Episodes of 10 steps on a line, whose states are never met twice."""
    rng = np.random.default_rng(seed)
    states = rng.permutation(rows + rows // 10 + 1).astype(np.float32)[:, None]
    starts = np.arange(rows) + np.arange(rows) // 10
    return Transition(
        observation=states[starts],
        action=rng.uniform(-1, 1, (rows, 2)).astype(np.float32),
        reward=np.zeros(rows, np.float32),
        discount=np.ones(rows, np.float32),
        next_observation=states[starts + 1],
    )


def embed_pair(observation, action):
    return jnp.concatenate([0.01 * observation, action, action**2], axis=-1)


def embed_state(observation):
    return jnp.concatenate([observation, -observation], axis=-1)


def build(data, number, metric=1.0):
    """Tables of embeddings that are multiplied by their parameters."""
    pair = Network(None, lambda params, s, a: params * embed_pair(s, a))
    state = Network(None, lambda params, s: params * embed_state(s))
    params = {"metric": metric, "state_metric": 2.0}
    return neighbours.build(Embeddings(pair, state), number, params, data)


def test_tables_hold_each_state_once_and_are_read_row_by_row():
    data = walk()
    tables = build(data, 3)
    assert tables.embeddings.shape == (29, 5)
    assert tables.neighbours.shape == (29 + 3, 3)  # the ends of three episodes
    assert tables.neighbours.dtype == tables.next_state.dtype == jnp.int32
    rows = jnp.array([28, 0, 9, 10, 9])
    read = jax.jit(neighbours.read)(tables, rows)
    pairs = np.asarray(embed_pair(data.observation, data.action))
    for states, found in [
        (data.observation, read.embedding),
        (data.next_observation, read.next_embedding),
    ]:
        assert found.shape == (5, 3, 5)
        nearest_rows = np.argsort(
            abs(states[rows] - data.observation[:, 0]), axis=1, kind="stable"
        )[:, :3]
        # Two states may be equally far from a third: compare distances, not indices.
        chosen = (found[:, :, None] == pairs[None, None]).all(-1).argmax(-1)
        apart = abs(data.observation[chosen, 0] - states[rows])
        expected = abs(data.observation[nearest_rows, 0] - states[rows])
        np.testing.assert_allclose(np.sort(apart), np.sort(expected), atol=1e-5)
    np.testing.assert_array_equal(read.unit, np.full(5, tables.unit))


def test_the_unit_is_the_median_distance_of_uniform_actions():
    data = walk(rows=2_000)
    tables = build(data, 3)
    rng, rows = np.random.default_rng(9), np.arange(2_000)
    drawn = embed_pair(data.observation, rng.uniform(-1, 1, (2_000, 2)))
    logged = neighbours.candidates(tables, rows)
    apart = np.linalg.norm(np.asarray(logged - drawn[:, None]), axis=-1).min(axis=1)
    assert tables.unit == pytest.approx(np.median(apart), rel=0.05)


def test_the_unit_is_positive_where_all_distances_are_zero():
    tables = build(walk(), 3, metric=0.0)
    assert 0 < tables.unit < 1e-5


def test_a_transition_can_be_left_out_of_its_own_candidates():
    tables = Tables(
        embeddings=jnp.arange(4.0)[:, None],
        neighbours=jnp.array([[0, 2, 1], [3, 1, 2], [0, 3, 1]], jnp.int32),
        next_state=jnp.zeros(4, jnp.int32),
        unit=jnp.ones(()),
    )
    rows = jnp.array([0, 1, 2])
    own = neighbours.candidates(tables, rows)
    np.testing.assert_array_equal(own[..., 0], [[0, 2, 1], [3, 1, 2], [0, 3, 1]])
    others = neighbours.candidates(tables, rows, itself=False)
    np.testing.assert_array_equal(others[..., 0], [[2, 2, 1], [3, 3, 2], [0, 3, 1]])
