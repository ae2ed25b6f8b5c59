"""What more actors bring, and what limits them: parameters, the replay, the learner."""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence

import jax
import numpy as np
import psutil

from experiments.benchmarks import parts, stub_environment
from experiments.benchmarks.measure import (
    Measurement,
    Rates,
    Timed,
    compared,
    one_by_one,
    rates,
    take_turns,
    timed_turns,
)
from experiments.benchmarks.observe_process import in_turns
from experiments.catalogue.experiments import EXPERIMENTS
from launch.replay import server
from launch.roles import parameters

ACTORS = (1, 2, 4, 8)
_STUB = (
    *("mdqn/gymnasium", "--environment.id", f"{stub_environment.__name__}:Stub"),
    # So few samples for each insert that the learner never holds actors up.
    *("--agent.storage.samples_per_insert", "0.1", "--agent.storage.min_size", "500"),
    *("--agent.storage.capacity", "20000", "--agent.network.hidden", "64"),
    *("--log_period", "40", "--steps", "100_000_000"),
)
_FETCH_SHARE = 0.05  # of an actor's time at most; see `launch.roles.parameters`
_TRANSITIONS = 8_000
_TURN_SECONDS = 3.0  # of a program, whose roles wait for each other after a pause


def scaling(seconds: float) -> list[Measurement]:
    """Measures programs of 1 to 8 actors, then the three parts that actors share.

    Args:
        seconds: time to measure each figure.
    """
    measured = []
    for milliseconds in (5.0, 0.0):
        measured += programs(milliseconds, seconds)
    return [*measured, *fetches(seconds), *inserts(), updates(seconds)]


def programs(
    milliseconds: float, seconds: float, actors: Sequence[int] = ACTORS
) -> list[Measurement]:
    """Measures actor steps per second; the limit is that of one actor, times actors.

    The programs take turns, so all of them are in memory at the same time.

    Args:
        milliseconds: for which a step of an environment waits.
        seconds: time to measure each program.
        actors: numbers of actors, from the lowest to the highest.
    """
    wait = ("--environment.kwargs.milliseconds", str(milliseconds))
    with contextlib.ExitStack() as stack:
        programs = {}
        for number in actors:
            line = (*_STUB, *wait, "--actors", str(number))
            program = stack.enter_context(in_turns(line, "processes"))
            programs[str(number)] = program.go
        turns = take_turns([one_by_one(programs)], seconds, _TURN_SECONDS)
    first = actors[0]

    def ideal(number: int) -> Callable[[Rates], float]:
        return lambda rates: rates[str(first)] * number / first

    return [
        compared(
            f"{number} actors, steps of {milliseconds:g} ms",
            turns,
            str(number),
            ideal(number),
            "actor steps/s",
        )
        for number in actors
    ]


def fetches(seconds: float, name: str = "dqn/pong") -> list[Measurement]:
    """Measures an actor's fetches of parameters, back to back and as actors do it.

    Args:
        seconds: time to measure.
        name: the experiment whose policy is fetched.
    """
    from launch.engines import alone  # late: imports Courier

    bench = parts.Bench(EXPERIMENTS[name], size=200)
    names = parameters.network_names(bench.agent, bench.spec)
    networks = bench.agent.init(jax.random.key(0)).params
    kept = _Kept([jax.tree.map(np.asarray, networks[each]) for each in names])
    sent = sum(each.nbytes for each in jax.tree.leaves(kept.values)) / 1e6
    with alone.served(kept, ["get_variables"]) as peer:
        fetched = parameters.Parameters(peer, names, threading.Event())
        once = {"once": Timed(fetched.fetch)}
        turns = take_turns(
            [
                lambda turn: rates(once, turn),
                lambda turn: {"actor": _as_actors_do(fetched, kept, turn)},
            ],
            seconds,
            _TURN_SECONDS,
        )
    return [
        compared(
            "time for parameters, of an actor's",
            turns,
            lambda rate: rate["actor"] / rate["once"],
            lambda _: _FETCH_SHARE,
            "",
            most=1.0,
        ),
        compared(
            "fetches of parameters, one actor", turns, "actor", "once", "fetches/s"
        ),
        compared(
            "parameters, one actor",
            turns,
            lambda rate: rate["actor"] * sent,
            lambda rate: rate["once"] * sent,
            "MB/s",
        ),
    ]


class _Kept:
    """Serves the same parameters, as the learner role serves the newest."""

    def __init__(self, values: list):
        self.values = values
        self.answers = 0

    def get_variables(self, names: Sequence[str]) -> tuple[int, list]:
        """The parameters."""
        self.answers += 1
        return 0, self.values


def _as_actors_do(fetched: parameters.Parameters, kept: _Kept, seconds: float) -> float:
    """Fetches per second if an actor calls its policy every millisecond."""
    kept.answers, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        fetched()
        time.sleep(0.001)
    return kept.answers / (time.monotonic() - began)


def inserts(
    name: str = "dqn/pong", transitions: int = _TRANSITIONS
) -> list[Measurement]:
    """Measures inserts of one writer into Reverb, and what one core of it could take.

    Args:
        name: the experiment whose transitions are inserted.
        transitions: how many.
    """
    # Up to its least size, a store takes transitions that nobody samples.
    bench = parts.Bench(EXPERIMENTS[name], size=2 * transitions)
    with server.served(bench.storage) as served:
        filling = bench.filling(bench.reverb_adder(served))
        filling.add(transitions // 10)  # fills the caches
        process = psutil.Process(served.pid)
        turns = take_turns(
            [lambda _: _inserted(filling, process, transitions // 3)], seconds=0.0
        )
        filling.close()
    name = "inserts, one writer / one core of Reverb"
    return [compared(name, turns, "writer", "core", "inserts/s")]


def _inserted(filling: parts.Filling, process: psutil.Process, number: int) -> Rates:
    """Inserts per second, and per second of the server's CPU."""
    before, began = sum(process.cpu_times()[:2]), time.monotonic()
    filling.add(number)
    spent = time.monotonic() - began
    busy = sum(process.cpu_times()[:2]) - before
    return {"writer": number / spent, "core": number / max(busy, 0.01)}


def updates(seconds: float, name: str = "dqn/pong") -> Measurement:
    """Measures the learner's steps, next to those with which a Reverb server keeps up.

    Args:
        seconds: time to measure.
        name: the experiment whose agent learns.
    """
    turns = timed_turns({"bare": parts.bare_update(EXPERIMENTS[name])}, seconds)
    return compared("learner steps, alone", turns, "bare", "bare", "steps/s")
