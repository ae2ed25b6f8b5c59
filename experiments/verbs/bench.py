"""`munchausen bench`: measures the speed and memory of each part, next to its limit."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from experiments import flags, output_files
from experiments.benchmarks.measure import Measurement
from experiments.flags import OverrideError
from launch.runs import provenance

Part = Literal[
    "learner",
    "actor",
    "runs",
    "minatar",
    "locomotion",
    "offline",
    "storage",
    "start",
    "footprint",
    "imports",
    "scaling",
    "language",
]
PARTS: tuple[Part, ...] = get_args(Part)

HELP = """\
usage: munchausen bench [--seconds N] [--only PART,...] [--output FILE.json]

Prints each figure next to its limit. Both are measured in the same run, so a busy
machine changes the figures but hardly their ratios. All parts take 15 minutes.

  --seconds  how long to measure each figure; default 10
  --only     comma-separated parts to measure, out of the list below; default all
  --output   a JSON file for the figures, in addition to the table

Parts, as figure / limit:

  learner    learner steps/s from each store / the same update on one batch
  actor      actor steps/s with 1, 8 and 32 games of Pong / environment and policy, each
             alone, and both in turns with nothing else
  runs       actor steps/s of whole runs of DQN on Pong / 4 x the update alone
  minatar    actor steps/s of a whole local run / environment, policy and update, each
             alone, and all in turns with nothing else
  locomotion the same for TD3, SAC and IQ on Hopper, and their learners as above
  offline    learner steps/s from a dataset / the update alone; PLOFF's lookup
  storage    bytes of memory for an Atari transition in each store
  start      seconds from the command to the first learner step
  footprint  peak memory of every process of a run, and which libraries it has loaded
  imports    number of modules that commands import
  scaling    actor steps/s of 1, 2, 4 and 8 actors / those of one, times actors; what
             actors share: parameters, inserts into Reverb, learner steps
  language   tokens/s of an actor / generation with a cache alone, and learner steps/s /
             the update alone, each with both kinds of queues"""


@dataclass(frozen=True)
class Options:
    """Flags of `bench`.

    Attributes:
        seconds: how long to measure each figure.
        only: parts to measure.
        output: a JSON file for the figures.
    """

    seconds: float = 10.0
    only: tuple[Part, ...] = PARTS
    output: str | None = None

    def __post_init__(self) -> None:
        if self.seconds <= 0:
            raise ValueError(f"must be more than 0, got {self.seconds:g}")
        if not self.only:
            raise ValueError(f"must have at least one of {', '.join(PARTS)}")
        if self.output is not None and Path(self.output).suffix.lower() != ".json":
            raise ValueError(f"must end in .json, got {self.output}")


def main(arguments: Sequence[str]) -> int:
    """Measures the parts that a command line selects, and prints a table.

    Raises:
        OverrideError: a mistake on the command line.
        RunDirectoryError: the output cannot be written.
        BenchFailed: a measured run ended before it was stopped.
    """
    plain, values = flags.read(arguments, flags.fields(Options()))
    if plain:
        raise OverrideError(f"bench takes no arguments, got {plain[0]!r}")
    options = flags.replace(Options(), values, "--")
    if options.output is not None:
        output_files.check_writable(Path(options.output))

    machine, load = provenance.machine(), os.getloadavg()[0]
    measured = list(_measure(options))
    print(f"{machine}; load {load:.1f} before, {os.getloadavg()[0]:.1f} after")
    print("\n".join(table(measured)))
    if options.output is not None:
        plain_data = {
            **provenance.circumstances(),
            "seconds": options.seconds,
            "load": [load, os.getloadavg()[0]],
            "measurements": [as_dict(measurement) for measurement in measured],
        }
        with output_files.draft(Path(options.output)) as file:
            file.write_text(json.dumps(plain_data, indent=2) + "\n")
        print(options.output)
    return 0


def _measure(options: Options) -> Iterator[Measurement]:
    for part in PARTS:
        if part in options.only:
            print(f"measuring: {part}", file=sys.stderr, flush=True)
            yield from _measurers(options.seconds)[part]()


def _measurers(seconds: float) -> dict[Part, Callable[[], list[Measurement]]]:
    # Imported late: mistakes are reported before jax is imported.
    from experiments.benchmarks import (
        language,
        offline,
        parts,
        scaling,
        whole_local_runs,
        whole_runs,
    )
    from experiments.catalogue.experiments import EXPERIMENTS
    from launch import run

    run.settle()  # as in the runs that parts are compared with
    pong = EXPERIMENTS["dqn/pong"]
    # Prompts of 32 tokens, completions of 33.
    sums = flags.replace(
        EXPERIMENTS["sft/arithmetic"],
        {"environment.digits": 15, "environment.scratch_pad": True},
    )
    return {
        "learner": lambda: parts.learner(pong, seconds),
        "actor": lambda: parts.actor(pong, seconds / 2),
        "runs": lambda: whole_runs.runs(seconds),
        "minatar": lambda: whole_local_runs.minatar(seconds),
        "locomotion": lambda: whole_local_runs.locomotion(seconds),
        "offline": lambda: offline.offline(seconds),
        "storage": lambda: parts.storage(pong),
        "start": whole_runs.start,
        "footprint": whole_runs.footprint,
        "imports": whole_runs.imports,
        "scaling": lambda: scaling.scaling(seconds),
        "language": lambda: language.language(sums, seconds),
    }


def table(measured: Sequence[Measurement]) -> list[str]:
    """One line for each figure, next to its limit."""
    rows = [("figure", "value", "limit", "ratio", "wanted", "")]
    verdicts = {True: "yes", False: "NO", None: ""}
    for one in measured:
        rows.append(
            (
                one.name,
                f"{_short(one.value)} {one.unit}".rstrip(),
                _short(one.limit),
                f"{one.ratio:.2f}",
                one.wanted,
                verdicts[one.met],
            )
        )
    return flags.align(rows)


def as_dict(measurement: Measurement) -> dict[str, Any]:
    """A measurement as a dict for JSON."""
    return {**measurement._asdict(), "met": measurement.met}


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
