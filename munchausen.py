"""The door of this project: the command `munchausen`, and each process that it starts.

Our packages have common names. A process that enters here imports them from the folder
of this file, whatever else `sys.path` holds, and finds the user's modules in the
working directory, which comes last. `python munchausen.py -m MODULE ...` runs a module
in this way. Importing this file changes nothing: `load_policy` and `take_names` do.
"""

import io
import os
import runpy
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import util
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
PACKAGES = ("agents", "environments", "launch", "experiments")


class _OurNames:
    """Finds our packages in `ROOT` before anything else is asked."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> ModuleSpec | None:
        """The place of a package of ours; None for every other module."""
        if name not in (*PACKAGES, "munchausen"):
            return None
        return PathFinder.find_spec(name, [str(ROOT)], target)


def take_names() -> None:
    """Makes this process import our packages, also where others have their names.

    Raises:
        ImportError: the process has already imported another package of such a name.
    """
    if _OurNames not in sys.meta_path:
        sys.meta_path.insert(0, _OurNames)
    refuse_others()


def refuse_others() -> None:
    """Refuses packages of others that have our names and would be imported instead.

    Raises:
        ImportError: the message names the package and its place.
    """
    for name in PACKAGES:
        place = _place(name)
        if place is not None and place.parent.resolve() != ROOT:
            raise ImportError(
                f"munchausen needs its own package {name!r}, but Python imports the "
                f"one in {place}: rename that one, remove its folder from PYTHONPATH, "
                "or call munchausen.take_names() before anything imports it"
            )


def _place(name: str) -> Path | None:
    """The folder or file from which Python imports a package; None: from nowhere."""
    module = sys.modules.get(name)
    spec = util.find_spec(name) if module is None else getattr(module, "__spec__", None)
    if spec is None:
        file = getattr(module, "__file__", None)
        return None if file is None else Path(file)
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return None if spec.origin is None else Path(spec.origin)


def load_policy(directory: str | Path, seed: int = 0) -> Callable[[Any], Any]:
    """Loads a run's policy; see `launch.policies.saved_policy.load_policy`.

    Raises:
        ImportError: the process has already imported another package of our names.
        RunDirectoryError: not a run, or a run without a checkpoint.
    """
    take_names()
    from launch.policies import saved_policy

    return saved_policy.load_policy(directory, seed)


def command(module: str, *arguments: str) -> list[str]:
    """The command line of a child process that runs a module with our packages."""
    return [sys.executable, str(ROOT / "munchausen.py"), "-m", module, *arguments]


def main() -> int:
    """Runs the command line of this process; returns the exit code."""
    return _entered(_run_command)


def _run_command() -> int:
    from experiments import cli

    return cli.main()


def _run_module() -> int:
    """Runs the module that `-m` names, which takes the arguments after it."""
    # Until the module has a handler, Ctrl+C ends the process: an exception would get
    # lost in the libraries that are being imported.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _, _, module, *arguments = sys.argv
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


def _entered(run: Callable[[], int]) -> int:
    try:
        _enter()
    except (ImportError, FileNotFoundError) as error:
        print(f"munchausen: {error}", file=sys.stderr)
        return 2
    return run()


def _enter() -> None:
    """Prepares names, paths and streams of this process.

    Raises:
        ImportError: another package has the name of ours.
        FileNotFoundError: the working directory no longer exists.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A character that the terminal's encoding lacks is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    take_names()
    try:
        here = os.getcwd()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            "the working directory no longer exists; change to one that does"
        ) from error
    if here not in sys.path:
        sys.path.append(here)


if __name__ == "__mp_main__":  # imported by a process of multiprocessing
    take_names()
if __name__ == "__main__":
    del sys.path[:1]  # the folder of this file, or with -m the working directory
    sys.exit(_entered(_run_module if sys.argv[1:2] == ["-m"] else _run_command))
