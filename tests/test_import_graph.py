"""The import graph of small packages that each test writes."""

import textwrap

import pytest

from tests.import_graph import (
    circles,
    find_modules,
    graph_of,
    hiding_circles,
    read_imports,
    rooms,
)


def imports_of(root, files, packages=("launch",)):
    """Writes modules, `{path: source}`, and reads their imports."""
    for name, source in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
    for folder in {path.parent for path in root.rglob("*.py")}:
        (folder / "__init__.py").touch()
    return read_imports(find_modules(root, packages))


def edges(imports):
    return {(each.importer, each.target) for each in imports}


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("import launch.room.b", "launch.room.b"),
        ("import launch.room.b as other", "launch.room.b"),
        ("from launch.room import b", "launch.room.b"),
        ("from launch.room import name", "launch.room"),
        ("from launch.room.b import name", "launch.room.b"),
        ("from launch.room.b import *", "launch.room.b"),
        ("from . import b", "launch.room.b"),
        ("from .b import name", "launch.room.b"),
        ("from .. import c", "launch.c"),
        ("from ..c import name", "launch.c"),
        ("try:\n    import launch.c\nexcept ImportError:\n    pass", "launch.c"),
        ("import importlib\nimportlib.import_module('launch.c')", "launch.c"),
    ],
)
def test_every_way_to_import_a_module_is_detected(tmp_path, source, target):
    files = {"launch/room/a.py": source, "launch/room/b.py": "", "launch/c.py": ""}
    [found] = imports_of(tmp_path, files)
    assert (found.importer, found.target, found.lazy) == (
        "launch.room.a",
        target,
        False,
    )


def test_relative_imports_of_a_package_start_at_itself(tmp_path):
    files = {"launch/room/__init__.py": "from . import b", "launch/room/b.py": ""}
    assert edges(imports_of(tmp_path, files)) == {("launch.room", "launch.room.b")}


def test_imports_for_type_checkers_do_not_count(tmp_path):
    source = """
        import typing
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            import launch.b
        else:
            import launch.c
        if typing.TYPE_CHECKING:
            import launch.b
    """
    files = {"launch/a.py": source, "launch/b.py": "", "launch/c.py": ""}
    assert edges(imports_of(tmp_path, files)) == {("launch.a", "launch.c")}


def test_third_party_modules_do_not_count(tmp_path):
    source = "import numpy, launcher\nfrom launch_pad import b"
    assert not imports_of(tmp_path, {"launch/a.py": source, "launch/b.py": ""})


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({"a": {"b"}, "b": {"c"}}, []),
        ({"a": {"b"}, "b": {"a"}}, [["a", "b"]]),
        ({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}}, []),
        (
            {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}},
            [["a", "b", "c"], ["d", "e"]],
        ),
        ({"a": {"a"}}, []),
    ],
)
def test_cycles_are_the_nodes_that_reach_each_other(graph, expected):
    assert circles(graph) == expected


def test_an_import_in_a_function_closes_a_cycle_and_hides_it(tmp_path):
    files = {
        "launch/a.py": "import launch.b",
        "launch/b.py": "class B:\n    def method(self):\n        import launch.a",
        "launch/c.py": "async def late():\n    import launch.a",
    }
    imports = imports_of(tmp_path, files)
    assert circles(graph_of(imports)) == [["launch.a", "launch.b"]]
    assert [each.line for each in imports if each.lazy] == [3, 2]
    assert edges(hiding_circles(imports)) == {("launch.b", "launch.a")}


def test_two_imports_in_functions_hide_the_cycle_that_they_close(tmp_path):
    late = "def late():\n    import launch."
    files = {"launch/a.py": f"{late}b", "launch/b.py": f"{late}a"}
    assert len(hiding_circles(imports_of(tmp_path, files))) == 2


def test_a_package_that_imports_its_modules_makes_no_cycle(tmp_path):
    files = {"launch/__init__.py": "from launch import a", "launch/a.py": ""}
    assert not circles(graph_of(imports_of(tmp_path, files)))


def test_a_module_that_imports_a_name_of_its_package_closes_a_cycle(tmp_path):
    files = {
        "launch/__init__.py": "from launch import a",
        "launch/a.py": "from launch import NAME",
    }
    assert circles(graph_of(imports_of(tmp_path, files))) == [["launch", "launch.a"]]


def test_packages_can_form_a_cycle_when_their_modules_form_none(tmp_path):
    files = {
        "launch/deep/left/a.py": "import launch.deep.right.a",
        "launch/deep/left/b.py": "",
        "launch/deep/right/a.py": "",
        "launch/deep/right/b.py": "def late():\n    import launch.deep.left.b",
        "launch/c.py": "import launch.deep.left.a",
    }
    imports = imports_of(tmp_path, files)
    graphs = rooms(imports)
    assert not circles(graph_of(imports))
    assert graphs["launch"] == {"launch.c": {"launch.deep"}}
    assert circles(graphs["launch.deep"]) == [["launch.deep.left", "launch.deep.right"]]


def test_a_cycle_of_top_level_packages_is_found(tmp_path):
    files = {"agents/a.py": "import launch.a", "launch/a.py": "import agents"}
    graphs = rooms(imports_of(tmp_path, files, ("agents", "launch")))
    assert circles(graphs[""]) == [["agents", "launch"]]
