"""Runs local runs side by side: a process and a log for each, an ordered end.

Runs that share a machine get one thread each, so that their results do not depend on
their number; a run alone takes all cores, and rounds otherwise. XLA 0.6.2 makes NPROC
threads; it ignores `intra_op_parallelism_threads` and `--xla_cpu_multi_thread_eigen`.

Runs that differ in their seed only compile the same programs, and share them: a decoder
can take longer to compile than to learn.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import munchausen
from launch import errors
from launch.engines import process, signals
from launch.errors import RunFailed
from launch.runs import existing_runs, run_directory
from launch.runs.dashboards import WandbMode
from launch.runs.existing_runs import Entry, Finder
from launch.runs.progress import Overview
from launch.runs.provenance import kept_off_gpus

LOG = "run.log"
_POLL_SECONDS = 0.1
_TAIL_LINES = 12
_ONE_THREAD = {
    "NPROC": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
# Otherwise the first of several processes takes most of an accelerator's memory.
_SHARED = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}

_CACHE = "JAX_COMPILATION_CACHE_DIR"
_CACHED = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1"}

# Called with entry, directory and success of a run that has ended, or that another
# process has taken: success is then whether it is complete.
Ended = Callable[[Entry, Path, bool], object]


class Child:
    """A run and its process."""

    def __init__(
        self,
        entry: Entry,
        directory: Path,
        wandb: WandbMode,
        lock: IO[str],
        settings: Mapping[str, str],
        grace: float = 25.0,
    ):
        """Starts the process; its output goes to a log in the run directory.

        The process holds the run's lock, also after this one has closed it.

        Args:
            entry: the run.
            directory: of the run.
            wandb: whether Weights & Biases shows it.
            lock: of the run, see `launch.runs.lock.take`.
            settings: environment variables in addition to ours, see `_sharing`.
            grace: seconds that it has to save itself after a scheduler's notice.
        """
        self.entry = entry
        self.directory = directory
        self.log = directory / LOG
        command = munchausen.command(
            "launch.run",
            str(directory),
            f"--wandb={wandb}",
            f"--grace={grace}",
            f"--lock={lock.fileno()}",
        )
        with self.log.open("ab") as output:
            self._start = output.tell()
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **settings},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[lock.fileno()],
                # Ctrl+C reaches the launcher only, which then ends each run once.
                start_new_session=True,
                preexec_fn=process.dying_with(os.getpid()),
            )

    def lines(self) -> list[str]:
        """The last lines that the process has written to the log."""
        with self.log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self._start, end - 8_000))
            text = file.read().decode(errors="replace")
        return text.splitlines()[-_TAIL_LINES:]

    def progress(self) -> str:
        """Its newest line of progress."""
        title = self.entry._replace(label="").title  # the run does not know the label
        own = [line for line in self.lines() if line.startswith(title + "  ")]
        shown = own[-1].removeprefix(title) if own else "  starting"
        return self.entry.title + shown


def run(
    entries: Iterable[Entry],
    root: str,
    limit: int,
    wandb: WandbMode = "off",
    *,
    grace: float = 25.0,
    total: int | None = None,
    ended: Ended = lambda *_: None,
) -> dict[Entry, Path | None]:
    """Runs all entries in order, several at once; prints the directory of each.

    Args:
        entries: the runs; the next one is taken when there is room for it.
        root: of the run directories.
        limit: number of runs at once, see `at_once`.
        wandb: whether Weights & Biases shows them.
        grace: seconds that each has to save itself after a scheduler's notice.
        total: number of entries; None: their length.
        ended: see `Ended`; not called for runs that a signal ends.

    Returns:
        The directory of each.

    Raises:
        RunFailed: some runs failed; the others were run to their end.
        Interrupted: a signal came; all runs have saved themselves.
        RunDirectoryError: a run directory cannot be written.
    """
    if total is None:
        entries = list(entries)
        total = len(entries)
    source, finder, running = iter(entries), Finder(root), list[Child]()
    directories: dict[Entry, Path | None] = {}
    failed: list[str] = []
    with (
        signals.caught_signals(exit_at_second=False) as caught,
        _sharing(limit, total) as settings,
        contextlib.closing(Overview(total)) as overview,
    ):
        try:
            while not caught:
                while len(running) < limit and (entry := next(source, None)):
                    begun = _begin(entry, finder, wandb, settings, grace, ended)
                    directories[entry], started = begun
                    running += started
                if not running:
                    break
                time.sleep(_POLL_SECONDS)
                failed += _take_out_ended(running, ended)
                waiting = max(total - len(directories), 0)
                overview.update([each.progress for each in running], waiting)
        finally:
            _end(running, caught)
    if caught:
        raise errors.Interrupted(caught[0])
    if failed:
        raise RunFailed(f"{len(failed)} of {total} runs failed: {', '.join(failed)}")
    return directories


def _take_out_ended(running: list[Child], ended: Ended) -> list[str]:
    """Removes the runs that have ended from the list; titles of those that failed."""
    failed = []
    for child in [each for each in running if each.process.poll() is not None]:
        running.remove(child)
        succeeded = child.process.returncode == 0
        if not succeeded:
            failed.append(child.entry.title)
            print(_epitaph(child), file=sys.stderr, flush=True)
        ended(child.entry, child.directory, succeeded)
    return failed


@contextlib.contextmanager
def _sharing(limit: int, total: int) -> Iterator[Mapping[str, str]]:
    """Environment variables by which runs share the machine, and what XLA compiles.

    A user's own cache of compiled programs, `JAX_COMPILATION_CACHE_DIR`, stays in use.

    Args:
        limit: number of runs at once.
        total: number of all runs.
    """
    machine = {} if limit == 1 else _ONE_THREAD | _SHARED
    folder = None
    if total > 1 and _CACHE not in os.environ:
        with contextlib.suppress(OSError):  # no room: then each compiles for itself
            folder = tempfile.TemporaryDirectory(
                prefix="munchausen-compiled-", ignore_cleanup_errors=True
            )
    if folder is None:
        yield machine
        return
    with folder as place:
        yield {**machine, _CACHE: place, **_CACHED}


def _begin(
    entry: Entry,
    finder: Finder,
    wandb: WandbMode,
    settings: Mapping[str, str],
    grace: float,
    ended: Ended,
) -> tuple[Path, list[Child]]:
    """Starts a run, unless another process runs it or has completed it.

    Returns:
        Its directory, and its process if it was started.
    """
    with existing_runs.taken(finder, entry) as taken:
        now, directory, file = taken
        print(taken, flush=True)
        if file is None:
            ended(entry, directory, now.state == "complete")
            return directory, []
        if now.state == "cut short":
            run_directory.record_resume(directory, now.experiment)
        return directory, [Child(now, directory, wandb, file, settings, grace)]


def at_once(parallel: int | None, runs: int) -> int:
    """Number of local runs that share this machine at once.

    Args:
        parallel: number that the user wants; None: `default_parallel`.
        runs: number of all runs.
    """
    return min(parallel or default_parallel(), runs)


def default_parallel(
    environment: Mapping[str, str] = os.environ, devices: Path = Path("/dev")
) -> int:
    """Default number of runs at once: one per core, or one if JAX has an accelerator.

    JAX is not asked: it would claim the accelerator for this process. An NVIDIA GPU
    or a TPU counts if its device file is there and JAX may use it.
    """
    cores = len(os.sched_getaffinity(0))
    if environment.get("JAX_PLATFORMS") == "cpu":
        return cores
    gpus = any(devices.glob("nvidia[0-9]*")) and not kept_off_gpus(environment)
    return 1 if gpus or any(devices.glob("accel[0-9]*")) else cores


def _epitaph(child: Child) -> str:
    code = child.process.returncode
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    lines = "\n".join(f"  {line}" for line in child.lines())
    title = child.entry.title
    return f"{title} failed ({how}); its last lines, from {child.log}:\n{lines}"


def _end(running: Sequence[Child], caught: signals.Caught) -> None:
    """Asks every run to save itself and end; a second Ctrl+C kills them all."""
    if caught.noticed is None:
        _tell(running, signal.SIGINT)
    told = False
    while any(child.process.poll() is None for child in running):
        if caught.noticed is not None and not told:
            told = True
            _tell(running, signal.SIGTERM)
        if len(caught) > 1:
            for child in running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.process.pid, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)


def _tell(running: Sequence[Child], number: int) -> None:
    for child in running:
        child.process.send_signal(number)
