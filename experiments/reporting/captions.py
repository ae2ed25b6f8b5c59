"""Sentences that say which runs a figure or a number includes, and how far they go."""

from collections.abc import Iterable, Mapping, Sequence

from experiments.reporting import formats, statistics
from experiments.reporting.read_run import Run
from experiments.reporting.read_runs import Group
from experiments.reporting.statistics import Curve

_AGENTS = 8  # of which a caption tells how far their seeds go


def part(count: int, runs: int) -> str:
    """`3 seeds`, or `2 of 3 seeds`."""
    whole = formats.plural(runs, "seed")
    return whole if count == runs else f"{count:,} of {whole}"


def selections(group: Group) -> list[tuple[list[Run], str]]:
    """The runs of each row about an agent's final numbers, and the row's name.

    First all runs; then the complete ones, if only some are complete.
    """
    whole = [run for run in group.runs if run.complete]
    found = [(group.runs, group.label)]
    if 0 < len(whole) < len(group.runs):
        found.append((whole, f"{group.label}, complete runs only"))
    return found


def lines(groups: Sequence[Group], curves: Iterable[Curve]) -> str:
    """What the lines and bands of a figure are."""
    if all(len(group.runs) == 1 for group in groups):
        return "One seed, so no band."
    text = "Line: mean over seeds; band: lowest to highest seed."
    if any(curve.apart for curve in curves):
        text += " Thin dashed lines: single seeds where not all seeds have a value."
    return text


def deaths(groups: Sequence[Group]) -> list[str]:
    """What the triangles of a figure are, if it has any."""
    count = sum(len(run.deaths) for group in groups for run in group.runs)
    if not count:
        return []
    return [f"Triangles: {formats.plural(count, 'role')} died at these steps."]


def ends(groups: Sequence[Group]) -> list[str]:
    """Which seeds begin later or end earlier than others, or than their experiment."""
    found = []
    for group in groups:
        spans = {
            run.experiment["seed"]: (run.evaluations[0].grid, run.evaluations[-1].grid)
            for run in group.runs
        }
        early = [run.experiment["seed"] for run in group.runs if not run.complete]
        steps = group.runs[0].experiment["steps"]
        found.append((group.label, uneven(spans, steps, early)))
    return _by_agent(found)


def gaps(groups: Sequence[Group]) -> list[str]:
    """Which seeds lack evaluations at steps at which other seeds have them."""
    found = []
    for group in groups:
        grids = {
            run.experiment["seed"]: {row.grid for row in run.evaluations}
            for run in group.runs
        }
        points = set[int]().union(*grids.values())
        lacking = [
            seed
            for seed, own in sorted(grids.items())
            if any(min(own) < point < max(own) for point in points - own)
        ]
        verb = "lacks" if len(lacking) == 1 else "lack"
        text = (
            f"{_seeds(lacking)} {verb} evaluations that others have" if lacking else ""
        )
        found.append(
            (group.label, f"{text}; the line between is straight" * bool(text))
        )
    return _by_agent(found)


def without_episodes(groups: Sequence[Group]) -> list[str]:
    """Which seeds have no training episode, so that a training curve lacks them."""
    found = []
    for group in groups:
        absent = [
            run.experiment["seed"]
            for run in group.runs
            if statistics.training_average(run.metrics) is None
        ]
        verb = "has" if len(absent) == 1 else "have"
        sentence = f"{_seeds(absent)} {verb} no training episode" if absent else ""
        found.append((group.label, sentence))
    return _by_agent(found)


def uneven(
    spans: Mapping[int, tuple[int, int]], steps: int, incomplete: Iterable[int] = ()
) -> str:
    """`seed 2 ends at 40,000 of 100,000 steps`; empty if all seeds go equally far.

    Args:
        spans: first and last step of each seed.
        steps: of the experiment.
        incomplete: seeds of which the end is told in any case.
    """
    first = min(begin for begin, _ in spans.values())
    last = max(end for _, end in spans.values())
    told = set(incomplete)
    late: dict[int, list[int]] = {}
    early: dict[int, list[int]] = {}
    for seed, (begin, end) in sorted(spans.items()):
        if begin > first:
            late.setdefault(begin, []).append(seed)
        if end < last or seed in told:
            early.setdefault(end, []).append(seed)
    sentences = [
        f"{_seeds(seeds)} begin{_s(seeds)} at {begin:,}"
        for begin, seeds in sorted(late.items())
    ] + [
        f"{_seeds(seeds)} end{_s(seeds)} at {end:,} of {steps:,} steps"
        for end, seeds in sorted(early.items())
    ]
    return "; ".join(sentences)


def _by_agent(found: Sequence[tuple[str, str]]) -> list[str]:
    """One sentence for each agent with something to say, with its label if several."""
    told = [
        f"{label}: {text}." if len(found) > 1 else f"{text[0].upper()}{text[1:]}."
        for label, text in found
        if text
    ]
    if len(told) > _AGENTS:
        more = formats.plural(len(told) - _AGENTS, "more agent")
        told[_AGENTS:] = [f"The table of runs tells it of {more}."]
    return told


def _seeds(seeds: Sequence[int]) -> str:
    noun = "seed" if len(seeds) == 1 else "seeds"
    return f"{noun} {formats.enumeration([str(seed) for seed in seeds])}"


def _s(seeds: Sequence[int]) -> str:
    return "s" if len(seeds) == 1 else ""
