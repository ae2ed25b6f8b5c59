"""The structure of the code: imports, registration, docstrings, test files, sizes."""

import ast
import contextlib
import subprocess
import sys
import textwrap
from pathlib import Path

import jax
import pytest

from agents import REGISTRY
from tests import import_graph, structure

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("agents", "environments", "launch", "experiments")
MODULES = [
    ROOT / "munchausen.py",
    *sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")),
]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
PAPERS = sorted(
    {*(ROOT / "agents").glob("*.py"), *(ROOT / "agents").glob("*/agent.py")}
    - {ROOT / "agents/__init__.py"}
)

BANNED_NAMES = {"common", "helper", "helpers", "manager", "misc", "util", "utils"}
HEAVY = ("tensorflow", "reverb", "launchpad", "courier", "acme", "jax", "gymnasium")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imported_modules(tree: ast.AST, package: str) -> set[str]:
    """Every module that the code's imports may refer to, relative imports resolved."""
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, [package * bool(node.level), node.module]))
            modules.update({base} | {f"{base}.{alias.name}" for alias in node.names})
    return modules


def public_definitions(body: list[ast.stmt]):
    """Public classes and functions, and the public methods of those classes."""
    for node in body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            if not node.name.startswith("_"):
                yield node
                if isinstance(node, ast.ClassDef):
                    yield from public_definitions(node.body)


def test_import_contracts_of_setup_cfg_hold():
    command = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([command], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", PAPERS, ids=name_of)
def test_a_paper_never_imports_another(path):
    papers = {module_of(paper) for paper in PAPERS} - {module_of(path)}
    imports = imported_modules(ast.parse(path.read_text()), package="agents")
    assert not imports & papers


@pytest.mark.parametrize(
    "source",
    [
        "import agents.dqn",
        "from agents import dqn",
        "from agents.dqn import td_error",
        "from . import dqn",
        "from .dqn import td_error",
        "def agent():\n    from agents import dqn as base",
    ],
)
def test_every_way_to_import_a_paper_is_detected(source):
    assert "agents.dqn" in imported_modules(ast.parse(source), package="agents")


def test_every_paper_is_registered_and_every_recipe_is_a_paper():
    registered = {recipe.module for recipe in REGISTRY.values()}
    assert registered == {module_of(path) for path in PAPERS}


def statements(tree: ast.Module) -> int:
    """Statements at any depth, without docstrings and imports."""
    return sum(
        isinstance(node, ast.stmt)
        and not isinstance(node, (ast.Import, ast.ImportFrom))
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in ast.walk(tree)
    )


def test_docstrings_and_imports_do_not_count_as_statements():
    source = '"""A module."""\nimport os\ndef f():\n    "Says so."\n    return os\n'
    assert statements(ast.parse(source)) == 2


@pytest.mark.parametrize("path", PAPERS, ids=name_of)
def test_a_paper_is_short(path):
    assert statements(ast.parse(path.read_text())) <= 75


@pytest.mark.parametrize("path", MODULES + TESTS, ids=name_of)
def test_files_have_no_generic_names(path):
    assert path.stem not in BANNED_NAMES


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_public_definitions_have_docstrings(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the module"
    for node in public_definitions(tree.body):
        assert ast.get_docstring(node), node.name


def holds_code(path: Path) -> bool:
    """Whether a module has more than a docstring."""
    return len(ast.parse(path.read_text()).body) > 1


def files_testing(path: Path, root: Path = ROOT) -> list[Path]:
    """Finds `test_<module>.py` and `test_<module>_<aspect>.py` in the mirrored folder.

    For a package's `__init__.py`, <module> is the package's name.
    """
    folder = root / "tests" / path.relative_to(root).parent
    stem = path.parent.name if path.stem == "__init__" else path.stem
    return sorted({*folder.glob(f"test_{stem}.py"), *folder.glob(f"test_{stem}_*.py")})


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if holds_code(path)],
    ids=name_of,
)
def test_a_module_has_a_test_file_of_its_name(path):
    assert files_testing(path)


def test_a_test_file_is_found_by_folder_and_name(tmp_path):
    folder = tmp_path / "tests/launch/runs"
    folder.mkdir(parents=True)
    for name in ("test_lock.py", "test_locks.py", "test_logs_of_others.py", "lock.py"):
        (folder / name).touch()
    (folder.parent / "test_other.py").touch()

    def found(path):
        return [each.name for each in files_testing(tmp_path / path, tmp_path)]

    assert found("launch/runs/lock.py") == ["test_lock.py"]
    assert found("launch/runs/logs.py") == ["test_logs_of_others.py"]
    assert found("launch/runs/other.py") == found("launch/lock.py") == []
    (folder / "test_runs.py").touch()
    assert found("launch/runs/__init__.py") == ["test_runs.py"]


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in TESTS
        if path.relative_to(ROOT / "tests").parts[0] == "launch"
        and path.stem.startswith("test_")
    ],
    ids=name_of,
)
def test_a_test_file_of_launch_is_named_after_a_module(path):
    folder = ROOT / path.relative_to(ROOT / "tests").parent
    assert any(path in files_testing(each) for each in folder.glob("*.py"))


# Tests of a layer must not import the layers above it, nor their tests.
ABOVE = {
    "agents": {"environments", "launch", "experiments"},
    "environments": {"agents", "launch", "experiments"},
    "launch": {"experiments"},
}


def layers_of(modules: set[str]) -> set[str]:
    """The layers to which modules belong; `tests.launch.x` belongs to launch, too."""
    parts = [module.removeprefix("tests.").split(".")[0] for module in modules]
    return {layer for layer in parts if layer in (*PACKAGES, "whole_runs")}


def imports_of(code: str) -> set[str]:
    """All modules that a test file imports, also in programs inside its strings."""
    tree = ast.parse(code)
    found = imported_modules(tree, package="")
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            with contextlib.suppress(SyntaxError, ValueError):
                program = ast.parse(textwrap.dedent(node.value))
                found |= imported_modules(program, package="")
    return found


@pytest.mark.parametrize(
    "path",
    [path for path in TESTS if path.relative_to(ROOT / "tests").parts[0] in ABOVE],
    ids=name_of,
)
def test_tests_of_a_layer_import_no_layer_above(path):
    layer = path.relative_to(ROOT / "tests").parts[0]
    found = layers_of(imports_of(path.read_text()))
    assert not found & ABOVE[layer]
    assert "whole_runs" not in found


def test_imports_of_a_program_in_a_string_are_found():
    program = "import os\nfrom experiments import cli"
    code = f"import agents.dqn\nCODE = {program!r}"
    found = imports_of(code)
    assert {"agents.dqn", "experiments.cli"} <= found
    assert layers_of(found) == {"agents", "experiments"}
    assert layers_of({"tests.launch.runs", "tests.conftest"}) == {"launch"}


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_no_test_file_imports_another(path):
    ours = {module_of(each) for each in TESTS if each.stem.startswith("test_")}
    assert not imports_of(path.read_text()) & ours


IMPORTS = import_graph.read_imports(import_graph.find_modules(ROOT, PACKAGES))


@pytest.mark.parametrize(
    "measure", structure.import_measures(IMPORTS), ids=lambda each: each.name.strip()
)
def test_there_are_no_import_cycles(measure):
    assert not measure.missed, "\n".join(measure.details)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_functions_are_short(path):
    tree = ast.parse(path.read_text())
    found = structure.function_lengths(tree)
    longest = structure.LONGEST_FUNCTION
    assert [each for each in found if each[2] > longest] == []


@pytest.mark.parametrize("module", ["experiments.cli", "experiments.verbs.doctor"])
def test_the_command_line_imports_nothing_heavy(module):
    code = f"import sys, {module}; print(*(m for m in {HEAVY!r} if m in sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    assert (result.returncode, result.stdout.strip()) == (0, ""), result.stderr


def test_help_imports_nothing_heavy():
    # The audit hook sees every import, even if sys.modules loses the module later.
    code = f"""
import sys
sys.addaudithook(lambda event, args: event == "import" and args[0] in {HEAVY!r}
                 and sys.exit(f"imported {{args[0]}}"))
from experiments.cli import main
sys.argv = ["munchausen", "--help"]
sys.exit(main())
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    assert result.returncode == 0, result.stderr
    assert "train" in result.stdout


def test_tests_run_under_strict_jax_flags():
    assert jax.config.jax_numpy_rank_promotion == "raise"
    assert jax.default_backend() == "cpu"
