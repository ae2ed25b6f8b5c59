"""The command `munchausen`: finds the verb's module, maps errors to exit codes.

A verb's module has `HELP`, a text or a function that makes a text from the arguments,
and `main(arguments)`, which returns the exit code. Only the named verb's module is
imported, and it imports libraries late, so help and error messages appear at once.

Exit codes: 1 if a run fails, 2 for a user's mistake, 128 + n after signal n. Every
error is one line on standard error.
"""

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from experiments import flags
from experiments.flags import OverrideError
from launch import errors, surroundings

# The module in `experiments.verbs` of each verb.
VERBS = {
    "list": "list_names",
    "train": "train",
    "evaluate": "evaluate",
    "record": "record",
    "collect": "collect",
    "report": "report",
    "bench": "bench",
    "doctor": "doctor",
}

# Verbs without JAX, which work on any machine.
LIGHT = {"list", "report", "doctor"}

USAGE = """\
usage: munchausen <verb> ...

  list [<word> ...]              list experiments and figures whose names have the words
  train <experiment> [...]       train an agent; --help after the experiment: all fields
  train <paper>/<figure> [...]   train or resume all variants and seeds of a figure;
                                 a computed figure: compute its rows and picture
  train --resume <run directory> resume a run from its newest checkpoint
  evaluate <run directory> [...] play a run's saved policy and print its mean return
  record <run directory> [...]   record a video of the saved policy, with score and step
  collect <run directory> [...]  write a dataset that a run's policies collect
  report <run directory> ... [...]
                                 write a page of curves and tables, for one run or many
  bench [...]                    measure speed and memory, next to their limits
  doctor                         check this machine and suggest fixes"""


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
    """Ends the process at once, before there is anything to save.

    An exception would get lost in the libraries that are being imported, and the run
    would start nevertheless. A run installs its own handlers when it starts.
    """
    os.write(sys.stderr.fileno(), b"munchausen: interrupted\n")
    os._exit(128 + number)


def _answer(arguments: Sequence[str]) -> int:
    try:
        surroundings.prepare()
        rest, asks_help = arguments[1:], flags.asks_help(arguments[1:])
        if not asks_help and not {*arguments[:1]} <= LIGHT:
            # Before the verb imports libraries. `train` asks for its devices itself.
            surroundings.check_process(devices=arguments[:1] != ["train"])
        verb = _verb(arguments)
        if asks_help:
            print(verb.HELP if isinstance(verb.HELP, str) else verb.HELP(rest))
            return 0
        return verb.main(rest)
    except (OverrideError, surroundings.Unfit, errors.RunDirectoryError) as error:
        return _fail(error, 2)
    except errors.RunFailed as error:
        return _fail(error, 1)
    except errors.RunStopped as error:
        return _fail(error, 128 + error.signal)
    except KeyboardInterrupt:
        return _fail("interrupted", 128 + signal.SIGINT)


def _fail(message: Exception | str, code: int) -> int:
    print(f"munchausen: {message}", file=sys.stderr)
    return code


def _verb(arguments: Sequence[str]) -> Any:
    """The module of the verb that a command line begins with."""
    if not arguments:
        raise OverrideError(f"name a verb, one of {', '.join(VERBS)}")
    if arguments[0] not in VERBS:
        closest = flags.nearest(arguments[0], VERBS)
        raise OverrideError(f"unknown verb {arguments[0]!r}; did you mean {closest!r}?")
    return importlib.import_module(f"experiments.verbs.{VERBS[arguments[0]]}")


if __name__ == "__main__":
    sys.exit(main())
