"""What more actors bring, and what limits them: parameters, the replay, the learner."""

import threading
import time
from collections.abc import Sequence

import jax
import numpy as np
import psutil

from experiments.benchmarks import parts, stub_environment
from experiments.benchmarks.measure import Measurement, cost, share
from experiments.benchmarks.observe_process import watch
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

    Args:
        milliseconds: for which a step of an environment waits.
        seconds: time to measure each program.
        actors: numbers of actors, from the lowest to the highest.
    """
    measured, alone = [], 0.0
    for number in actors:
        line = (
            *_STUB,
            *("--environment.kwargs.milliseconds", str(milliseconds)),
            *("--actors", str(number)),
        )
        rate = watch(line, "processes", seconds).actor_steps
        alone = alone or rate / number
        name = f"{number} actors, steps of {milliseconds:g} ms"
        measured.append(share(name, rate, number * alone, "actor steps/s"))
    return measured


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
    with alone.served(kept, ["get_variables"]) as peer:
        fetched = parameters.Parameters(peer, names, threading.Event())
        times = _timed(fetched.fetch, seconds)
        kept.answers, began = 0, time.monotonic()
        while time.monotonic() - began < seconds:
            fetched()  # as an actor does before each call of the policy
            time.sleep(0.001)
        often = kept.answers / (time.monotonic() - began)
    sent = sum(each.nbytes for each in jax.tree.leaves(kept.values))
    took = float(np.median(times))
    return [
        cost("time for parameters, of an actor's", often * took, _FETCH_SHARE, ""),
        share("fetches of parameters, one actor", often, 1 / took, "fetches/s"),
        share("parameters, one actor", often * sent / 1e6, sent / took / 1e6, "MB/s"),
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


def _timed(call: object, seconds: float) -> list[float]:
    times: list[float] = []
    while sum(times) < seconds:
        began = time.monotonic()
        call()  # type: ignore[operator]
        times.append(time.monotonic() - began)
    return times


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
        before, began = sum(process.cpu_times()[:2]), time.monotonic()
        filling.add(transitions)
        spent = time.monotonic() - began
        busy = sum(process.cpu_times()[:2]) - before
        filling.close()
    rate, most = transitions / spent, transitions / max(busy, 0.01)
    return [share("inserts, one writer / one core of Reverb", rate, most, "inserts/s")]


def updates(seconds: float, name: str = "dqn/pong") -> Measurement:
    """Measures the learner's steps, next to those with which a Reverb server keeps up.

    Args:
        seconds: time to measure.
        name: the experiment whose agent learns.
    """
    experiment = EXPERIMENTS[name]
    rate = parts.bare_updates(experiment, seconds)
    return share("learner steps, alone", rate, rate, "steps/s")
