"""The command `munchausen`.

Errors of the user are one line on standard error and exit code 2. Imports are late, so
that help and mistakes are answered at once.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from experiments import flags
from experiments.flags import (
    OverrideError,
    _asks_help,
)
from experiments.verbs.evaluate import _evaluate
from launch import errors

USAGE = """\
usage: munchausen <verb> ...

  list [<word> ...]              experiments and figures whose names hold the words
  train <experiment> [...]       train an agent; --help after the experiment: all fields
  train <paper>/<figure> [...]   all variants and seeds of a figure, or go on with it;
                                 a computed figure: its rows and picture
  train --resume <run directory> go on with a run from its newest checkpoint
  evaluate <run directory> [...] play the policy that a run saved
  record <run directory> [...]   a video of that policy, with score and step
  collect <run directory> [...]  a dataset of what its policies do, to learn from
  report <run directory> ... [...]
                                 one page of curves and tables, for one run or many
  bench [...]                    how fast everything is, beside what it could be
  doctor                         check this machine, and say how to mend it"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in ("-h", "--help", "help"):
        print(USAGE)
        return 0
    before = signal.getsignal(signal.SIGINT)
    if arguments[:1] == ["train"]:
        signal.signal(signal.SIGINT, _end_at_once)
    try:
        return _answer(arguments)
    finally:
        if argv is not None:  # else the process is about to end
            signal.signal(signal.SIGINT, before)


def _end_at_once(number: int, frame: Any) -> None:
    """Ends the process while there is nothing to save.

    An exception would get lost in the libraries that are being imported, and the run
    would start nevertheless. Runs under way have handlers of their own.
    """
    os.write(sys.stderr.fileno(), b"munchausen: interrupted\n")
    os._exit(128 + number)


def _answer(arguments: Sequence[str]) -> int:
    from launch.errors import RunDirectoryError

    try:
        return _verb(arguments)(arguments[1:])
    except (OverrideError, RunDirectoryError) as error:
        print(f"munchausen: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("munchausen: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT


def _verb(arguments: Sequence[str]) -> Callable[[Sequence[str]], int]:
    if not arguments:
        raise OverrideError(f"name a verb: {', '.join(VERBS)}")
    if arguments[0] not in VERBS:
        closest = flags.nearest(arguments[0], VERBS)
        raise OverrideError(f"unknown verb {arguments[0]}; nearest: {closest}")
    return VERBS[arguments[0]]


def _list(arguments: Sequence[str]) -> int:
    from experiments.verbs import list_names

    if _asks_help(arguments):
        print(list_names.HELP)
        return 0
    return list_names.main(arguments)


def _train(arguments: Sequence[str]) -> int:
    from experiments.verbs import train_arguments, train_computed, train_resume

    resumes = train_resume.asked(arguments)
    computation = train_computed.asked(arguments)
    if _asks_help(arguments):
        if resumes:
            print(train_resume.HELP)
        elif computation is not None:
            print("\n".join(train_computed.help_lines(computation)))
        else:
            print("\n".join(train_arguments.help_lines(arguments)))
        return 0
    if computation is not None and not resumes:
        return train_computed.run(computation, arguments)
    from experiments.verbs import train

    plan = None if resumes else train_arguments.plan(arguments)
    try:
        return train_resume.run(arguments) if plan is None else train.run(plan)
    except errors.RunFailed as error:
        print(f"munchausen: {error}", file=sys.stderr)
        return 1
    except errors.RunStopped as error:
        print(f"munchausen: {error}", file=sys.stderr)
        return 128 + error.signal


def _record(arguments: Sequence[str]) -> int:
    from experiments.verbs import record

    if _asks_help(arguments):
        print(record.HELP)
        return 0
    return record.main(arguments)


def _collect(arguments: Sequence[str]) -> int:
    from experiments.verbs import collect

    if _asks_help(arguments):
        print(collect.HELP)
        return 0
    return collect.main(arguments)


def _report(arguments: Sequence[str]) -> int:
    from experiments.verbs import report

    if _asks_help(arguments):
        print(report.HELP)
        return 0
    return report.main(arguments)


def _bench(arguments: Sequence[str]) -> int:
    from experiments.benchmarks import measure
    from experiments.verbs import bench

    if _asks_help(arguments):
        print(bench.HELP)
        return 0
    try:
        return bench.main(arguments)
    except measure.BenchFailed as error:
        print(f"munchausen: {error}", file=sys.stderr)
        return 1


def _doctor(arguments: Sequence[str]) -> int:
    if _asks_help(arguments):
        print("usage: munchausen doctor")
        return 0
    plain, _ = flags.read(arguments, {})
    if plain:
        raise OverrideError(f"doctor takes no arguments: {plain[0]}")
    from experiments.verbs import doctor

    return doctor.main()


VERBS: dict[str, Callable[[Sequence[str]], int]] = {
    "list": _list,
    "train": _train,
    "evaluate": _evaluate,
    "record": _record,
    "collect": _collect,
    "report": _report,
    "bench": _bench,
    "doctor": _doctor,
}


if __name__ == "__main__":
    sys.exit(main())
