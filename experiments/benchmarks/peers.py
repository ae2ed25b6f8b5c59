"""Whole runs of ours and of other projects that do the same work, in turns.

Each figure is our rate; its limit is a peer's. The rates are of actor steps, for a
dataset of learner steps, after a warm-up. All processes live at the same time, and all
but one are paused.
"""

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.benchmarks import peer_driver, peer_environments
from experiments.benchmarks.measure import (
    BenchFailed,
    Measurement,
    Turns,
    compared,
    one_by_one,
    take_turns,
)
from experiments.benchmarks.observe_process import in_turns
from experiments.benchmarks.peer_environments import PEERS, Unavailable
from experiments.benchmarks.started_process import Started, folder, started

_DRIVER = Path(peer_driver.__file__)
_TURN_SECONDS = 5.0
_WARM_UP_SECONDS = 4.0
_PATIENCE_SECONDS = 240.0
_SIZE = 200_000  # steps of the dataset
_LIMIT = 1_000  # steps of an episode of Hopper
_STARTS = str(peer_driver.LEARNING_STARTS)
_BETTER = 1.2  # times the best peer, if that computes with JAX, too


class Work(NamedTuple):
    """What ours and peers do.

    Attributes:
        ours: the arguments of `munchausen train`, by the name of the figure.
        peers: names of `peer_environments.PEERS`.
        jax: those of the peers that compute with JAX.
        least: the ratio that the project aims at, against a peer with JAX.
        counted: the column of our log that counts the steps.
    """

    ours: dict[str, tuple[str, ...]]
    peers: tuple[str, ...]
    jax: tuple[str, ...] = ()
    least: float | None = None
    counted: str = "actor_steps"


_PONG = (
    *("dqn/pong", "--agent.storage.min_size", _STARTS, "--log_period", "16"),
    *("--agent.storage.capacity", "50000"),
)
_HOPPER = ("--agent.storage.min_size", _STARTS, "--log_period", "8")
WORKS = {
    "dqn/pong": Work(
        {
            "DQN on Pong": _PONG,
            "DQN on Pong, 8 environments": (*_PONG, "--environments", "8"),
        },
        peers=("cleanrl", "sbx", "sb3"),
        jax=("cleanrl", "sbx"),
    ),
    "td3/hopper": Work(
        {"TD3 on Hopper": ("td3/hopper", *_HOPPER)},
        peers=("cleanrl", "sbx", "sb3"),
        jax=("cleanrl", "sbx"),
        least=_BETTER,
    ),
    "sac/hopper": Work(
        {"SAC on Hopper": ("sac/hopper", *_HOPPER)},
        peers=("cleanrl", "sbx", "sb3"),
        jax=("sbx",),
        least=_BETTER,
    ),
    "td3_bc/hopper-medium": Work(
        {"TD3+BC from a dataset": ("td3_bc/hopper-medium", "--log_period", "50")},
        peers=("d3rlpy",),
        counted="learner_steps",
    ),
}


def compare(seconds: float, environments: Path) -> list[Measurement]:
    """Measures all works; prints a line for each peer that cannot be measured.

    Args:
        seconds: time to measure each run.
        environments: see `peer_environments.python`.
    """
    measured = []
    for name, work in WORKS.items():
        pythons = {}
        for peer in work.peers:
            try:
                pythons[peer] = peer_environments.python(peer, environments)
            except Unavailable as error:
                _leave_out(name, peer, error)
        measured += _measured(name, work, pythons, seconds)
    return measured


def _measured(
    name: str, work: Work, pythons: dict[str, Path], seconds: float
) -> list[Measurement]:
    """Figures of a work, against the peers that run."""
    with contextlib.ExitStack() as stack:
        data = stack.enter_context(folder()) / "noise.npz"
        given: tuple[str, ...] = ()
        if work.counted == "learner_steps":
            write_noise(data)
            given = ("--dataset", str(data))
        runs = {}
        for peer, python in pythons.items():
            try:
                loop = stack.enter_context(peer_in_turns(peer, name, python, data))
            except BenchFailed as error:
                _leave_out(name, peer, error)
            else:
                runs[peer] = loop.go
        if not runs:
            return []
        for title, line in work.ours.items():
            run = in_turns((*line, *given), counted=work.counted)
            runs[title] = stack.enter_context(run).go
        turns = take_turns([one_by_one(runs)], seconds, _TURN_SECONDS)
        return _figures(work, turns)


def _figures(work: Work, turns: Turns) -> list[Measurement]:
    unit = f"{work.counted.replace('_', ' ')}/s"
    return [
        compared(
            f"{title} / {PEERS[peer].title}",
            turns,
            title,
            peer,
            unit,
            least=work.least if peer in work.jax else None,
        )
        for title in work.ours
        for peer in work.peers
        if peer in turns.rates[0]
    ]


def _leave_out(name: str, peer: str, error: Exception) -> None:
    """Prints why a peer is not measured: one line, with the end of a long reason."""
    first, *rest = str(error).splitlines()
    reason = f"{first}: {rest[-1].strip()}" if rest else first
    print(f"left out: {PEERS[peer].title}, {name}: {reason}", file=sys.stderr)


class PeerInTurns:
    """A peer's loop that is paused except during `go`."""

    def __init__(self, process: Started, counter: Path):
        """Pauses the loop.

        Args:
            process: runs `peer_driver`.
            counter: the file in which it counts.
        """
        self._process, self._counter = process, counter
        process.pause()

    def go(self, seconds: float) -> float:
        """Continues the loop for some seconds; returns its steps per second.

        Raises:
            BenchFailed: the process ended.
        """
        before, began = read(self._counter), time.monotonic()
        self._process.resume()
        time.sleep(seconds)
        while read(self._counter) == before:
            self._process.check("while it was measured")
            time.sleep(0.05)
        self._process.pause()
        return (read(self._counter) - before) / (time.monotonic() - began)


@contextlib.contextmanager
def peer_in_turns(
    peer: str, work: str, python: Path, dataset: Path
) -> Iterator[PeerInTurns]:
    """Context with a peer's loop that is paused after its warm-up.

    Args:
        peer: name of the peer.
        work: of `WORKS`.
        python: interpreter of the peer's environment.
        dataset: what an offline agent learns from.

    Raises:
        BenchFailed: the process ended, or had no learner step in four minutes.
    """
    with folder() as own:
        counter = own / "steps"
        words = [str(_DRIVER), peer, work, str(counter), str(dataset)]
        # Without -P, our modules would hide those of the peer that have their names.
        with started([str(python), "-P", *words], cwd=own) as process:
            # The count of a dataset's learner steps begins with the first of them.
            first = 0 if work.startswith("td3_bc") else peer_driver.LEARNING_STARTS
            _await(process, counter, first + 10, _PATIENCE_SECONDS)
            time.sleep(_WARM_UP_SECONDS)
            process.check("while it warmed up")
            yield PeerInTurns(process, counter)


def _await(process: Started, counter: Path, count: int, patience: float) -> None:
    began = time.monotonic()
    while read(counter) < count:
        process.check("before its first learner step")
        if time.monotonic() - began > patience:
            raise BenchFailed(f"no learner step in {patience:g} seconds")
        time.sleep(0.05)


def read(counter: Path) -> int:
    """What `peer_driver.Counter` has counted so far; 0 before it begins."""
    with contextlib.suppress(FileNotFoundError):
        return int.from_bytes(counter.read_bytes(), sys.byteorder)
    return 0


def write_noise(path: Path, size: int = _SIZE) -> None:
    """Writes a dataset of noise, with the shapes of Hopper's, in D4RL's layout.

    Args:
        path: ends in .npz.
        size: number of steps, a multiple of 1,000, which each episode has.
    """
    random = np.random.default_rng(0)

    def noise(columns: int) -> np.ndarray:
        return random.uniform(-1, 1, (size, columns)).astype(np.float32)

    np.savez(
        path,
        observations=noise(11),
        actions=noise(3),
        rewards=noise(1)[:, 0],
        terminals=np.zeros(size, np.float32),
        timeouts=(np.arange(1, size + 1) % _LIMIT == 0).astype(np.float32),
    )
