"""Whole local runs beside what their parts take, each alone."""

from collections.abc import Sequence
from typing import NamedTuple

import jax

from experiments import overrides
from experiments.bench_parts import LANES, Bench, drawing, fill
from experiments.bench_runs import watch
from experiments.catalogue import EXPERIMENTS
from experiments.measure import Measurement, Timed, rates, share
from launch.actor import Actor
from launch.experiment import Experiment

_SIZE = 2_000  # transitions in the store that batches are taken from
_SOON = ("--agent.storage.min_size", str(_SIZE), "--log_period", "40")


class Parts(NamedTuple):
    """Times a second that each part can be done, alone.

    Attributes:
        environment: steps.
        policy: actions chosen.
        update: gradient steps on one batch that lies on the device.
    """

    environment: float
    policy: float
    update: float


def parts(experiment: Experiment, seconds: float) -> Parts:
    """Measures an experiment's parts, in turns."""
    bench = Bench(experiment, _SIZE)
    store = bench.in_process(LANES)
    fill(bench, store, _SIZE)
    batch = jax.device_put(store.sample())
    learner, update = bench.learner(lambda: batch)
    policy = Actor(bench.agent.act, lambda: learner.params, seed=0)
    environment = bench.environment(1)
    observation, action = environment.reset().observation, drawing(environment)()
    rate = rates(
        {
            "environment": Timed(lambda: environment.step(action)),
            "policy": Timed(lambda: policy.select_action(observation)),
            "update": update,
        },
        seconds,
    )
    environment.close()
    return Parts(**rate)


def ideal(experiment: Experiment, rate: Parts) -> float:
    """Actor steps a second of a run that does nothing but its parts, in turns."""
    storage = experiment.agent.storage
    updates = storage.samples_per_insert / storage.batch_size
    acting = 1 + experiment.evaluation.lockstep  # whose evaluator acts as often
    seconds = acting * (1 / rate.environment + 1 / rate.policy) + updates / rate.update
    return 1 / seconds


def whole(name: str, seconds: float, line: Sequence[str] = ()) -> list[Measurement]:
    """A whole local run, beside one that does nothing but its parts.

    Args:
        name: of the experiment.
        seconds: for each figure.
        line: what follows it on the command line.
    """
    values = overrides.read(line, overrides.fields(EXPERIMENTS[name]))[1]
    experiment = overrides.replace(EXPERIMENTS[name], values, "--")
    before = parts(experiment, seconds / 2)
    seen = watch((name, *line, *_SOON), "local", seconds)
    after = parts(experiment, seconds / 2)
    rate = Parts(*(sum(pair) / 2 for pair in zip(before, after, strict=True)))
    best = ideal(experiment, rate)
    return [share(f"{name}, local", seen.actor_steps, best, "actor steps/s", 0.85)]


def locomotion(seconds: float) -> list[Measurement]:
    """The agents for continuous actions on Hopper: their learners, and whole runs."""
    measured = []
    for agent in ("td3", "sac", "iq"):
        name = f"{agent}/hopper"
        bench = Bench(EXPERIMENTS[name], _SIZE)
        store = bench.in_process(LANES)
        fill(bench, store, _SIZE)
        batch = jax.device_put(store.sample())
        _, bare = bench.learner(lambda batch=batch: batch)
        _, fed = bench.learner(store.sample)
        rate = rates({"bare": bare, "fed": fed}, seconds)
        measured.append(
            share(f"{agent} learner, fed", rate["fed"], rate["bare"], "steps/s", 0.9)
        )
        measured += whole(name, seconds)
    return measured


def minatar(seconds: float) -> list[Measurement]:
    """DQN on MinAtar Asterix, with its evaluator in lock-step."""
    return whole("dqn/minatar-asterix", seconds)
