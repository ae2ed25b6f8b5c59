"""`munchausen bench`: how fast and how large everything is, next to its limit."""

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
]
PARTS: tuple[Part, ...] = get_args(Part)

HELP = f"""\
usage: munchausen bench [--seconds N] [--only PART,...] [--output FILE.json]

Each figure stands beside its limit, measured in the same run, so that a busy machine
changes the figures but hardly their ratios. All of it takes about eight minutes.

  --seconds  that each figure is measured for; 10
  --only     of {", ".join(PARTS)}
  --output   a file for the figures, beside the table

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
  imports    modules that commands import"""


@dataclass(frozen=True)
class Options:
    """What `bench` takes.

    Attributes:
        seconds: that each figure is measured for.
        only: parts to measure.
        output: a file for the figures.
    """

    seconds: float = 10.0
    only: tuple[Part, ...] = PARTS
    output: str | None = None

    def __post_init__(self) -> None:
        if self.seconds <= 0:
            raise ValueError(f"{self.seconds:g} seconds: more than 0")
        if not self.only:
            raise ValueError(f"no part: some of {', '.join(PARTS)}")
        if self.output is not None and Path(self.output).suffix != ".json":
            raise ValueError(f"{self.output} does not end in .json")


def main(arguments: Sequence[str]) -> int:
    """Measures what a command line asks for, and prints it.

    Raises:
        OverrideError: a mistake on the command line.
        RunDirectoryError: the output cannot be written.
        BenchFailed: a run that was to be measured ended by itself.
    """
    plain, values = flags.read(arguments, flags.fields(Options()))
    if plain:
        raise OverrideError(f"bench takes no arguments: {plain[0]}")
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
    # Imported late: mistakes are answered before jax is there.
    from experiments.benchmarks import offline, parts, whole_local_runs, whole_runs
    from experiments.catalogue.experiments import EXPERIMENTS
    from launch import run

    run.settle()  # as in the runs that parts are compared with
    pong = EXPERIMENTS["dqn/pong"]
    return {
        "learner": lambda: parts.learner(pong, seconds),
        "actor": lambda: parts.actor(pong, seconds / 2),
        "runs": lambda: whole_runs.runs(seconds),
        "minatar": lambda: whole_local_runs.minatar(seconds),
        "locomotion": lambda: whole_local_runs.locomotion(seconds),
        "offline": lambda: offline.offline(seconds),
        "storage": lambda: parts.storage(pong),
        "start": whole_runs.start,
        "footprint": lambda: whole_runs.footprint(seconds),
        "imports": whole_runs.imports,
    }


def table(measured: Sequence[Measurement]) -> list[str]:
    """Lines with a figure each, next to its limit."""
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
    """A measurement as JSON has it."""
    return {**measurement._asdict(), "met": measurement.met}


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
