"""Nearest neighbours among the states of a dataset, and the tables that hold them.

Letters in shapes: M transitions, S states (M and the next states that no transition
starts from), K neighbours, E the size of an embedding.

Memory: `[S, K]` int32 and `[M, E]` float32; with a million transitions, 50 neighbours
and embeddings of 32, 200 MB and 128 MB. A batch gathers its rows from both.
"""

import functools
import os
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from agents.parts import checks
from agents.parts.contract import DatasetTables, Params, Transition
from agents.ploff.metric import Embeddings, distance_to_nearest

EXACT_UP_TO = 100_000  # states; a search among more covers the nearest cells only
CELLS_PER_ROOT = 2  # cells of the inexact index, over the root of the states
SHARE_SEARCHED = 1 / 32  # share of the cells, for each query
FEWEST_SEARCHED = 16  # cells
UNIT_FROM = 4_096  # rows on which the unit of distance is measured
SMALLEST_UNIT = 1e-6  # in case all distances are 0
BLOCK = 16_384  # rows embedded or searched at once


class Tables(NamedTuple):
    """The tables of a dataset, in which `read` looks up the rows of a batch.

    Attributes:
        embeddings: `[M, E]` of the state-action pairs.
        neighbours: `[S, K]` int32 transitions whose states are nearest to a state.
        next_state: `[M]` int32 place of a transition's next state among the states.
        unit: `[]` median distance of uniform actions from the data.
    """

    embeddings: jax.Array
    neighbours: jax.Array
    next_state: jax.Array
    unit: jax.Array


class Candidates(NamedTuple):
    """The table entries for each transition of a batch.

    Attributes:
        embedding: `[B, K, E]` logged pairs whose states are nearest to s.
        next_embedding: `[B, K, E]` logged pairs whose states are nearest to s'.
        unit: `[B]` the tables' unit, in each row.
    """

    embedding: jax.Array
    next_embedding: jax.Array
    unit: jax.Array


def _nothing() -> None:
    """A `tick` without effect."""


def in_blocks(
    apply: Callable[..., Any],
    *arrays: np.ndarray,
    tick: Callable[[], None] = _nothing,
) -> np.ndarray:
    """Applies `apply` to blocks of rows, one by one; `[M, ...] -> [M, E]`."""
    compiled = jax.jit(apply)
    return np.concatenate(
        [np.asarray(compiled(*parts)) for parts in _blocks(*arrays, tick=tick)], axis=0
    )


def _blocks(
    *arrays: np.ndarray, tick: Callable[[], None]
) -> Iterable[list[np.ndarray]]:
    for start in range(0, len(arrays[0]), BLOCK):
        tick()
        yield [array[start : start + BLOCK] for array in arrays]


def following(
    observations: np.ndarray, next_observations: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the place of each next state among the states; some are new states.

    Args:
        observations: `[M, ...]` in the order they happened.
        next_observations: `[M, ...]`.

    Returns:
        `[M]` int32: the next row if the next state is that row's state, else a place
        from M onwards; and the rows `[S - M]` whose next states have these places.
    """
    rows = len(observations)
    same = np.zeros(rows, bool)
    axes = tuple(range(1, observations.ndim))
    same[:-1] = np.all(next_observations[:-1] == observations[1:], axis=axes)
    (new,) = np.nonzero(~same)
    places = np.arange(1, rows + 1, dtype=np.int32)
    places[new] = rows + np.arange(len(new))
    return places, new


def check(number: int, size: int) -> None:
    """Raises InvalidSetting unless `size` transitions have `number` neighbours."""
    if not 1 <= number <= size:
        wanted = f"between 1 and {size}, the number of transitions in the dataset"
        raise checks.InvalidSetting("neighbours", number, wanted)


def nearest(
    points: np.ndarray,
    queries: np.ndarray,
    number: int,
    *,
    exact_up_to: int = EXACT_UP_TO,
    tick: Callable[[], None] = _nothing,
) -> np.ndarray:
    """The `number` nearest of `points [M, E]` to `queries [S, E]`: `[S, number]` int32.

    The search compares a query with every point, if there are at most `exact_up_to`;
    else with the points in the nearest cells of a k-means with a fixed seed.

    Raises:
        InvalidSetting: there are fewer points than `number`.
    """
    check(number, len(points))
    index = _index(np.ascontiguousarray(points, np.float32), exact_up_to)
    return np.concatenate(
        [_search(index, block, number) for (block,) in _blocks(queries, tick=tick)]
    )


def _index(points: np.ndarray, exact_up_to: int) -> Any:
    import faiss  # here, since only runs that search need it

    if "NPROC" in os.environ:  # the number of XLA's threads; faiss gets as many
        faiss.omp_set_num_threads(int(os.environ["NPROC"]))
    size = points.shape[-1]
    index: Any = faiss.IndexFlatL2(size)
    if len(points) > exact_up_to:
        cells = int(CELLS_PER_ROOT * len(points) ** 0.5)
        index = faiss.IndexIVFFlat(index, size, cells)
        index.cp.seed = 0
        index.nprobe = max(FEWEST_SEARCHED, int(SHARE_SEARCHED * cells))
        index.train(points)
    index.add(points)
    return index


def _search(index: Any, queries: np.ndarray, number: int) -> np.ndarray:
    queries = np.ascontiguousarray(queries, np.float32)
    _, found = index.search(queries, number)
    # faiss returns -1 where the searched cells hold fewer points than requested.
    short = np.any(found < 0, axis=1)
    if np.any(short):
        probed, index.nprobe = index.nprobe, index.nlist
        found[short] = index.search(queries[short], number)[1]
        index.nprobe = probed
    return found.astype(np.int32)


def dataset_tables(both: Embeddings, number: int) -> DatasetTables:
    """Builds the contract's tables, with `number` candidates for each state.

    Their `check` refuses datasets of fewer transitions.
    """
    return DatasetTables(
        build=functools.partial(build, both, number),
        read=read,
        check=functools.partial(check, number),
    )


def build(
    both: Embeddings,
    number: int,
    params: Params,
    transitions: Transition,
    tick: Callable[[], None] = _nothing,
) -> Tables:
    """Builds the tables of a dataset, on the host.

    Args:
        both: the embeddings; neighbours are nearest under the state embedding.
        number: K.
        params: of the networks `metric` and `state_metric`.
        transitions: leaves `[M, ...]`, in the order they happened.
        tick: called before each block of rows; a search among a million transitions
            takes ten minutes on one thread.

    Raises:
        InvalidSetting: there are fewer transitions than `number`.
    """
    embed_pair = functools.partial(both.pair.apply, params["metric"])
    embed_state = functools.partial(both.state.apply, params["state_metric"])
    observations = np.asarray(transitions.observation)
    next_observations = np.asarray(transitions.next_observation)
    actions = np.asarray(transitions.action)
    next_state, new = following(observations, next_observations)
    points = in_blocks(embed_state, observations, tick=tick)
    others = in_blocks(embed_state, next_observations[new], tick=tick)
    embeddings = jnp.asarray(in_blocks(embed_pair, observations, actions, tick=tick))
    found = nearest(points, np.concatenate([points, others]), number, tick=tick)
    one = jnp.ones(())
    tables = Tables(embeddings, jnp.asarray(found), jnp.asarray(next_state), one)
    return tables._replace(unit=_unit(embed_pair, tables, observations, actions))


def _unit(
    embed_pair: Callable[[Any, Any], Any],
    tables: Tables,
    observations: np.ndarray,
    actions: np.ndarray,
) -> jax.Array:
    """Median distance of uniform actions from the data, above 0."""
    rng = np.random.default_rng(0)
    number = min(len(actions), UNIT_FROM)
    rows = np.sort(rng.choice(len(actions), number, replace=False))
    drawn = rng.uniform(-1, 1, (number, actions.shape[-1])).astype(np.float32)
    embedding = jax.jit(embed_pair)(observations[rows], drawn)
    distances = jax.vmap(distance_to_nearest)(
        embedding, candidates(tables, jnp.asarray(rows))
    )
    return jnp.maximum(jnp.median(distances), SMALLEST_UNIT)


def candidates(tables: Tables, rows: jax.Array, *, itself: bool = True) -> jax.Array:
    """Embeddings `[B, K, E]` of logged pairs whose states are nearest to given states.

    Args:
        tables: of the dataset.
        rows: `[B]` places of the given states; a transition's row is its state's place.
        itself: whether a transition is among its own candidates. If not, another
            candidate replaces it, to compare a logged action with the others only.
    """
    chex.assert_rank(rows, 1)
    chosen = tables.neighbours[rows]
    if not itself:
        first, second = chosen[:, :1], chosen[:, 1:2]
        other = jnp.where(first == rows[:, None], second, first)
        chosen = jnp.where(chosen == rows[:, None], other, chosen)
    return tables.embeddings[chosen]


def read(tables: Tables, rows: jax.Array) -> Candidates:
    """Looks up the table entries of the transitions at `rows [B]`; jit-able."""
    return Candidates(
        embedding=candidates(tables, rows),
        next_embedding=candidates(tables, tables.next_state[rows]),
        unit=jnp.broadcast_to(tables.unit, rows.shape),
    )
