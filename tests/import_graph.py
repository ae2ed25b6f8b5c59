"""The graph of our own modules' imports, read from their source; nothing is imported.

An import of a package's name, `from launch import errors`, means the module
`launch.errors` if there is one, and the package's `__init__.py` otherwise. Imports in
`if TYPE_CHECKING:` do not count. A "circle" is an import cycle; a "room" is a module or
package directly inside a package, and the "house" holds the top-level packages.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

Graph = Mapping[str, set[str]]


class Import(NamedTuple):
    """One module's import of another; both are our modules.

    Attributes:
        importer: the module that imports.
        target: the imported module.
        line: line number of the import.
        lazy: whether the import is inside a function.
    """

    importer: str
    target: str
    line: int
    lazy: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.target}"


def find_modules(root: Path, packages: Sequence[str]) -> dict[str, Path]:
    """Finds the files of all modules of the packages, by dotted name."""
    found = {}
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            found[".".join(parts)] = path
    return found


def read_imports(modules: Mapping[str, Path]) -> list[Import]:
    """Reads all imports among our modules."""
    found = []
    for name, path in modules.items():
        reader = _Reader(name, path, modules)
        reader.visit(ast.parse(path.read_text(), str(path)))
        found += reader.found
    return found


def graph_of(imports: Iterable[Import]) -> dict[str, set[str]]:
    """Maps each module to the modules that it imports."""
    graph: dict[str, set[str]] = {}
    for each in imports:
        graph.setdefault(each.importer, set()).add(each.target)
    return graph


def rooms(imports: Iterable[Import]) -> dict[str, dict[str, set[str]]]:
    """Maps each package to the import graph of its children (modules and packages).

    A child imports another if any module in it does. The top-level packages are
    children of "", the house. A package's `__init__.py` is not one of its children.
    """
    graphs: dict[str, dict[str, set[str]]] = {}
    for each in imports:
        importer, target = each.importer.split("."), each.target.split(".")
        shared = 0
        for ours, theirs in zip(importer, target, strict=False):
            if ours != theirs:
                graph = graphs.setdefault(".".join(importer[:shared]), {})
                importing = ".".join(importer[: shared + 1])
                graph.setdefault(importing, set()).add(".".join(target[: shared + 1]))
                break
            shared += 1
    return graphs


def circles(graph: Graph) -> list[list[str]]:
    """Finds the import cycles: sets of nodes that all reach each other, each sorted.

    These are the strongly connected components of more than one node, found with
    Tarjan's algorithm.
    """
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = lowest[node] = len(order)
        path.append(node)
        for target in sorted(graph.get(node, ())):
            if target not in order:
                visit(target)
                lowest[node] = min(lowest[node], lowest[target])
            elif target in path:
                lowest[node] = min(lowest[node], order[target])
        if lowest[node] == order[node]:
            start = path.index(node)
            found.append(sorted(path[start:]))
            del path[start:]

    for node in sorted(graph):
        if node not in order:
            visit(node)
    return sorted(component for component in found if len(component) > 1)


def hiding_circles(imports: Sequence[Import]) -> list[Import]:
    """Finds the imports in functions that are part of a cycle of the import graph.

    Without them there would be fewer or smaller cycles.
    """
    found = [set(circle) for circle in circles(graph_of(imports))]
    return [
        each
        for each in imports
        if each.lazy and any({each.importer, each.target} <= circle for circle in found)
    ]


def _is_for_type_checkers(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


class _Reader(ast.NodeVisitor):
    """Collects one module's imports of our modules."""

    def __init__(self, name: str, path: Path, modules: Mapping[str, Path]):
        self.found: list[Import] = []
        self._name = name
        self._modules = modules
        self._package = name.split(".")
        if path.stem != "__init__":
            self._package.pop()
        self._functions = 0

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._functions += 1
        self.generic_visit(node)
        self._functions -= 1

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_If(self, node: ast.If) -> None:
        if _is_for_type_checkers(node.test):
            for statement in node.orelse:
                self.visit(statement)
        else:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self._add(node, {self._nearest(alias.name) for alias in node.names})

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        above = len(self._package) - node.level + 1
        start = self._package[:above] if node.level else []
        base = ".".join([*start, *filter(None, [node.module])])
        names = (f"{base}.{alias.name}" for alias in node.names)
        self._add(node, {name if name in self._modules else base for name in names})

    def visit_Call(self, node: ast.Call) -> None:
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if called == "import_module" and node.args:
            [name, *_] = node.args
            if isinstance(name, ast.Constant):
                self._add(node, {self._nearest(str(name.value))})
        self.generic_visit(node)

    def _nearest(self, name: str) -> str:
        """The module of that name, or our innermost package that contains it."""
        return next((each for each in _upwards(name) if each in self._modules), "")

    def _add(self, node: ast.AST, targets: set[str]) -> None:
        line = getattr(node, "lineno", 0)
        for target in sorted(targets & self._modules.keys() - {self._name}):
            each = Import(self._name, target, line, lazy=self._functions > 0)
            self.found.append(each)


def _upwards(name: str) -> Iterator[str]:
    """Yields a dotted name, then each package that contains it, innermost first."""
    while name:
        yield name
        name = name.rpartition(".")[0]
