"""Proxy and golden distances of teacher hacking: a picture, and a diagnosis.

python -m experiments.tables.distances teacher_hacking.csv teacher_hacking.png

The table is from `from_runs`. The proxy is its column `forward_kl`, the KL divergence
from teacher to student of whole completions. The golden distance, that from oracle to
student, comes from its column `reference_log_prob`, the mean log-probability of the
oracle's completions under the student, and that of the same completions under the
oracle: an evaluation's prompts and completions are drawn again from its seed. Both
distances are means over seeds.
"""

import csv
import dataclasses
import functools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from environments.language import markov
from experiments import flags, output_files
from experiments.names import EXPERIMENTS
from experiments.papers import teacher_hacking
from experiments.papers.teacher_hacking import EPISODES, NAME, Diagnosis
from experiments.tables import variants
from launch import output
from launch.errors import RunDirectoryError
from launch.roles.evaluator import MAX_LANES

_LEAST = 1e-4  # nats; an estimate of a distance may be below 0


class Distances(NamedTuple):
    """Of one variant, at the steps that all of its seeds have: `[K]` each.

    Attributes:
        steps: learner steps.
        proxy: mean over seeds.
        golden: mean over seeds.
        golden_error: standard error of `golden` over seeds; 0 of a single one.
    """

    steps: np.ndarray
    proxy: np.ndarray
    golden: np.ndarray
    golden_error: np.ndarray


def distances(rows: Sequence[Mapping[str, str]]) -> dict[str, Distances]:
    """The distances of each variant that has a teacher.

    Raises:
        ValueError: the table lacks a column, or the variants are not of the chain.
    """
    proxies = variants.series(rows, "forward_kl")
    log_probs = variants.series(rows, "reference_log_prob")
    grids = variants.series(rows, "grid")
    found = {}
    for name, seeds in proxies.items():
        if name not in EXPERIMENTS or not hasattr(EXPERIMENTS[name].agent, "teacher"):
            continue
        chain = EXPERIMENTS[name].environment
        if not isinstance(chain, markov.Markov):
            raise ValueError(f"{name} must be on a Markov chain, which is an oracle")
        steps = sorted(set.intersection(*(set(run) for run in seeds.values())))
        golden = np.array(
            [
                [
                    oracle_log_prob(chain, seed, int(grids[name][seed][step]))
                    - run[step]
                    for step in steps
                ]
                for seed, run in log_probs[name].items()
            ]
        )
        several = len(golden) > 1
        error = golden.std(axis=0, ddof=1 if several else 0) / np.sqrt(len(golden))
        proxy = np.array([[run[step] for step in steps] for run in seeds.values()])
        found[name] = Distances(
            np.array(steps), proxy.mean(axis=0), golden.mean(axis=0), error
        )
    return found


def oracle_log_prob(
    chain: markov.Markov, seed: int, point: int, episodes: int = EPISODES
) -> float:
    """Mean log-probability of an evaluation's references under the oracle, in nats.

    Args:
        chain: the environment; how many prompts it has for training does not matter.
        seed: of the run.
        point: actor steps of the run at the evaluation.
        episodes: of the evaluation, one for each reference.
    """
    alike = dataclasses.replace(chain, prompts=0)
    return _oracle_log_prob(alike, seed, point, episodes)


@functools.cache
def _oracle_log_prob(
    chain: markov.Markov, seed: int, point: int, episodes: int
) -> float:
    # All variants of the figure are evaluated alike.
    experiment = dataclasses.replace(EXPERIMENTS[f"{NAME}_offline"], seed=seed)
    environment_seed, _ = experiment.seeds("evaluator", start=point)
    lanes = min(episodes, MAX_LANES)
    environment = markov.make(chain, lanes, environment_seed, evaluation=True)
    scores: list[float] = []
    for _ in range(-(-episodes // lanes)):
        rows = environment.reset().observation
        prompts, references = np.split(rows, [chain.prompt_columns], axis=1)
        scores += map(environment.task.score, prompts, references)
    return float(np.mean(scores)) * chain.completion_columns


def diagnosis(found: Distances) -> Diagnosis:
    """The diagnosis of a variant; a rise within four standard errors is noise.

    They are four, because the minimum is that of many evaluations.
    """
    proxy, golden = (np.maximum(each, _LEAST) for each in (found.proxy, found.golden))
    error = max(float(found.golden_error[-1]), fluctuation(golden))
    return teacher_hacking.diagnose(proxy.tolist(), golden.tolist(), noise=4 * error)


def fluctuation(series: np.ndarray) -> float:
    """Standard deviation of the noise of a slowly changing series `[K]`.

    Each evaluation has other prompts, which are the same for all seeds: a noise that
    the deviation over seeds does not show. It is that of x_(t-1) - 2 x_t + x_(t+1),
    which is 0 on a line, divided by sqrt(6). 0 if K is below 3.
    """
    second = np.diff(series, n=2)
    return float(np.sqrt(np.mean(second**2) / 6)) if len(second) else 0.0


def report(found: Mapping[str, Distances]) -> list[str]:
    """A line for each variant."""
    lines: list[tuple[str, ...]] = []
    lines.append(("variant", "rise", "proxy change", "slope", "residual", "hacked"))
    for name, each in found.items():
        one = diagnosis(each)
        numbers = (one.rise, one.proxy_change, one.slope, one.residual)
        hacked = "yes" if one.hacked else "no"
        lines.append((name, *[f"{number:.3g}" for number in numbers], hacked))
    return flags.align(lines)


def draw(found: Mapping[str, Distances], path: Path) -> None:
    """Draws the golden distance over the proxy, and both over the steps."""
    from experiments.reporting import log_plots
    from experiments.reporting.log_plots import Line

    by_proxy, proxies, goldens = list[Line](), list[Line](), list[Line]()
    for name, each in found.items():
        _, label = variants.split(name)
        order = np.argsort(each.proxy)
        by_proxy.append(
            Line(label, each.proxy[order], each.golden[order], each.golden_error[order])
        )
        none = np.zeros(len(each.steps))
        proxies.append(Line(label, each.steps, each.proxy, none))
        goldens.append(Line(label, each.steps, each.golden, each.golden_error))
    lowest = min(float(line.y.min()) for line in [*proxies, *goldens])
    log_plots.save(
        path,
        {"golden over proxy": by_proxy, "proxy": proxies, "golden": goldens},
        x_label="proxy in nats; learner steps",
        y_label="distance to the student in nats",
        lowest=max(0.8 * lowest, _LEAST),
    )


def main(arguments: Sequence[str]) -> int:
    """Draws the distances of a table and prints the diagnosis of each variant."""
    if len(arguments) != 2 or Path(arguments[1]).suffix not in (".png", ".svg"):
        print(
            "usage: python -m experiments.tables.distances TABLE.csv PICTURE.png|svg",
            file=sys.stderr,
        )
        return 2
    table, picture = map(Path, arguments)
    try:
        output_files.check_writable(picture)
        found = distances(variants.read(table))
        with output_files.draft(picture) as draft:
            draw(found, draft)
    except (OSError, RunDirectoryError, ValueError, csv.Error) as error:
        print(f"distances: {error}", file=sys.stderr)
        return 2
    print("\n".join(report(found)))
    print(picture)
    return 0


if __name__ == "__main__":
    output.guard()
    sys.exit(main(sys.argv[1:]))
