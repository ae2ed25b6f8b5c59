"""Benchmarks of how updates reach the device: from which replay, how many in a call."""

import contextlib
import functools
from collections.abc import Iterator, Sequence

import jax

from experiments.benchmarks.measure import (
    Measurement,
    Rates,
    Timed,
    compared,
    timed_turns,
)
from experiments.benchmarks.parts import LANES, Bench, fill
from launch.experiment import Experiment, Place
from launch.replay.in_process import InProcess
from launch.roles.batches import Batches, Given
from launch.roles.batches_ahead import BatchesAhead
from launch.roles.learner import Learner

_FED: tuple[Place, ...] = ("host", "device")


def dispatch(
    experiment: Experiment,
    seconds: float,
    size: int = 2_000,
    together: Sequence[int] = (1, 2, 4),
) -> list[Measurement]:
    """Measures updates per second with K updates in a call, for several K.

    There are three figures for each K: updates of one batch that is on the device,
    against those with K = 1; and updates of batches which a thread draws from a replay
    on the host, or which are drawn from a replay on the device, both against the first.

    Args:
        experiment: the experiment with the agent that learns.
        seconds: time to measure each figure.
        size: number of transitions in the replays.
        together: the values of K, with 1 among them.
    """
    bench = Bench(experiment, size)
    what: dict[str, Timed] = {}
    with contextlib.ExitStack() as opened:
        for many in together:
            sources = opened.enter_context(_sources(bench, many))
            for name, batches in sources.items():
                what[_rate(name, many)] = _calls(bench, batches, many)
        turns = timed_turns(what, seconds)
    measured = []
    for many in together:
        alone = functools.partial(_updates, "alone", many)
        title = f"{experiment.name}, {many} update{'s' * (many > 1)} a call"
        measured.append(
            compared(f"{title}, alone", turns, alone, _rate("alone", 1), "steps/s")
        )
        for place in _FED:
            fed = functools.partial(_updates, place, many)
            from_replay = f"{title}, replay on the {place}"
            measured.append(
                compared(from_replay, turns, fed, alone, "steps/s", least=0.9)
            )
    return measured


@contextlib.contextmanager
def _sources(bench: Bench, many: int) -> Iterator[dict[str, Batches]]:
    """Context with a learner's sources of batches; a thread fills one of them."""
    host, device = (_filled(bench, place) for place in _FED)
    batch = jax.device_put(host.next())
    ahead = BatchesAhead(host, many)
    ahead.prepare({}, lambda: None)
    try:
        yield {"alone": Given(lambda: batch), "host": ahead, "device": device}
    finally:
        ahead.close()


def _filled(bench: Bench, place: Place) -> InProcess:
    store = bench.in_process(LANES, place=place)
    fill(bench, store, bench.size)
    return store


def _calls(bench: Bench, batches: Batches, many: int) -> Timed:
    """A call of `many` updates as an operation to time."""
    learner = Learner(bench.agent, 0, batches, updates_per_call=many)
    wait = lambda: jax.block_until_ready(learner.params)  # noqa: E731
    return Timed(functools.partial(learner.run, many), wait)


def _rate(source: str, many: int) -> str:
    """The name of a rate of calls."""
    return f"{source} {many}"


def _updates(source: str, many: int, rates: Rates) -> float:
    """Updates per second."""
    return many * rates[_rate(source, many)]
