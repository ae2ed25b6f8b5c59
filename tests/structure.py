"""Measures the complexity of the code's structure, and compares it with goals.

`python -m tests.structure [-v] [--static]` prints a line for each number, and ends with
exit code 1 if a goal is missed. -v lists the counted items; --static starts no runs,
which take half a minute. This module names only the packages, the command lines below
and the words of `tests.traced_run.PURPOSES`, so that files can move.
"""

import argparse
import ast
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests import import_graph, traced_run
from tests.import_graph import Import
from tests.traced_run import PACKAGES, PURPOSES

ROOT = Path(__file__).resolve().parents[1]
LONGEST_FUNCTION = 40  # lines without the docstring
SHORT = "--evaluation.period 300 --evaluation.episodes 1 --steps 300".split()
LOCAL_RUN = ("train", "mdqn/cartpole", *SHORT, "--agent.storage.min_size", "64")
# The trace looks for the loss below the call that starts the run, hence in its thread.
DQN_RUN = ("train", "dqn/catch", *SHORT, "--act_under_update", "false")


class Measure(NamedTuple):
    """A count with its goal.

    Attributes:
        name: name of the counted items.
        value: the count; None if it could not be measured.
        goal: largest acceptable count; None if any count is acceptable.
        details: the counted items, a line each.
        always: whether a missed goal shows the details even without -v.
        note: text printed after the number.
    """

    name: str
    value: int | None
    goal: int | None = None
    details: Sequence[str] = ()
    always: bool = False
    note: str = ""

    @property
    def missed(self) -> bool:
        """Whether the count exceeds its goal, or could not be measured."""
        return self.goal is not None and (self.value is None or self.value > self.goal)


def import_measures(imports: Sequence[Import]) -> list[Measure]:
    """Counts import cycles of modules and of packages, and imports in functions."""
    modules = import_graph.circles(import_graph.graph_of(imports))
    rooms = [
        circle
        for graph in import_graph.rooms(imports).values()
        for circle in import_graph.circles(graph)
    ]
    lazy = [each for each in imports if each.lazy]
    hiding = import_graph.hiding_circles(imports)
    return [
        Measure("import circles of modules", len(modules), 0, _shown(modules), True),
        Measure("import circles of rooms", len(rooms), 0, _shown(rooms, imports), True),
        Measure("imports in functions", len(lazy), None, [str(each) for each in lazy]),
        Measure("  that hide a circle", len(hiding), 0, [str(e) for e in hiding], True),
    ]


def _shown(
    circles: Iterable[Sequence[str]], imports: Sequence[Import] = ()
) -> list[str]:
    """A line for each cycle, and for each import between two of its packages."""
    lines = []
    for circle in circles:
        lines.append(" <-> ".join(circle))
        for each in imports:
            ends = [_room(module, circle) for module in (each.importer, each.target)]
            if None not in ends and ends[0] != ends[1]:
                lines.append(f"  {each}")
    return lines


def _room(module: str, circle: Sequence[str]) -> str | None:
    return next((room for room in circle if f"{module}.".startswith(f"{room}.")), None)


def size_measures(root: Path, modules: Mapping[str, Path]) -> list[Measure]:
    """Counts long functions, modules, lines, and modules of the largest folder."""
    functions = [
        f"{path.relative_to(root)}:{line} {name} has {length} lines"
        for path in modules.values()
        for name, line, length in function_lengths(ast.parse(path.read_text()))
        if length > LONGEST_FUNCTION
    ]
    folders = Counter(str(path.parent.relative_to(root)) for path in modules.values())
    [(largest, number)] = folders.most_common(1)
    sizes = [f"{folder} {count}" for folder, count in folders.most_common()]
    name = f"functions over {LONGEST_FUNCTION} lines"
    return [
        Measure(name, len(functions), 0, functions, always=True),
        Measure("modules", len(modules)),
        Measure("lines", sum(map(count_lines, modules.values()))),
        Measure("modules in the largest folder", number, None, sizes, note=largest),
    ]


def function_lengths(tree: ast.Module) -> Iterator[tuple[str, int, int]]:
    """Name, first line and length in lines of every function.

    The length excludes decorators and the docstring, and includes nested functions.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = _height(node)
            if ast.get_docstring(node) is not None:
                length -= _height(node.body[0])
            yield node.name, node.lineno, length


def _height(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def count_lines(path: Path) -> int:
    """The number of lines of a file."""
    return len(path.read_text().splitlines())


def run_measures(root: Path) -> list[Measure]:
    """Counts files and lines that a local run imports, and that DQN's run executes."""
    local, dqn = "a local run imports", "DQN end to end executes"
    measures = []
    try:
        imported = traced_run.run(root, LOCAL_RUN, traced=False).imported
        measures += _files_and_lines(local, root, imported, (70, 9_000))
    except traced_run.RunFailed as error:
        measures.append(Measure(local, None, 0, [str(error)], always=True))
    try:
        record = traced_run.run(root, DQN_RUN, traced=True)
        measures += _files_and_lines(dqn, root, record.executed, (15, 2_500))
        left_out = [f"{file} ({why})" for file, why in record.left_out.items()]
        measures.append(Measure("  left out by purpose", len(left_out), None, left_out))
    except traced_run.RunFailed as error:
        measures.append(Measure(dqn, None, 0, [str(error)], always=True))
    return measures


def _files_and_lines(
    name: str, root: Path, files: Iterable[str], goals: tuple[int, int]
) -> list[Measure]:
    lines = {file: count_lines(root / file) for file in files}
    details = [f"{count:5} {file}" for file, count in lines.items()]
    return [
        Measure(f"{name}, files", len(lines), goals[0], details),
        Measure(f"{name}, lines", sum(lines.values()), goals[1]),
    ]


def purpose_measure(modules: Iterable[str]) -> Measure:
    """Counts purposes that match no module; their modules may have moved."""
    names = list(modules)
    idle = [
        f"{purpose.name}: {purpose.reason}"
        for purpose in PURPOSES
        if not any(purpose.has(name) for name in names)
    ]
    return Measure("purposes that no module has", len(idle), 0, idle, always=True)


def table(measures: Sequence[Measure], verbose: bool) -> str:
    """An aligned line for each measure, with its details below where they are shown."""
    lines = []
    for each in measures:
        value = "failed" if each.value is None else f"{each.value:,}"
        end = each.note
        if each.goal is not None:
            end = f"goal {each.goal:>6,}  {'MISSED' if each.missed else 'met'}"
        lines.append(f"{each.name:34}{value:>8}  {end}".rstrip())
        if verbose or (each.always and each.missed):
            lines += [f"      {detail}" for detail in each.details]
    return "\n".join(lines)


def measure(root: Path, static: bool = False) -> list[Measure]:
    """Measures the packages below a folder.

    Args:
        root: the folder.
        static: whether to leave out the measures that start runs.
    """
    modules = import_graph.find_modules(root, PACKAGES)
    measures = import_measures(import_graph.read_imports(modules))
    if not static:
        measures += [*run_measures(root), purpose_measure(modules)]
    return measures + size_measures(root, modules)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Prints all numbers; returns 1 if a goal is missed, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.structure")
    parser.add_argument("-v", "--verbose", action="store_true", help="list everything")
    parser.add_argument("--static", action="store_true", help="start no runs")
    options = parser.parse_args(arguments)
    measures = measure(root, options.static)
    print(table(measures, options.verbose))
    return int(any(each.missed for each in measures))


if __name__ == "__main__":
    sys.exit(main())
