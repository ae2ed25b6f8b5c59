"""`munchausen bench`: measures the speed and memory of each part, next to its limit."""

import csv
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from experiments import flags, output_files
from experiments.benchmarks import peer_environments, started_process
from experiments.benchmarks.measure import Measurement
from experiments.flags import OverrideError
from launch import surroundings
from launch.runs import provenance

Part = Literal[
    "learner",
    "dispatch",
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
_NEED_REVERB: frozenset[Part] = frozenset(
    ("learner", "runs", "storage", "start", "footprint", "scaling", "language")
)

HELP = """\
usage: munchausen bench [--seconds N] [--only PART,...] [--peers] [--output FILE]

Prints each figure next to its limit. Both are measured in turns, at least three of
each, so a busy machine changes the figures but hardly their ratios. All parts take 25
minutes.

  --seconds       how long to measure each figure; default 10
  --only          comma-separated parts to measure, out of the list below; default all,
                  and with --peers none
  --peers         compare whole runs with those of CleanRL, SBX, Stable-Baselines3 and
                  d3rlpy, which do the same work in turns with ours: DQN on Pong, TD3
                  and SAC on Hopper, TD3+BC from a dataset. The first time they are
                  installed from package registries, which takes some gigabytes; a line
                  names each that cannot be had or does not run, with the reason. They
                  compute on the CPU: if there is a GPU, set JAX_PLATFORMS=cpu for ours
  --peers_folder  where they are installed; default ~/.cache/munchausen/peers
  --output        a file for the figures, in addition to the table: .json, or .csv with
                  command, commit, machine and date in each row

Columns of the table: the figure, its limit, their ratio, the lowest and highest ratio
of a turn and the number of turns, and the cores that other processes used meanwhile. A
figure is marked "busy" if these were more than 0.2 cores.

Parts, as figure / limit:

  learner    learner steps/s from each store / the same update on one batch
  dispatch   updates/s of M-DQN and IQN on Pong with 1, 2 and 4 updates in a call, from
             a replay on the host and on the device / the same updates on one batch
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
        peers: whether to compare whole runs with those of other projects.
        peers_folder: has the environments of the other projects.
        output: a JSON or CSV file for the figures.
    """

    seconds: float = 10.0
    only: tuple[Part, ...] = PARTS
    peers: bool = False
    peers_folder: str = str(peer_environments.default_folder())
    output: str | None = None

    def __post_init__(self) -> None:
        if self.seconds <= 0:
            raise ValueError(f"must be more than 0, got {self.seconds:g}")
        if not self.only:
            raise ValueError(f"must have at least one of {', '.join(PARTS)}")
        if self.output is not None and _suffix(self.output) not in _WRITERS:
            raise ValueError(f"must end in .json or .csv, got {self.output}")


def main(arguments: Sequence[str]) -> int:
    """Measures the parts that a command line selects, and prints a table.

    Raises:
        OverrideError: a mistake on the command line.
        RunDirectoryError: the output cannot be written.
        BenchFailed: a measured run ended before it was stopped.
        RunStopped: a signal ended this process.
    """
    plain, values = flags.read(arguments, flags.fields(Options()))
    if plain:
        raise OverrideError(f"bench takes no arguments, got {plain[0]!r}")
    options = flags.replace(Options(), values, "--")
    if options.output is not None:
        output_files.check_writable(Path(options.output))

    circumstances = provenance.circumstances()
    load = [os.getloadavg()[0]]
    only = _measurable(options, named="only" in values)
    with started_process.ended_in_order():
        measured = list(_measure(options, only))
    load.append(os.getloadavg()[0])
    print(f"{circumstances['machine']}; load {load[0]:.1f} before, {load[1]:.1f} after")
    print("\n".join(table(measured)))
    if options.output is not None:
        circumstances |= {"seconds": options.seconds, "load": load}
        with output_files.draft(Path(options.output)) as file:
            _WRITERS[_suffix(options.output)](file, circumstances, measured)
        print(options.output)
    return 0


def _measurable(options: Options, *, named: bool) -> Sequence[Part]:
    """The parts to measure; without Reverb, those that need it are left out.

    Raises:
        OverrideError: a named part needs Reverb, which does not exist for this Python.
    """
    if options.peers and not named:
        return ()
    missing = [part for part in options.only if part in _NEED_REVERB]
    if not missing or sys.version_info[:2] == surroundings.DISTRIBUTED:
        return options.only
    found = ".".join(map(str, sys.version_info[:2]))
    need = f"Reverb, hence CPython 3.10; this is {found}"
    rest = [part for part in PARTS if part not in _NEED_REVERB]
    if named:
        raise OverrideError(
            f"--only {','.join(missing)} needs {need}; choose from {', '.join(rest)}"
        )
    print(f"left out: {', '.join(missing)}, which need {need}", file=sys.stderr)
    return rest


def _measure(options: Options, only: Sequence[Part]) -> Iterator[Measurement]:
    for part in PARTS:
        if part in only:
            print(f"measuring: {part}", file=sys.stderr, flush=True)
            yield from _measurers(options.seconds)[part]()
    if options.peers:
        from experiments.benchmarks import peers  # late, as below

        print("measuring: peers", file=sys.stderr, flush=True)
        yield from peers.compare(options.seconds, Path(options.peers_folder))


def _measurers(seconds: float) -> dict[Part, Callable[[], list[Measurement]]]:
    # Imported late: mistakes are reported before jax is imported.
    from experiments.benchmarks import (
        dispatch,
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
        "dispatch": lambda: [
            one
            for name in ("mdqn/pong", "iqn/pong")
            for one in dispatch.dispatch(EXPERIMENTS[name], seconds)
        ],
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
    titles = "figure", "value", "limit", "ratio", "of turns", "others", "wanted", ""
    rows: list[tuple[str, ...]] = [titles]
    verdicts = {True: "yes", False: "NO", None: ""}
    for one in measured:
        rows.append(
            (
                one.name,
                f"{_short(one.value)} {one.unit}".rstrip(),
                _short(one.limit),
                f"{one.ratio:.2f}",
                _spread(one),
                _others(one),
                one.wanted,
                verdicts[one.met],
            )
        )
    return flags.align(rows)


def _spread(one: Measurement) -> str:
    if one.lowest is None:
        return ""
    return f"{one.lowest:.2f}-{one.highest:.2f} of {one.turns}"


def _others(one: Measurement) -> str:
    if one.others is None:
        return ""
    return f"{one.others:.2f}" + " busy" * one.disturbed


def _suffix(path: str) -> str:
    return Path(path).suffix.lower()


def _write_json(
    path: Path, circumstances: dict[str, Any], measured: Sequence[Measurement]
) -> None:
    rows = [{**one._asdict(), "met": one.met} for one in measured]
    text = json.dumps({**circumstances, "measurements": rows}, indent=2)
    path.write_text(text + "\n")


def _write_csv(
    path: Path, circumstances: dict[str, Any], measured: Sequence[Measurement]
) -> None:
    of_all = [circumstances[name] for name in _OF_ALL]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["figure", *_OF_EACH, *_OF_ALL])
        for one in measured:
            values = (getattr(one, name) for name in _OF_EACH)
            numbers = (f"{x:.4g}" if isinstance(x, float) else x for x in values)
            writer.writerow([one.name, *numbers, *of_all])


_WRITERS = {".json": _write_json, ".csv": _write_csv}
# Columns of a CSV file: of each figure, and the same for all of them.
_OF_EACH = ("value", "unit", "limit", "ratio", "lowest", "highest", "turns", "others")
_OF_ALL = ("command", "code", "machine", "started")


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
