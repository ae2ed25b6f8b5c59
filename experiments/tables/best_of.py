"""Measures the best of N samples of a language policy, and writes a table.

python -m experiments.tables.best_of RUN bond_best_of.csv

RUN is a finished run that learned a language policy. Each row has a number N, the mean
score of the best of N samples with its standard error over prompts, and the KL
divergence log N - (N - 1) / N of the policy that takes the best of N samples from the
one that draws them. It is exact if samples hardly ever have equal scores, else a bound.
"""

import math
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

import environments
from agents.parts.language import sampling
from experiments import output_files
from launch import output
from launch.errors import RunDirectoryError
from launch.policies import merge
from launch.runs import initial_networks, provenance, run_directory
from launch.runs.initial_networks import POLICY

PROMPTS = 512
SAMPLES = 64  # of each prompt
NUMBERS = (1, 2, 4, 8, 16, 32, 64)
_SOURCE = ("code", "machine", "started")


def scores(run: Path, prompts: int, samples: int) -> np.ndarray:
    """Scores `[prompts, samples]` of a run's policy on its task, prompts of evaluation.

    Raises:
        RunDirectoryError: the run cannot be read, is not finished, or learned no
            language policy.
    """
    found = merge.merge(merge.Request((run,)))
    if POLICY not in initial_networks.learned_at(run).params:
        raise RunDirectoryError(f"{run} must be of an agent that learns a policy")
    experiment = run_directory.read_experiment(run)
    environment: Any = environments.make(
        experiment.environment, prompts, experiment.seed, evaluation=True
    )
    [columns] = environment.action_spec().shape
    prompt = environment.reset().observation[:, :-columns]

    several = jax.jit(sampling.generate_several, static_argnums=(1, 4, 5))
    key = jax.random.key(experiment.seed)
    drawn = several(found.params, found.config, key, prompt, samples, columns)
    scored = environment.score(np.asarray(drawn))
    environment.close()
    return np.asarray(scored)


def rows(scores: np.ndarray, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """The mean score of the best of N, for each N.

    Args:
        scores: `[P, K]` of K samples of each of P prompts.
        numbers: the values of N, each a divisor of K: a prompt has K / N groups.
    """
    found = []
    for number in numbers:
        best = scores.reshape(len(scores), -1, number).max(axis=-1).mean(axis=-1)
        error = best.std(ddof=1) / math.sqrt(len(best))
        found.append(
            {
                "number": number,
                "mean_return": f"{best.mean():.6g}",
                "standard_error": f"{error:.3g}",
                "kl": f"{math.log(number) - (number - 1) / number:.6g}",
                "prompts": scores.shape[0],
                "samples": scores.shape[1],
            }
        )
    return found


def main(arguments: Sequence[str]) -> int:
    """Writes the table of a run."""
    if len(arguments) != 2:
        print(
            "usage: python -m experiments.tables.best_of RUN TABLE.csv", file=sys.stderr
        )
        return 2
    run, table = map(Path, arguments)
    try:
        output_files.check_writable(table)
        source = {key: provenance.circumstances()[key] for key in _SOURCE}
        source["command"] = (
            f"python -m experiments.tables.best_of {shlex.join(arguments)}"
        )
        found = rows(scores(run, PROMPTS, SAMPLES), NUMBERS)
        output_files.write_table(
            table, [*found[0], *source], [row | source for row in found]
        )
    except RunDirectoryError as error:
        print(f"best_of: {error}", file=sys.stderr)
        return 2
    for row in found:
        print(f"best of {row['number']:<3} {row['mean_return']}  kl {row['kl']}")
    print(table)
    return 0


if __name__ == "__main__":
    output.guard()
    sys.exit(main(sys.argv[1:]))
