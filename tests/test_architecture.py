"""The shape of the house: who imports whom, what is registered, what is documented."""

import ast
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from agents import REGISTRY

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("agents", "environments", "launch", "experiments")
MODULES = sorted(
    path for package in PACKAGES for path in (ROOT / package).rglob("*.py")
)
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
    """Every module that the code may mean, relative imports resolved."""
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
def test_every_way_to_import_a_paper_is_seen(source):
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


def test_docstrings_and_imports_are_no_statements():
    source = '"""A module."""\nimport os\ndef f():\n    "Says so."\n    return os\n'
    assert statements(ast.parse(source)) == 2


@pytest.mark.parametrize("path", PAPERS, ids=name_of)
def test_a_paper_is_short(path):
    assert statements(ast.parse(path.read_text())) <= 75


@pytest.mark.parametrize("path", MODULES + TESTS, ids=name_of)
def test_files_are_named_for_what_they_hold(path):
    assert path.stem not in BANNED_NAMES


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_what_is_public_is_documented(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the module"
    for node in public_definitions(tree.body):
        assert ast.get_docstring(node), node.name


def test_tests_mirror_the_packages():
    folders = {path.relative_to(ROOT / "tests").parts[0] for path in TESTS}
    assert {folder for folder in folders if not folder.endswith(".py")} <= set(PACKAGES)


@pytest.mark.parametrize("module", ["experiments.cli", "experiments.verbs.doctor"])
def test_the_command_line_imports_nothing_heavy(module):
    code = f"import sys, {module}; print(*(m for m in {HEAVY!r} if m in sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    assert (result.returncode, result.stdout.strip()) == (0, ""), result.stderr


def test_help_imports_nothing_heavy():
    # The audit hook sees every import, also of what is removed from sys.modules again.
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
