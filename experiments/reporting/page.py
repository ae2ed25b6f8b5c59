"""Renders the report as one HTML page, or its evaluation curves as one picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jinja2
import numpy as np
from markupsafe import Markup

from experiments.reporting import (
    formats,
    plain_text,
    plots,
    sections,
    setting_differences,
    statistics,
    style,
)
from experiments.reporting.plots import Look
from experiments.reporting.read_run import Run
from experiments.reporting.read_runs import Group, Reading

if TYPE_CHECKING:  # otherwise late: only suites need the catalogue, hence JAX
    from experiments.catalogue.suites import Suite
    from experiments.reporting.suite_runs import SuiteRuns

_TEMPLATE = "report.html.j2"


class Wanted(NamedTuple):
    """A suite over whose tasks the page aggregates.

    Attributes:
        name: of the suite.
        suite: its tasks.
        runs: of its tasks.
        baseline: label of the agent that the others are compared with; None: `dqn`.
    """

    name: str
    suite: "Suite"
    runs: "SuiteRuns"
    baseline: str | None = None


def render(reading: Reading, wanted: Wanted | None = None) -> bytes:
    """Returns the HTML page, which needs no other file, no server and no network.

    It is UTF-8 on every machine; what UTF-8 cannot hold, such as a command with a file
    name that is not text, is shown as escapes.

    Args:
        reading: the runs.
        wanted: a suite; None: the page has no section on one.

    Raises:
        OverrideError: no agent has the label of the suite's baseline.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "number": formats.number,
        "interval": formats.interval,
        "plural": formats.plural,
        "inline": Markup,  # for SVG made by plots.py
    }
    text = environment.get_template(_TEMPLATE).render(_context(reading, wanted))
    return text.encode("utf-8", errors="backslashreplace")


def picture(reading: Reading, format_: str, wanted: Wanted | None = None) -> bytes:
    """Returns the bytes of a PNG or SVG file.

    It has the evaluation curves, or a suite's profiles and improvements.

    Raises:
        OverrideError: no agent has the label of the suite's baseline.
        RunDirectoryError: the suite's runs give neither profiles nor improvements.
    """
    if wanted is not None:
        from experiments.reporting import suite_section

        looks = _looks(reading, wanted.runs.labels)
        return suite_section.picture(wanted.runs, wanted.baseline, looks, format_)
    panels = {
        (title, statistics.axis(groups[0])): {
            group.label: statistics.evaluation_curve(group.runs) for group in groups
        }
        for title, groups in reading.groups.items()
    }
    return plots.picture(panels, _looks(reading), format_)


def _notes(reading: Reading) -> list[tuple[str, str, list[str]]]:
    """The notes of the page: a heading, the noun that is counted, the sentences."""
    return [
        ("Left out", "path", reading.left_out),
        ("Incomplete", "run", reading.incomplete),
        ("Changed settings", "resumption", reading.changed),
        ("Without some points", "run", reading.points),
    ]


def _looks(reading: Reading, others: Sequence[str] = ()) -> dict[str, Look]:
    return plots.looks([*(group.label for _, group in _members(reading)), *others])


def _members(reading: Reading) -> list[tuple[str, Group]]:
    """All groups, each with the title of its environment."""
    return [
        (title, group) for title, groups in reading.groups.items() for group in groups
    ]


def _context(reading: Reading, wanted: Wanted | None) -> dict[str, Any]:
    looks = _looks(reading, wanted.runs.labels if wanted else ())
    groups = [group for _, group in _members(reading)]
    runs = [run for group in groups for run in group.runs]
    counts = (
        (len(_looks(reading)), "agent"),
        (len(reading.groups), "environment"),
        (len(runs), "run"),
    )
    return {
        "title": _title(runs),
        "summary": " · ".join(formats.plural(*pair) for pair in counts),
        "tiles": _tiles(groups[0]) if len(groups) == 1 else [],
        "looks": looks,
        "palette": style.PALETTE,
        "suite": _suite(wanted, looks) if wanted else None,
        "sections": [
            sections.section(index, title, members, looks)
            for index, (title, members) in enumerate(reading.groups.items())
        ],
        "notes": _notes(reading),
        "settings": _settings(reading),
        "versions": _versions(runs),
        "runs": [_run(group.label, run) for group in groups for run in group.runs],
        "events": [
            row for group in groups for run in group.runs for row in _events(group, run)
        ],
        "roles": [
            row for group in groups for run in group.runs for row in _roles(group, run)
        ],
        "commands": [
            (group.label, str(start.get("command", "")))
            for group in groups
            for start in group.runs[0].starts
        ],
    }


def _suite(wanted: Wanted, looks: Mapping[str, Look]) -> dict[str, Any]:
    from experiments.reporting import suite_section

    return suite_section.section(*wanted, looks)


def _title(runs: Sequence[Run]) -> str:
    names = list(dict.fromkeys(run.experiment["name"] for run in runs))
    title = ", ".join(names) if len(names) <= 4 else f"{len(names)} experiments"
    return f"{title}, seed {runs[0].experiment['seed']}" if len(runs) == 1 else title


def _tiles(group: Group) -> list[tuple[str, str, str]]:
    """The headline numbers of a report on one agent: value, name and footnote."""
    runs = group.runs
    final = statistics.final_estimate(runs)
    complete = statistics.complete(runs)
    wanted = runs[0].experiment["steps"]
    counted = runs[0].counted
    over = sections.finals_note(runs)
    if not complete:
        over += f", at step {sections.step(runs)}"
    rates = [statistics.mean_rate(run, f"{counted}_steps") for run in runs]
    known = [rate for rate in rates if rate is not None]
    rate = formats.number(float(np.mean(known)) if known else None)
    seconds, of_which = sections.wall_time(runs)
    ends = sorted({min(run.clock for run in runs), max(run.clock for run in runs)})
    reached = " to ".join(dict.fromkeys(map(formats.steps, ends)))
    share = "" if ends[0] >= wanted else f"of {formats.steps(wanted)}"
    return [
        (
            formats.number(final.mean),
            "final return" if complete else "latest return",
            over,
        ),
        (reached if share else formats.steps(ends[-1]), f"{counted} steps", share),
        (rate, f"{counted} steps per second", ""),
        (formats.duration(seconds), "wall time", of_which),
    ]


def _settings(reading: Reading) -> dict[str, Any]:
    """Splits the settings into fields that all agents share and fields that differ."""
    members = _members(reading)
    flat = [group.settings for _, group in members]
    differing = setting_differences.differences(flat)
    single = len(reading.groups) == 1
    return {
        "shared": [pair for pair in flat[0].items() if pair[0] not in differing],
        "heads": [
            group.label if single else f"{group.label} on {title}"
            for title, group in members
        ],
        "differing": list(differing.items()),
    }


def _versions(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """Each library, and our code, with the versions that the runs used."""
    found: dict[str, dict[str, None]] = {}
    for start in (start for run in runs for start in run.starts):
        stack = {"code": start.get("code"), **start.get("versions", {})}
        for name, version in stack.items():
            found.setdefault(name, {})[str(version or "unknown")[:12]] = None
    return [(name, list(versions)) for name, versions in found.items()]


def _events(group: Group, run: Run) -> list[tuple[str, ...]]:
    """Rows about roles of a run that died."""
    return [
        (
            group.label,
            str(run.experiment["seed"]),
            f"{event['steps']:,}",
            event["role"],
            event["host"],
            event["how"],
            "started again" if event["event"] == "restart" else "not started again",
            plain_text.one_line(event["line"]),
        )
        for event in run.deaths
    ]


def _roles(group: Group, run: Run) -> list[tuple[str, ...]]:
    """Rows about the roles of a run on a cluster."""
    return [
        (
            group.label,
            str(run.experiment["seed"]),
            row.role,
            row.host or "waits for a place",
            str(row.pid),
            str(row.restarts),
            f"{row.steps_per_second:,.0f}" if row.steps_per_second else "",
        )
        for row in run.roles
    ]


def _run(label: str, run: Run) -> tuple[str, ...]:
    steps, wanted = run.clock, run.experiment["steps"]
    state = "complete"
    if not run.complete:
        state = f"{'running' if run.running else 'ended early'}, {steps / wanted:.0%}"
    return (
        label,
        str(run.experiment["seed"]),
        state,
        f"{steps:,} of {wanted:,}",
        formats.number(run.evaluations[-1].mean_return),
        formats.duration(run.wall_time),
        str(run.config.get("started", ""))[:16].replace("T", " "),
        plain_text.one_line(run.directory),
    )
