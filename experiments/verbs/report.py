"""`munchausen report`: shows the results of runs on one page or in one picture."""

import os
import sys
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments import flags, output_files
from experiments.flags import OverrideError
from launch.errors import RunDirectoryError
from launch.policies import zoo

if typing.TYPE_CHECKING:  # otherwise late: mistakes are reported before numpy loads
    from experiments.catalogue.suites import Suite
    from experiments.reporting.page import Wanted
    from experiments.reporting.read_runs import Reading

HELP = """\
usage: munchausen report RUN... [--suite NAME] [--baseline AGENT]
                               [--output FILE.html] [--picture FILE.png|svg]

Writes one self-contained page: curves, final returns, throughput, settings. Runs that
differ only in their seed are seeds of one agent; several agents are compared. RUN is a
run directory, or a folder with run directories at any depth below it. A run may still
be in progress. Runs that cannot be read or are not complete are named.

  --suite    aggregate over the tasks of a suite, such as atari-57: normalised scores,
             with intervals, profiles and improvements; missing tasks are named
  --baseline the agent that the suite's others are compared with; default dqn, or else
             the first one
  --output   file of the page; default report.html in the run directory, or
             ./report.html for several runs or if that directory is read-only
  --picture  file for the evaluation curves alone or, with --suite, for the suite's
             profiles and improvements; then a page needs --output"""

_PAGE = "report.html"
_LINES = 20  # on the terminal, about runs that are shown in part


@dataclass(frozen=True)
class Options:
    """Flags of `report`; its arguments are run directories.

    Attributes:
        output: file of the page.
        picture: file for the evaluation curves alone or, with a suite, for its
            profiles and improvements.
        suite: name of a suite to aggregate over.
        baseline: label of the agent that the suite's others are compared with.
    """

    output: str | None = None
    picture: str | None = None
    suite: str | None = None
    baseline: str | None = None

    def __post_init__(self) -> None:
        for path, suffixes in ((self.output, _PAGES), (self.picture, _PICTURES)):
            if path is not None and Path(path).suffix.lower() not in suffixes:
                raise ValueError(f"must end in {' or '.join(suffixes)}, got {path}")


_PAGES = (".html", ".htm")
_PICTURES = (".png", ".svg")


def main(arguments: Sequence[str]) -> int:
    """Writes the page, the picture or both; prints their paths.

    Raises:
        OverrideError: a mistake on the command line.
        RunDirectoryError: a run cannot be read, or the output cannot be written.
    """
    plain, values = flags.read(arguments, flags.fields(Options()))
    options = flags.replace(Options(), values, "--")
    if not plain:
        raise OverrideError("name a run directory, as `train` printed it")
    for name in plain:
        zoo.refuse(name, "report")
    suite = _suite(options)
    from experiments.reporting import read_runs

    reading = read_runs.read(plain)
    wanted = _destinations(options, reading)
    for path in wanted.values():
        output_files.check_writable(path)
    from experiments.reporting import page

    content = {}
    chosen = _sorted(reading, options, suite) if suite else None
    if "page" in wanted:
        content[wanted["page"]] = page.render(reading, chosen)
    if "picture" in wanted:
        path = wanted["picture"]
        content[path] = page.picture(reading, path.suffix[1:].lower(), chosen)
    _write(content)
    _name_what_lacks(reading, named_on_page="page" in wanted)
    for path in content:
        _print_path(path)
    return 0


def _suite(options: Options) -> "Suite | None":
    """The suite that the options name.

    Raises:
        OverrideError: there is none of that name, or a baseline without a suite.
    """
    if options.suite is None:
        if options.baseline is not None:
            raise OverrideError(
                f"--baseline {options.baseline} needs --suite, whose agents it compares"
            )
        return None
    from experiments.catalogue import suites

    return suites.look_up(options.suite)


def _sorted(reading: "Reading", options: Options, suite: "Suite") -> "Wanted":
    """The runs of a suite; prints a line for each task or seed that is missing."""
    from experiments.reporting import page, suite_runs

    groups = [group for members in reading.groups.values() for group in members]
    runs = suite_runs.sort(groups, str(options.suite), suite)
    _print_some(runs.missing, shortened=True)
    return page.Wanted(str(options.suite), suite, runs, options.baseline)


def _name_what_lacks(reading: "Reading", *, named_on_page: bool) -> None:
    """Prints a line for each run that the report lacks, in whole or in part.

    Args:
        reading: the runs.
        named_on_page: whether a page names them, too, so that of hundreds the first
            ones are enough here.
    """
    for sentence in reading.left_out:
        print(f"munchausen: left out: {sentence}", file=sys.stderr)
    for sentences in (reading.incomplete, reading.changed, reading.points):
        _print_some(sentences, shortened=named_on_page)


def _print_some(sentences: Sequence[str], *, shortened: bool) -> None:
    shown = sentences[:_LINES] if shortened else sentences
    for sentence in shown:
        print(f"munchausen: {sentence}", file=sys.stderr)
    if len(shown) < len(sentences):
        more = len(sentences) - len(shown)
        print(f"munchausen: and {more:,} more; see the page", file=sys.stderr)


def _print_path(path: Path) -> None:
    """Prints a path as it is, also where the terminal's encoding cannot show it."""
    try:
        print(path)
    except UnicodeEncodeError:
        sys.stdout.flush()
        sys.stdout.buffer.write(os.fsencode(path) + b"\n")


def _destinations(options: Options, reading: "Reading") -> dict[str, Path]:
    groups = [group for members in reading.groups.values() for group in members]
    runs = [run for group in groups for run in group.runs]
    found = {}
    if options.output is not None:
        found["page"] = Path(options.output)
    elif options.picture is None:
        one = len(runs) == 1 and os.access(runs[0].directory, os.W_OK | os.X_OK)
        found["page"] = runs[0].directory / _PAGE if one else Path(_PAGE)
    if options.picture is not None:
        found["picture"] = Path(options.picture)
    return found


def _write(content: dict[Path, bytes]) -> None:
    """Writes all files or none; replaces old files only by complete new ones."""
    drafts = {
        path: path.with_name(f".munchausen-{os.getpid()}{path.suffix}.draft")
        for path in content
    }
    try:
        for path, draft in drafts.items():
            draft.write_bytes(content[path])
        for path, draft in drafts.items():
            draft.replace(path)
    except OSError as error:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
        raise RunDirectoryError(f"cannot write {path}: {error.strerror}") from error
