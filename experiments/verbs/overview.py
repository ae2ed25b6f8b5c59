"""The overview that `munchausen list` prints: agents, environments and figures."""

import ast
import importlib.util
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path

import agents
from agents import Recipe
from experiments.catalogue import user_agents
from experiments.catalogue.suites import SUITES
from experiments.catalogue.tasks import TASKS
from experiments.names import COMPUTATIONS, FIGURES, GRIDS

WIDTH = 100
_INDENT = 24

_END = """\
train <agent>/<environment> starts an experiment; its agent must take the environment's
actions. `list <word> ...` prints a line for each name with these words; --all: each."""


def overview() -> str:
    """Agents and environments by family, and figures: what `train` takes."""
    users = {name: one.recipe for name, one in user_agents.known().items()}
    parts = [
        _agents("agents for discrete actions", _with(agents.REGISTRY, "discrete")),
        _agents("agents for continuous actions", _with(agents.REGISTRY, "continuous")),
        _agents(
            "agents that learn from datasets, for continuous actions",
            {name: one for name, one in agents.REGISTRY.items() if one.dataset},
        ),
        _agents(
            "agents for language, whose actions are completions",
            _with(agents.REGISTRY, "tokens"),
        ),
        _agents("agents of yours", users),
        _environments("environments with discrete actions", "discrete"),
        _environments("environments with continuous actions", "continuous"),
        _environments("environments of language: prompts to complete", "tokens"),
        _datasets(),
        _figures(
            "figures of papers and suites of environments: all variants and seeds, or "
            "the cells of a grid",
            [*FIGURES, *GRIDS],
            [("suite/*_<agent>", ", ".join(SUITES))],
        ),
        _figures("computed figures: no training", COMPUTATIONS),
    ]
    return "\n\n".join([*filter(None, parts), _END])


def _with(recipes: Mapping[str, Recipe], actions: str) -> dict[str, Recipe]:
    return {
        name: one
        for name, one in recipes.items()
        if one.actions == actions and one.dataset is None
    }


def _agents(title: str, recipes: Mapping[str, Recipe]) -> str:
    """A line for each paper: its agents, and as much of its title as fits."""
    papers: dict[str, list[str]] = {}
    for name, recipe in recipes.items():
        papers.setdefault(recipe.module, []).append(name)
    rows = []
    for module, names in papers.items():
        name = ", ".join(names)
        room = WIDTH - max(_INDENT, len(name) + 4)
        text = textwrap.shorten(first_line(module), room, placeholder=" ...")
        rows.append((name, text))
    return _table(title, rows)


def first_line(module: str) -> str:
    """The first line of a module's docstring; the module is not imported."""
    try:
        found = importlib.util.find_spec(module)
        tree = ast.parse(Path(found.origin or "").read_bytes()) if found else None
    except (ImportError, OSError, SyntaxError, ValueError) as error:
        return f"cannot be read: {' '.join(str(error).split())}"
    text = ast.get_docstring(tree) if tree else None
    return text.splitlines()[0] if text else ""


def _environments(title: str, actions: str) -> str:
    kinds: dict[str, list[str]] = {}
    for name, task in TASKS.items():
        if task.may_take(actions) and not task.dataset:
            # Each language task is a kind.
            kind = "Language" if actions == "tokens" else task.environment.kind
            kinds.setdefault(kind, []).append(name)
    return _table(title, [(kind, ", ".join(names)) for kind, names in kinds.items()])


def _datasets() -> str:
    """The tasks with datasets, one row for those that have the same qualities."""
    qualities: dict[str, list[str]] = {}
    for name, task in TASKS.items():
        if task.dataset:
            quality = task.dataset.rpartition("/")[2].rpartition("-v")[0]
            base = name.removesuffix(f"-{quality}")
            qualities.setdefault(base, []).append(quality)
    rows: dict[str, list[str]] = {}
    for base, found in qualities.items():
        rows.setdefault(", ".join(found), []).append(base)
    return _table(
        "environments with datasets: <environment>-<quality>",
        [(", ".join(bases), found) for found, bases in rows.items()],
    )


def _figures(
    title: str, names: Iterable[str], others: Iterable[tuple[str, str]] = ()
) -> str:
    """Figures by paper, one row for papers whose figures have the same names."""
    papers: dict[str, list[str]] = {}
    for name in names:
        papers.setdefault(name.split("/")[0], []).append(name.split("/")[1])
    rows: dict[str, list[str]] = {}
    for paper, found in papers.items():
        rows.setdefault(", ".join(found), []).append(f"{paper}/")
    alike = [(", ".join(each), found) for found, each in rows.items()]
    return _table(title, [*alike, *others])


def _table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """A title and indented rows; a text that is too long continues below its column.

    The text of a name that is too long for its column follows it where one line holds
    both.
    """
    lines = [title]
    for name, text in rows:
        if len(name) > _INDENT - 4:
            if len(line := f"  {name}  {text}") <= WIDTH:
                lines.append(line)
                continue
            lines.append(f"  {name}")
            name = ""
        lines += textwrap.wrap(
            text,
            WIDTH,
            initial_indent=f"  {name}".ljust(_INDENT),
            subsequent_indent=" " * _INDENT,
            break_on_hyphens=False,
        ) or [f"  {name}"]
    return "\n".join(lines) if len(lines) > 1 else ""
