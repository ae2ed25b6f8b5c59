"""The command `munchausen`: finds the verb's module, maps errors to exit codes.

A verb's module has `HELP`, a text or a function that makes a text from the arguments,
and `main(arguments)`, which returns the exit code. Only the named verb's module is
imported, and it imports libraries late, so help and error messages appear at once.

Exit codes: 1 if a run fails, 2 for a user's mistake, 128 + n after signal n. If it is
a scheduler's notice (SIGTERM, SIGUSR1, SIGUSR2), `train` and `sweep` end with 75, which
means "start me again". Every error is one line on standard error. If nothing accepts
standard output any more, the command continues without it and ends with its usual code;
commands that do nothing but print end with the code of SIGPIPE, or with 1 if the disk
is full.
"""

import contextlib
import errno
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from experiments import flags
from experiments.flags import OverrideError
from launch import errors, output, surroundings

# The module in `experiments.verbs` of each verb.
VERBS = {
    "list": "list_names",
    "train": "train",
    "sweep": "sweep",
    "evaluate": "evaluate",
    "record": "record",
    "collect": "collect",
    "merge": "merge",
    "report": "report",
    "bench": "bench",
    "doctor": "doctor",
    "check-agent": "check_agent",
    "cluster": "cluster",
}
# Verbs whose only result is what they print.
PRINTING = ("list", "evaluate", "doctor", "cluster")

# Verbs without JAX, which work on any machine.
LIGHT = {"list", "report", "doctor", "cluster"}

USAGE = """\
usage: munchausen <verb> ...

  list [<word> ...]              print an overview; with words: all names that have them
  train <experiment> [...]       train an agent; --help after the experiment: all fields
  train <paper>/<figure> [...]   train or resume all variants and seeds of a figure;
                                 a computed figure: compute its rows and picture
  train suite/<suite>_<agent> [...]
                                 train or resume an agent on all tasks of a suite
  train --resume <run directory> resume a run from its newest checkpoint
  sweep <experiment> [...]       train each combination of several values of some fields
  evaluate <run directory> [...] play a run's saved policy and print its mean return
  record <run directory> [...]   record a video of the saved policy, with score and step
  collect <run directory> [...]  write a dataset that a run's policies collect
  merge <run directory> ... --output <directory> [...]
                                 merge language policies, or export one
  report <run directory> ... [...]
                                 write a page of curves and tables, for one run or many
  bench [...]                    measure speed and memory, next to their limits
  doctor                         check this machine and suggest fixes
  check-agent <agent>            check an agent, ours or yours, against its contract
  cluster slurm|k8s|ssh [...] -- train <experiment> [...]
                                 print a script that runs it on several machines
  cluster firewall [...]         print rules for the firewall of these machines

  munchausen <verb> --help explains a verb; munchausen --version prints versions"""

_HELP = ("-h", "--help", "help")
_ENDING = (signal.SIGINT, *errors.NOTICES)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line; returns the exit code."""
    if argv is None:
        output.guard()
        code = _printed(sys.argv[1:], _run(sys.argv[1:]))
        if code == errors.START_AGAIN:
            _leave(code)
        return code
    before = {number: signal.getsignal(number) for number in _ENDING}
    try:
        return _run(argv)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(arguments: Sequence[str]) -> int:
    if arguments[:1] and arguments[0] in _HELP:
        arguments = [*arguments[1:], "--help"]
    if arguments[:1] == ["--version"]:
        print(_versions())
        return 0
    if list(arguments) in (["--help"], ["-h"]):
        print(USAGE)
        return 0
    if list(arguments[:1]) in (["train"], ["sweep"]):
        for number in _ENDING:
            signal.signal(number, _end_at_once)
    return _answer(arguments)


def _printed(arguments: Sequence[str], code: int) -> int:
    """The exit code of a command; it failed if it only prints, and could not print."""
    with contextlib.suppress(ValueError):  # a library has closed the stream
        sys.stdout.flush()
    if code or sys.stdout.fileno() not in output.lost:
        return code
    works = arguments[0] in VERBS and arguments[0] not in PRINTING
    if works and not flags.asks_help(arguments[1:]):
        return code
    error = output.lost[sys.stdout.fileno()]
    if error.errno == errno.EPIPE:
        return 128 + signal.SIGPIPE
    return _fail(f"cannot write to standard output: {str(error.strerror).lower()}", 1)


def _leave(code: int) -> None:
    """Ends the process without an ordinary exit, for which there is no time.

    A server of Reverb that is a thread waits ten seconds for its clients.
    """
    with contextlib.suppress(ValueError):  # a library has closed the stream
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _end_at_once(number: int, frame: Any) -> None:
    """Ends the process at once, before there is anything to save.

    An exception would get lost in the libraries that are being imported, and the run
    would start nevertheless. A run installs its own handlers when it starts.
    """
    name = signal.Signals(number).name.encode()
    said = b"interrupted" if number == signal.SIGINT else b"stopped by " + name
    output.write(2, b"munchausen: " + said + b"\n")
    os._exit(errors.exit_code(number))


def _answer(arguments: Sequence[str]) -> int:
    try:
        return _perform(arguments)
    except KeyboardInterrupt:
        return _fail("interrupted", 128 + signal.SIGINT)
    except Exception as error:
        code = _exit_code(error)
        if code is None:
            raise
        return _fail(error, code)


def _perform(arguments: Sequence[str]) -> int:
    surroundings.prepare()
    rest, asks_help = arguments[1:], flags.asks_help(arguments[1:])
    if not asks_help and arguments[:1] == ["train"]:
        from experiments.verbs import train_isolated  # before a library makes threads

        train_isolated.begin(rest)
    if not asks_help and not {*arguments[:1]} <= LIGHT:
        # Before the verb imports libraries. `train` asks for its devices itself.
        surroundings.check_process(devices=arguments[:1] != ["train"])
    verb = _verb(arguments)
    if asks_help:
        print(verb.HELP if isinstance(verb.HELP, str) else verb.HELP(rest))
        return 0
    return verb.main(rest)


def _exit_code(error: Exception) -> int | None:
    """The exit code of an error that one line explains; None: it is a fault of ours."""
    if isinstance(error, OverrideError | surroundings.Unfit | errors.RunDirectoryError):
        return 2
    if isinstance(error, errors.RunStopped):
        return error.exit_code
    if isinstance(error, errors.RunFailed | errors.NotFinite):
        return 1
    if isinstance(error, ValueError):
        from environments.checks import EnvironmentFailed  # late: imports dm_env

        return 1 if isinstance(error, EnvironmentFailed) else None
    return None


def _versions() -> str:
    """Versions of this program, its Python and its JAX, and its commit if known."""
    from launch.runs import provenance

    found = provenance.versions()
    code = provenance.code_version()
    lines = [f"munchausen {found['munchausen'] or 'not installed'}"]
    lines += [f"commit {code}"] if code else []
    return "\n".join([*lines, f"python {found['python']}", f"jax {found['jax']}"])


def _fail(message: Exception | str, code: int) -> int:
    print(f"munchausen: {message}", file=sys.stderr)
    return code


def _verb(arguments: Sequence[str]) -> Any:
    """The module of the verb that a command line begins with."""
    if not arguments:
        raise OverrideError(f"name a verb, one of {', '.join(VERBS)}")
    if arguments[0] not in VERBS:
        hint = flags.did_you_mean(arguments[0], VERBS, f"one of {', '.join(VERBS)}")
        raise OverrideError(f"unknown verb {arguments[0]!r}{hint}")
    return importlib.import_module(f"experiments.verbs.{VERBS[arguments[0]]}")


if __name__ == "__main__":
    sys.exit(main())
