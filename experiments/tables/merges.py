"""Measures merges of two runs that began with the same weights, and writes a table.

python -m experiments.tables.merges RUN RUN BASE warp_merges.csv

RUN are finished runs of `warp`, BASE is the run or checkpoint with whose weights both
began. Each row is a merge: its method and weight, how far it goes from the base, its
mean reward with standard error, and its KL divergence from the supervised policy. All
merges play the same prompts.
"""

import shlex
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from experiments import output_files
from launch import output
from launch.errors import RunDirectoryError
from launch.policies import merge, saved_policy
from launch.policies.merge import Method, Request
from launch.roles.evaluator import Evaluator
from launch.runs import provenance

EPISODES = 2_048
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the second run
FRACTIONS = (0.15, 0.3, 0.45, 0.6, 0.8)  # from the base to the merge with equal weights
METHODS: tuple[Method, ...] = ("slerp", "lerp")
_SOURCE = ("code", "machine", "started")


def requests(runs: Sequence[Path], base: Path) -> Iterator[Request]:
    """Both methods at all weights, then the ways from the base to both merges."""
    for method in METHODS:
        for weight in WEIGHTS:
            yield Request(tuple(runs), base, method, weight)
    for method in METHODS:
        for fraction in FRACTIONS:
            yield Request(tuple(runs), base, method, 0.5, fraction)


def measure(
    runs: Sequence[Path], base: Path, episodes: int
) -> Iterator[dict[str, Any]]:
    """Yields a row for each merge.

    Raises:
        RunDirectoryError: a run or the base cannot be read, they do not fit, or the
            runs do not measure the divergence.
    """
    merge.merge(Request(tuple(runs), base))  # refuses runs that do not fit
    weights = [merge.weights_of(each) for each in (*runs, base)]
    experiment, agent, params = saved_policy.load(runs[0])
    if "sft" not in params:
        raise RunDirectoryError(f"{runs[0]} must be of warp, which measures sft_kl")
    evaluator = Evaluator(experiment, agent, episodes)
    for request in requests(runs, base):
        policy = merge.merged(request, weights[-1], weights[:-1])
        found = evaluator.evaluate(
            {**params, "policy": policy}, point=experiment.steps + 1
        )
        yield {
            "method": request.method,
            "weight": request.weight,
            "fraction": request.fraction,
            "mean_return": f"{statistics.fmean(found.returns):.6g}",
            "standard_error": f"{_standard_error(found.returns):.3g}",
            "sft_kl": f"{found.measures['sft_kl']:.6g}",
            "episodes": episodes,
        }


def _standard_error(returns: Sequence[float]) -> float:
    return statistics.stdev(returns) / len(returns) ** 0.5


def main(arguments: Sequence[str]) -> int:
    """Writes the table of two runs."""
    if len(arguments) != 4:
        print(
            "usage: python -m experiments.tables.merges RUN RUN BASE TABLE.csv",
            file=sys.stderr,
        )
        return 2
    one, two, base, table = map(Path, arguments)
    try:
        output_files.check_writable(table)
        source = {key: provenance.circumstances()[key] for key in _SOURCE}
        source["command"] = (
            f"python -m experiments.tables.merges {shlex.join(arguments)}"
        )
        rows = [row | source for row in measure((one, two), base, EPISODES)]
        output_files.write_table(table, list(rows[0]), rows)
    except RunDirectoryError as error:
        print(f"merges: {error}", file=sys.stderr)
        return 2
    for row in rows:
        print(
            f"{row['method']:6} weight {row['weight']:<5} fraction {row['fraction']:<5}"
            f" return {float(row['mean_return']):7.3f}  sft_kl "
            f"{float(row['sft_kl']):7.2f}"
        )
    print(table)
    return 0


if __name__ == "__main__":
    output.guard()
    sys.exit(main(sys.argv[1:]))
