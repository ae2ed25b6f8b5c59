"""Replay for runs in one process: seeded, without server or thread."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dm_env
import jax
import numpy as np

from agents.parts.contract import Params, Spec, Storage, Transition
from launch.errors import RunDirectoryError
from launch.experiment import Place
from launch.replay import frames
from launch.replay.rows import Row, Rows, decode


class InProcess:
    """A ring buffer of rows for each environment, sampled uniformly.

    The capacity counts rows, so the few rows that start and pad an episode displace
    transitions: an episode of T decisions takes T + S + n - 1 rows.

    The system allocates memory only as the rings fill.

    Args:
        storage: what to store and how often to sample it.
        spec: of one environment; frames are stacked along the first axis.
        discount: gamma, weighs the rewards inside an n-step transition.
        frame_stack: S, frames in one observation; 1 if they are not stacked.
        num_environments: N, the number of lanes.
        seed: of the sampling.
        extras: spec of the extras that the policy returns with one action, see
            `launch.build.make_extras_spec`.
        place: where the frames are, see `launch.replay.frames`.

    Attributes:
        inserted: transitions added so far.
        sampled: transitions sampled so far.
        size: transitions that can be sampled now.
    """

    def __init__(
        self,
        storage: Storage,
        spec: Spec,
        *,
        discount: float,
        frame_stack: int,
        num_environments: int,
        seed: int,
        extras: Any = (),
        place: Place = "host",
    ):
        self._storage = storage
        self._place: Place = place
        self._rows = Rows(
            storage,
            spec,
            discount=discount,
            frame_stack=frame_stack,
            num_environments=num_environments,
            extras=extras,
        )
        self._frame_stack = frame_stack
        self._random = np.random.Generator(np.random.PCG64(seed))
        self._window = storage.n_step + frame_stack
        self._offsets = np.arange(1 - self._window, 1)
        # Two windows of rows always hold a transition, however short episodes are:
        # rows that complete a transition are at most one window apart.
        self._length = max(-(-storage.capacity // num_environments), 2 * self._window)
        self._make_columns(num_environments * self._length, spec, extras)
        self._written = [0] * num_environments
        self.inserted = 0
        self.sampled = 0
        self.size = 0

    def _make_columns(self, rows: int, spec: Spec, extras: Any) -> None:
        frame_shape = spec.observation.shape[int(self._frame_stack > 1) :]
        # Lane i has rows i * length to (i + 1) * length of each column.
        make_frames = frames.KINDS[self._place]
        self._frames = make_frames(rows, frame_shape, spec.observation.dtype)
        self._action = np.zeros((rows, *spec.action.shape), spec.action.dtype)
        self._reward = np.zeros(rows, np.float32)
        self._discount = np.zeros(rows, np.float32)
        # 0 if no transition ends at the row, or its oldest row is overwritten.
        self._steps = np.zeros(rows, np.int32)
        leaves, self._extras_structure = jax.tree.flatten(extras)
        self._extras = [np.zeros((rows, *leaf.shape), leaf.dtype) for leaf in leaves]

    @property
    def nbytes(self) -> int:
        """Bytes allocated for the rows."""
        columns = self._columns().values()
        return self._frames.nbytes + sum(column.nbytes for column in columns)

    @property
    def shared(self) -> Any:
        """Frames that every update reads; None if batches hold their frames."""
        return self._frames.shared

    def observe_first(self, timestep: dm_env.TimeStep) -> None:
        """Adds the first timestep of every lane."""
        for lane, row in self._rows.observe_first(timestep):
            self.write(lane, row)

    def observe(
        self, actions: np.ndarray, timestep: dm_env.TimeStep, extras: Any = ()
    ) -> None:
        """Adds a step: `[N, ...]` actions, the timestep they led to, their extras."""
        for lane, row in self._rows.observe(actions, timestep, extras):
            self.write(lane, row)

    def write(self, lane: int, row: Row) -> None:
        """Adds a row of a lane, in the order in which `Rows` yields them."""
        written = self._written[lane]
        self._written[lane] = written + 1
        start = lane * self._length
        # The transition whose oldest row is overwritten now.
        evicted = start + (written + self._window - 1) % self._length
        if self._steps[evicted]:
            self._steps[evicted] = 0
            self.size -= 1
        i = start + written % self._length
        self._frames.write(i, row.frame)
        self._steps[i] = row.steps
        if row.steps:
            self._action[i] = row.action
            self._reward[i] = row.reward
            self._discount[i] = row.discount
            if self._extras:
                for column, leaf in zip(self._extras, row.extras, strict=True):
                    column[i] = leaf
            self.inserted += 1
            self.size += 1

    def close(self) -> None:
        """Does nothing: there is no connection to end."""

    def prepare(self, params: Params, tick: Callable[[], None]) -> None:
        """Does nothing: this store needs no preparation."""

    def read(self, batch: Transition, shared: Any) -> Transition:
        """The batch, with the frames that it refers to."""
        if shared is None:
            return batch
        return batch._replace(
            observation=frames.gathered(batch.observation, shared),
            next_observation=frames.gathered(batch.next_observation, shared),
        )

    def progress(self) -> dict[str, Any]:
        """State that `restore` needs besides the rows, as plain data."""
        return {
            "store": {
                "length": self._length,
                "written": list(self._written),
                "inserted": self.inserted,
                "sampled": self.sampled,
                "random": self._random.bit_generator.state,
            }
        }

    def stored(self) -> int:
        """Transitions that can be sampled now."""
        return self.size

    def save(self, path: Path) -> None:
        """Writes the rows that are filled to a new directory."""
        path.mkdir()
        filled = min(self._length, max(self._written))
        for name, column in self._all_columns().items():
            np.save(path / f"{name}.npy", column[:, :filled])

    def restore(
        self, path: Path | None, progress: Mapping[str, Any], learner_steps: int
    ) -> None:
        """Loads the rows that `save` wrote; episodes unfinished then are given up.

        The number of lanes or the capacity may differ from the saved ones. Then each
        lane loses the few transitions at the place where its rows were cut.

        Args:
            path: the directory that `save` wrote; None: the store stays empty.
            progress: the return value of `progress` at that time.
            learner_steps: learner steps at that time; not used.

        Raises:
            RunDirectoryError: the rows do not fit this store.
        """
        if path is None:
            return
        from launch.replay import relaid  # a run that begins does not need it

        progress = progress["store"]
        lanes, length = len(progress["written"]), progress["length"]
        ours = (len(self._written), self._length)
        same = (lanes, length) == ours
        chosen = [] if same else relaid.places(progress["written"], length, *ours)
        columns = self._all_columns()
        for name, column in columns.items():
            rows = _saved(path / f"{name}.npy", column)
            if same:
                column[:, : rows.shape[1]] = rows
            else:
                relaid.copy(rows, chosen, column)
        frame = columns["frame"]
        self._frames.load(frame.reshape(-1, *frame.shape[2:]))
        self._written = list(progress["written"])
        if not same:
            self._written = [len(indices) for indices in chosen]
            self._columns()["steps"][:, : self._window - 1] = 0
        self.inserted, self.sampled = progress["inserted"], progress["sampled"]
        self.size = int(np.count_nonzero(self._steps))
        self._random.bit_generator.state = progress["random"]

    def _columns(self) -> dict[str, np.ndarray]:
        """The columns but the frames as `[lanes, rows, ...]`, views of this store."""
        columns = {
            "action": self._action,
            "reward": self._reward,
            "discount": self._discount,
            "steps": self._steps,
        }
        columns |= {f"extras{i}": column for i, column in enumerate(self._extras)}
        return {name: self._by_lane(column) for name, column in columns.items()}

    def _all_columns(self) -> dict[str, np.ndarray]:
        """All columns; the frames may be a copy."""
        return {"frame": self._by_lane(self._frames.to_host()), **self._columns()}

    def _by_lane(self, column: np.ndarray) -> np.ndarray:
        return column.reshape(len(self._written), self._length, *column.shape[1:])

    def owed(self) -> int:
        """Number of batches to sample now to keep the configured samples per insert."""
        if not self.size:
            return 0  # a resumed run may have lost its few transitions
        storage = self._storage
        due = storage.samples_per_insert * (self.inserted - storage.min_size)
        return max(0, int((due - self.sampled) // storage.batch_size))

    def next(self) -> Transition:
        """Samples a batch of transitions, uniformly with replacement.

        Raises:
            ValueError: the store holds no transition.
        """
        ends, lane_starts, steps = self._draw()
        self.sampled += len(ends)
        # Offsets are taken within a lane, where a window may wrap around.
        rows = (ends[:, None] + self._offsets) % self._length
        if len(self._written) > 1:
            rows += lane_starts[:, None]
            ends = ends + lane_starts
        return decode(
            self._frames.windows(rows),
            self._action[ends],
            self._reward[ends],
            self._discount[ends],
            steps,
            self._extras_at(ends) if self._extras else (),
            frame_stack=self._frame_stack,
        )

    def _extras_at(self, rows: np.ndarray) -> Any:
        """Extras of the transitions that end at these rows; leaves `[B, ...]`."""
        leaves = [column[rows] for column in self._extras]
        return jax.tree.unflatten(self._extras_structure, leaves)

    def _draw(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draws rows that end transitions: index in the lane, lane start, steps."""
        if not self.size:
            raise ValueError("cannot sample: the store holds no transition")
        lanes = len(self._written)
        # Drawn rows that end no transition are rejected and drawn again: they are few,
        # and the draw stays uniform over the others.
        high = lanes * min(self._length, max(self._written))
        draws = self._random.integers(high, size=self._storage.batch_size)
        while True:
            ends, lane_starts = draws // lanes, draws % lanes * self._length
            steps = self._steps[ends + lane_starts]
            if steps.all():
                return ends, lane_starts, steps
            rejected = np.flatnonzero(steps == 0)
            draws[rejected] = self._random.integers(high, size=len(rejected))


def _saved(file: Path, column: np.ndarray) -> np.ndarray:
    """The saved rows of a column, `[lanes, rows, ...]`, mapped from the file.

    Raises:
        RunDirectoryError: there are none, or they are of another kind.
    """
    if not file.exists():
        raise RunDirectoryError(
            f"{file.parent} holds no {file.stem}: resume with the agent that saved it"
        )
    rows = np.load(file, mmap_mode="r")
    kinds = [(each.shape[2:], each.dtype) for each in (rows, column)]
    if kinds[0] != kinds[1]:
        raise RunDirectoryError(
            f"{file} holds rows of shape {list(rows.shape[2:])} {rows.dtype}, this run "
            f"stores {list(column.shape[2:])} {column.dtype}: resume with the "
            "environment that it was saved with"
        )
    return rows
