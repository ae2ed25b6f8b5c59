"""The measures of structure, on small packages that each test writes."""

import ast
import textwrap

import pytest

from tests import structure, traced_run
from tests.traced_run import PURPOSES, RunFailed


def build(root, files):
    """Writes modules, `{path: source}`, and the packages' `__init__.py` files."""
    for name, source in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
    for folder in {path.parent for path in root.rglob("*.py")}:
        (folder / "__init__.py").touch()
    return root


def test_docstrings_and_decorators_do_not_count_as_lines_of_a_function():
    source = '''
        @decorator(
            1
        )
        def outer(
            argument,
        ):
            """One line.

            And another.
            """
            def inner():
                return argument

            return inner
    '''
    lengths = structure.function_lengths(ast.parse(textwrap.dedent(source)))
    assert list(lengths) == [("outer", 5, 7), ("inner", 12, 2)]


@pytest.mark.parametrize(
    ("module", "purposes"),
    [
        ("launch.runs.checkpoint", ["save"]),
        ("launch.checkpoints.files", ["save"]),
        ("launch.policies.medium_checkpoint", ["save"]),
        ("launch.checkpointing", []),
        ("launch.runs.lock", ["begin"]),
        ("launch.clock", []),
        ("launch.roles.actor", []),
    ],
)
def test_a_purpose_matches_whole_words_of_a_module_name(module, purposes):
    assert [each.name for each in PURPOSES if each.has(module)] == purposes


# Packages in which `launch.start` runs from an environment to a loss.
HOUSE = {
    "experiments/cli.py": """
        from experiments import report
        from launch import asked_first, start

        def main(arguments):
            asked_first.fits()
            code = start.run(arguments)
            report.show()
            return code
    """,
    "experiments/report.py": "def show(): pass",
    "experiments/never.py": "",
    "launch/asked_first.py": "def fits(): pass",
    "launch/start.py": """
        import agents, environments
        from launch import checkpoint, settings

        def run(arguments):
            from launch import late
            settings.Settings()
            checkpoint.save(environments.observe)
            assert "fails" not in arguments, "it broke"
            return 0 if "idle" in arguments else agents.loss()
    """,
    "launch/late.py": """
        class Body:
            value = 1

        def decorator(function):
            return function

        @decorator
        def never(): pass
    """,
    "launch/settings.py": """
        from dataclasses import dataclass
        from launch import checks

        @dataclass
        class Settings:
            def __post_init__(self):
                checks.check()
    """,
    "launch/checks.py": "def check(): pass",
    "launch/checkpoint.py": """
        from launch import written
        def save(value):
            written.write()
    """,
    "launch/written.py": "def write(): pass",
    "environments/__init__.py": "def observe(): pass",
    "agents/__init__.py": "def loss(): return 0",
}


def test_functions_of_a_run_are_executed_unless_for_a_purpose(tmp_path):
    record = traced_run.run(build(tmp_path, HOUSE), ["go"], traced=True)
    assert record.executed == {"agents/__init__.py": ["loss"]}
    assert record.left_out == {
        "launch/checkpoint.py": "save",
        "launch/written.py": "save",
    }


def test_all_modules_of_the_process_are_imported(tmp_path):
    record = traced_run.run(build(tmp_path, HOUSE), ["go"], traced=False)
    own_files = {f"{p}/__init__.py" for p in ("launch", "experiments")}
    assert set(record.imported) == (HOUSE.keys() | own_files) - {"experiments/never.py"}
    assert not record.executed


def test_a_run_that_fails_or_never_learns_raises_run_failed(tmp_path):
    build(tmp_path, HOUSE)
    with pytest.raises(RunFailed, match="it broke"):
        traced_run.run(tmp_path, ["fails"], traced=False)
    with pytest.raises(RunFailed, match="never called a loss"):
        traced_run.run(tmp_path, ["idle"], traced=True)


def test_a_missed_goal_is_printed_and_gives_exit_code_1(tmp_path, capsys):
    build(tmp_path, HOUSE)
    assert structure.main(["--static"], tmp_path) == 0
    assert "MISSED" not in capsys.readouterr().out

    body = "    pass\n" * 41
    build(tmp_path, {"launch/long.py": f"def long():\n{body}"})
    assert structure.main(["--static"], tmp_path) == 1
    [line] = [x for x in capsys.readouterr().out.splitlines() if "MISSED" in x]
    assert line.split() == "functions over 40 lines 1 goal 0 MISSED".split()


def test_details_show_if_verbose_or_always_shown_for_a_missed_goal():
    missed = structure.Measure("circles", 1, 0, ["a <-> b"], always=True)
    listed = structure.Measure("files", 1, 0, ["launch/a.py"])
    assert "a <-> b" in structure.table([missed, listed], verbose=False)
    assert "launch/a.py" not in structure.table([missed, listed], verbose=False)
    assert "launch/a.py" in structure.table([missed, listed], verbose=True)


def test_a_run_that_failed_misses_its_goal(tmp_path):
    measures = structure.run_measures(build(tmp_path, {"experiments/cli.py": ""}))
    assert [each.value for each in measures] == [None, None]
    assert all(each.missed for each in measures)
    assert "has no attribute 'main'" in structure.table(measures, verbose=False)


def test_a_purpose_without_a_module_is_reported():
    told = structure.purpose_measure(["launch.checkpoint", "launch.lock"])
    assert told.missed and len(told.details) == len(PURPOSES) - 2
