"""Benchmarks of whole local runs against their parts, measured alone and in turns."""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import jax

from experiments import flags
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
from experiments.benchmarks.parts import LANES, Bench, drawing, fill
from experiments.catalogue.experiments import EXPERIMENTS
from launch.experiment import Experiment
from launch.roles.actor import Actor
from launch.roles.learner import Learner

_SIZE = 2_000  # transitions in the store from which batches are sampled
_SOON = ("--agent.storage.min_size", str(_SIZE))
_ROWS = 10  # rows of metrics per second; more would slow the run down


@contextlib.contextmanager
def parts(experiment: Experiment) -> Iterator[Callable[[float], Rates]]:
    """Context with a function that measures a run's parts, for some seconds each.

    Its rates are:

    - environment: environment steps, measured alone;
    - policy: actions selected, measured alone;
    - update: learner steps on one batch that is on the device, measured alone;
    - turns: actor steps of a loop of only these parts, in the order of a run.

    Args:
        experiment: the experiment whose parts are measured.
    """
    bench = Bench(experiment, _SIZE)
    store = bench.in_process(LANES)
    fill(bench, store, _SIZE)
    batch = jax.device_put(store.next())
    learner, update = bench.learner(lambda: batch)
    policy = Actor(bench.agent.act, lambda: learner.params, seed=0)
    environment = bench.environment(1)
    observation, action = environment.reset().observation, drawing(environment)()
    turns = Turns(experiment, bench, learner)
    timed = {
        "environment": Timed(lambda: environment.step(action)),
        "policy": Timed(lambda: policy.select_action(observation)),
        "update": update,
        "turns": Timed(turns.step, update.finish),
    }
    try:
        yield lambda seconds: rates(timed, seconds)
    finally:
        environment.close()
        turns.close()


class Turns:
    """A loop of only a run's parts: no replay, no scores, no log.

    Alternating parts evict each other's data from the processor's caches, a cost that
    does not appear when each part is measured alone.
    """

    def __init__(self, experiment: Experiment, bench: Bench, learner: Learner):
        """Begins an episode, and one of the evaluator if it plays in lock-step."""
        players = 1 + experiment.evaluation.lockstep
        self._actors = [
            Actor(bench.agent.act, lambda: learner.params, seed, evaluation=seed > 0)
            for seed in range(players)
        ]
        self._environments = [bench.environment(1) for _ in range(players)]
        self._seen = [one.reset().observation for one in self._environments]
        self._learner = learner
        self._updates, self._owed = _updates(experiment), 0.0

    def step(self) -> None:
        """Does one actor step and the learner steps that are due after it."""
        for i, (actor, environment) in enumerate(
            zip(self._actors, self._environments, strict=True)
        ):
            action = actor.select_action(self._seen[i])
            self._seen[i] = environment.step(action).observation
        self._owed += self._updates
        while self._owed >= 1:
            self._learner.step()
            self._owed -= 1

    def close(self) -> None:
        """Closes the environments."""
        for environment in self._environments:
            environment.close()


def ideal(experiment: Experiment, rate: Rates) -> float:
    """Actor steps per second of a run whose parts are as fast as each is alone."""
    acting = 1 + experiment.evaluation.lockstep  # in lock-step the evaluator acts, too
    seconds = acting * (1 / rate["environment"] + 1 / rate["policy"])
    return 1 / (seconds + _updates(experiment) / rate["update"])


def _updates(experiment: Experiment) -> float:
    """Learner steps per actor step."""
    storage = experiment.agent.storage
    return storage.samples_per_insert / storage.batch_size


def whole(name: str, seconds: float, line: Sequence[str] = ()) -> list[Measurement]:
    """Measures a whole local run against its parts alone, and its parts in turns.

    Args:
        name: name of the experiment.
        seconds: time to measure each figure.
        line: arguments after the experiment's name on the command line.
    """
    values = flags.read(line, flags.fields(EXPERIMENTS[name]))[1]
    experiment = flags.replace(EXPERIMENTS[name], values, "--")
    with parts(experiment) as measure:
        period = max(1, round(measure(1.0)["turns"] / _ROWS))
        line = (name, *line, *_SOON, "--log_period", str(period))
        with in_turns(line) as run:
            turns = take_turns([measure, one_by_one({"run": run.go})], seconds)
    title, unit = f"{name}, local", "actor steps/s"
    return [
        compared(title, turns, "run", lambda rate: ideal(experiment, rate), unit, 0.85),
        compared(f"{title}, vs parts in turns", turns, "run", "turns", unit, 0.85),
    ]


def locomotion(seconds: float) -> list[Measurement]:
    """Measures TD3, SAC and IQ on Hopper: their learners, and whole runs."""
    measured = []
    for agent in ("td3", "sac", "iq"):
        name = f"{agent}/hopper"
        bench = Bench(EXPERIMENTS[name], _SIZE)
        store = bench.in_process(LANES)
        fill(bench, store, _SIZE)
        batch = jax.device_put(store.next())
        _, bare = bench.learner(lambda batch=batch: batch)
        _, fed = bench.learner(store.next)
        turns = timed_turns({"bare": bare, "fed": fed}, seconds)
        measured.append(
            compared(f"{agent} learner, fed", turns, "fed", "bare", "steps/s", 0.9)
        )
        measured += whole(name, seconds)
    return measured


def minatar(seconds: float) -> list[Measurement]:
    """Measures DQN on MinAtar Asterix, with its evaluator in lock-step."""
    return whole("dqn/minatar-asterix", seconds)
