"""Measures how well a bonus separates a dataset's actions from other actions.

`python -m experiments.tables.bonus_separation RUN... TABLE.csv` evaluates the first
stage of each run of TD3-CVAE or PLOFF on logged actions, on the same actions at other
states (shuffled), and on uniform actions; and how well its order separates logged from
uniform actions (area under the ROC curve; 0.5 is chance).
"""

import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from agents.anti_exploration import agent as anti_exploration
from agents.parts.contract import Params, Spec, Transition
from agents.ploff import metric, neighbours
from experiments import output_files
from launch import errors, output
from launch.build import make_agent, spec_of
from launch.datasets import load
from launch.experiment import Experiment
from launch.policies import saved_policy
from launch.runs import provenance, run_directory

ROWS = 4_096  # of the dataset, drawn without replacement
USAGE = "usage: python -m experiments.tables.bonus_separation RUN... TABLE.csv"

# (observation [B, ...], action [B, D], rows [B]) -> [B], larger is farther from data
Measure = Callable[[Any, Any, Any], jax.Array]


class Separation(NamedTuple):
    """A measure's values for logged and other actions at a dataset's states.

    Attributes:
        dataset: median measure of logged actions.
        shuffled: median measure of logged actions, each at another row's state.
        uniform: median measure of uniform actions.
        auc: probability that a uniform action measures more than a logged one.
        shuffled_alone: median of the mean squared difference between shuffled and
            logged actions, without the measure: how far the dataset's actions are
            from one another.
        uniform_alone: the same for uniform actions. Where `shuffled_alone` is larger,
            logged actions lie at their bounds, and a measure may have the same order.
    """

    dataset: float
    shuffled: float
    uniform: float
    auc: float
    shuffled_alone: float
    uniform_alone: float


def separate(measure: Measure, transitions: Transition, seed: int = 0) -> Separation:
    """Measures logged, shuffled and uniform actions at the same states.

    Args:
        measure: see `Measure`.
        transitions: prepared, leaves `[M, ...]`.
        seed: of rows, shuffling and uniform actions.
    """
    random, size = np.random.default_rng(seed), len(transitions.reward)
    rows = np.sort(random.choice(size, min(size, ROWS), replace=False))
    observation, action = transitions.observation[rows], transitions.action[rows]
    drawn = random.uniform(-1, 1, action.shape).astype(np.float32)
    others = transitions.action[random.permutation(rows)]
    logged, shuffled, uniform = (
        np.asarray(measure(observation, each, rows)) for each in (action, others, drawn)
    )
    return Separation(
        dataset=float(np.median(logged)),
        shuffled=float(np.median(shuffled)),
        uniform=float(np.median(uniform)),
        auc=auc(logged, uniform),
        shuffled_alone=_difference(others, action),
        uniform_alone=_difference(drawn, action),
    )


def _difference(left: np.ndarray, right: np.ndarray) -> float:
    return float(np.median(np.mean(np.square(left - right), axis=-1)))


def auc(low: np.ndarray, high: np.ndarray) -> float:
    """Probability that a value of `high` exceeds one of `low`; a tie counts half."""
    from scipy import stats

    ranks = stats.rankdata(np.concatenate([low, high]))[len(low) :]
    above = ranks.sum() - len(high) * (len(high) + 1) / 2
    return float(above / (len(low) * len(high)))


def measure_of(
    experiment: Experiment, spec: Spec, params: Params, transitions: Transition
) -> Measure:
    """The measure of a run's first stage; a logged pair is not its own neighbour.

    Raises:
        ValueError: the agent has no first stage with such a measure.
    """
    settings = experiment.agent
    if isinstance(settings, anti_exploration.Config):
        bonus = jax.jit(anti_exploration.make_bonus(settings, spec))
        key = jax.random.key(0)
        return lambda observation, action, rows: bonus(params, key, observation, action)
    if experiment.agent_name != "ploff":
        raise ValueError(
            f"the agent must be anti_exploration or ploff, got {experiment.agent_name}"
        )
    # A pair does not count itself: look up two neighbours even if the run uses one.
    enough = dataclasses.replace(settings, neighbours=max(2, settings.neighbours))
    lookup = make_agent(dataclasses.replace(experiment, agent=enough), spec).tables
    assert lookup is not None
    tables = lookup.build(params, transitions, lambda: None)
    distance = jax.jit(metric.make_distance(settings, spec))
    return lambda observation, action, rows: distance(
        params, neighbours.candidates(tables, rows, itself=False), observation, action
    )


def row(directory: Path) -> dict[str, Any]:
    """The separation of a run's first stage, with the command and code to reproduce it.

    Raises:
        RunDirectoryError: the directory is not a run, or has no checkpoint.
        ValueError: the agent has no first stage with such a measure.
    """
    experiment, _, params = saved_policy.load(directory)
    spec = spec_of(experiment)
    prepared = load.load_prepared(experiment, spec)
    measure = measure_of(experiment, spec, params, prepared.transitions)
    found = separate(measure, prepared.transitions)
    written = run_directory.read_config(directory)
    return {
        "experiment": experiment.name,
        "seed": experiment.seed,
        **{name: f"{value:.5g}" for name, value in found._asdict().items()},
        **{name: written[name] for name in ("command", "code", "machine", "started")},
        "measured_with": provenance.code_version(),
    }


def main(arguments: Sequence[str]) -> int:
    """Writes a table with a row for each run, and prints it."""
    if len(arguments) < 2 or not arguments[-1].endswith(".csv"):
        print(USAGE, file=sys.stderr)
        return 2
    output = Path(arguments[-1])
    try:
        output_files.check_writable(output)
        found = [row(Path(directory)) for directory in arguments[:-1]]
        output_files.write_table(output, list(found[0]), found)
    except (errors.RunDirectoryError, ValueError) as error:
        print(f"separation: {error}", file=sys.stderr)
        return 2
    for each in found:
        print("  ".join(f"{name} {each[name]}" for name in list(each)[:8]))
    return 0


if __name__ == "__main__":
    output.guard()
    sys.exit(main(sys.argv[1:]))
