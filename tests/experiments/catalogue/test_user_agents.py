"""Agents of users: plugins, entry points, clashes, and all that can be broken."""

import pytest

from experiments import cli, names
from experiments.catalogue import user_agents
from experiments.flags import OverrideError
from tests.experiments.user_packages import STRANGER, write_entry_points, write_module


@pytest.fixture(autouse=True)
def packages(tmp_path, monkeypatch):
    """A folder of packages on the path, next to the stranger's; all is forgotten."""
    monkeypatch.syspath_prepend(str(STRANGER))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    user_agents.installed.cache_clear()
    user_agents.choose([])
    yield tmp_path
    user_agents.installed.cache_clear()
    user_agents.choose([])


def said(line, capsys, code=2):
    """The message of a command line that is refused."""
    assert cli.main(line.split()) == code
    return capsys.readouterr().err.removeprefix("munchausen: ").removesuffix("\n")


def test_a_plugin_adds_its_agents_to_every_fitting_task():
    user_agents.choose(["stranger_agents"])
    named = names.NAMED["double_dqn/cartpole"]
    assert named.agent_name == "stranger_agents:double_dqn"
    assert "double_dqn/cartpole" in names.EXPERIMENTS
    assert "double_dqn/hopper" not in names.EXPERIMENTS
    experiment = names.EXPERIMENTS["hasty_double_dqn/catch"]
    # The task's settings for the fields that the agent has, and its variant chose none.
    assert experiment.agent.network.hidden == (64,)
    assert experiment.agent.mixture == 1.0
    assert experiment.agent.target_update_period == 5
    assert names.EXPERIMENTS["double_dqn/catch"].agent.target_update_period == 25
    user_agents.choose([])
    assert "double_dqn/cartpole" not in names.NAMED


def test_our_names_are_found_without_a_look_at_users_packages(monkeypatch):
    def looked(**_):
        raise AssertionError("entry points were read")

    monkeypatch.setattr(user_agents.metadata, "entry_points", looked)
    assert "mdqn/cartpole" in names.EXPERIMENTS
    assert "--seed" not in names.EXPERIMENTS and "7" not in names.EXPERIMENTS


@pytest.mark.parametrize(
    "line",
    ["any = stranger_agents", "any = stranger_agents:REGISTRY"],
)
def test_an_entry_point_names_a_registry(packages, line):
    write_entry_points(packages, "stranger-agents", [line])
    assert names.NAMED["double_dqn/maze"].agent_name == "stranger_agents:double_dqn"


def test_an_entry_point_names_a_recipe(packages):
    write_module(
        packages,
        "lone_recipe",
        "from agents import Recipe\nMINE = Recipe('stranger_agents.double_dqn')",
    )
    write_entry_points(packages, "lone", ["mine = lone_recipe:MINE"])
    named = names.NAMED["mine/catch"]
    assert named.agent_name == "lone_recipe:MINE"
    assert named.experiment().agent.mixture == 1.0


def test_the_same_agents_by_entry_point_and_by_plugin_are_no_clash(packages):
    write_entry_points(packages, "stranger-agents", ["any = stranger_agents"])
    user_agents.choose(["stranger_agents"])
    assert "double_dqn/catch" in names.NAMED


def test_broken_entry_points_are_left_out_and_named(packages, capsys):
    write_module(packages, "fails_now", "1 / 0")
    write_module(packages, "no_recipe", "MINE = 3")
    lines = ["bad = fails_now", "worse = no_recipe:MINE", "lost = no_such_module"]
    write_entry_points(packages, "broken-agents", [*lines, "good = stranger_agents"])
    assert cli.main(["list", "/catch"]) == 0
    out, err = capsys.readouterr()
    assert "double_dqn/catch" in out and "dvw_mdqn/catch" in out
    first, second, third = err.splitlines()
    start = "munchausen: entry point {} of broken-agents: "
    assert first == (
        f"{start.format('bad')}fails_now cannot be imported: ZeroDivisionError: "
        f"division by zero ({packages}/fails_now.py, line 1)"
    )
    assert second == (
        f"{start.format('worse')}no_recipe:MINE must be a module with REGISTRY or an "
        "agents.Recipe, got 3"
    )
    assert third.startswith(
        f"{start.format('lost')}Python must find the module no_such_module, but "
    )
    assert "entry point bad of broken-agents" in said("train bad/catch", capsys)
    assert said("train bax/cat", capsys).startswith("unknown experiment 'bax/cat'; ")


RECIPE = "from agents import Recipe\nREGISTRY = "


@pytest.mark.parametrize(
    "name, source, message",
    [
        (
            "plain_module",
            "x = 1",
            "plain_module must have REGISTRY, .*: it has no REGIS",
        ),
        (
            "wrong_type",
            "REGISTRY = [1]",
            "from names to agents.Recipe .*, got \\[1\\]$",
        ),
        ("empty_one", "REGISTRY = {}", "with at least one agent, got {}$"),
        ("no_recipes", "REGISTRY = {'mine': 3}", "agents.Recipe, got 3 for mine$"),
        (
            "bad_name",
            RECIPE + "{'a/b': Recipe('x')}",
            "letters, digits and _, got 'a/b'$",
        ),
        (
            "bad_actions",
            RECIPE + "{'mine': Recipe('x', actions='some')}",
            "actions of mine must be discrete, continuous or tokens, got 'some'$",
        ),
        (
            "bad_dataset",
            RECIPE + "{'mine': Recipe('x', dataset='d')}",
            "dataset of mine must be a Preparation or None, got 'd'$",
        ),
        (
            "our_name",
            RECIPE + "{'dqn': Recipe('x')}",
            "our_name:dqn must have another name, because one of ours is called dqn",
        ),
        (
            "misspelt",
            "import nump",
            "misspelt cannot be imported: ModuleNotFoundError: .*",
        ),
        (
            "syntax",
            "def x(:",
            r"syntax cannot be imported: SyntaxError: .*syntax.py, line",
        ),
        ("exits", "raise SystemExit(3)", "exits cannot be imported: SystemExit: 3"),
    ],
)
def test_a_broken_plugin_is_one_line(packages, capsys, name, source, message):
    write_module(packages, name, source)
    for line in (
        "train mine/catch --plugin",
        "list --plugin",
        "check-agent x --plugin",
    ):
        error = said(f"{line} {name}", capsys)
        assert error.startswith("--plugin: ") and "\n" not in error
        with pytest.raises(OverrideError, match=message):
            user_agents.choose([name])
    assert sorted(
        path.name for path in packages.iterdir() if "__" not in path.name
    ) == [f"{name}.py"]


def test_a_missing_plugin_names_the_ways_to_provide_it(capsys):
    assert said("train x/catch --plugin nowhere.deep", capsys) == (
        "--plugin: Python must find the module nowhere.deep, but does not: start in "
        "the folder that holds it, put that folder on PYTHONPATH, or install its "
        "package with pip"
    )


@pytest.mark.parametrize("name", ["./good", "good.py", "folder/good"])
def test_a_path_is_no_name_of_a_module(name, capsys):
    assert said(f"train x/catch --plugin {name}", capsys) == (
        "--plugin: a module must be named as Python imports it, such as "
        f"my_package.my_module, got {name!r}: put its folder on PYTHONPATH and leave "
        "out path and .py"
    )


def test_agents_of_two_plugins_with_one_name_are_refused(packages, capsys):
    write_module(packages, "twin", RECIPE + "{'double_dqn': Recipe('x')}")
    error = said("train double_dqn/catch --plugin stranger_agents,twin", capsys)
    assert error == (
        "--plugin: twin:double_dqn must have another name, because "
        "stranger_agents:double_dqn is called double_dqn as well: rename it"
    )


def test_a_users_field_called_loss_keeps_its_default(packages):
    source = CONFIG.replace("{kind}", "float").replace("{value}", "0.5")
    write_module(packages, "paper_loss", source.replace("width", "loss"))
    write_module(packages, "lossy", RECIPE + "{'lossy': Recipe('paper_loss')}")
    user_agents.choose(["lossy"])
    assert names.EXPERIMENTS["lossy/minatar-breakout"].agent.loss == 0.5


CONFIG = """
from dataclasses import dataclass
@dataclass(frozen=True)
class Config:
    \"\"\"Fields.

    Attributes:
        width: x.
    \"\"\"
    width: {kind} = {value}
def agent(config, spec): pass
"""


@pytest.mark.parametrize(
    "name, line, raised",
    [
        ("one_value", "a, b = [1]", "ValueError: not enough values to unpack"),
        ("one_type", "len(7)", "TypeError: object of type 'int' has no len()"),
    ],
)
def test_an_error_while_an_agent_is_built_has_its_place(
    packages, capsys, name, line, raised
):
    body = CONFIG.replace("{kind}", "int").replace("{value}", "1")
    body = body.replace(": pass", f":\n    {line}")
    write_module(packages, f"paper_{name}", body)
    registry = RECIPE + f"{{'mine': Recipe('paper_{name}')}}"
    write_module(packages, f"registry_{name}", registry)
    error = said(f"train mine/catch --plugin registry_{name}", capsys)
    place = f"({packages}/paper_{name}.py, line 12)"
    assert error.startswith(f"paper_{name}: {raised}") and error.endswith(place), error


@pytest.mark.parametrize(
    "name, source, variant, message",
    [
        (
            "without_config",
            "def agent(c, s): pass",
            "",
            "must define Config, a frozen dat",
        ),
        (
            "without_agent",
            CONFIG.split("def agent")[0],
            "",
            "must define agent, a functi",
        ),
        (
            "no_dataclass",
            "class Config: pass\ndef agent(c, s): pass",
            "",
            "must be a frozen",
        ),
        (
            "no_default",
            CONFIG.replace("= {value}", ""),
            "",
            "must have valid defaults for",
        ),
        (
            "no_variant",
            CONFIG,
            "FAST",
            "must define FAST, a dictionary of the fields in",
        ),
        (
            "bad_variant",
            CONFIG + "FAST = {'hight': 1}",
            "FAST",
            "must have valid defaults",
        ),
        (
            "a_set",
            CONFIG,
            "",
            "that config.yaml can hold it: .* of type frozenset has no plain",
        ),
    ],
)
def test_a_broken_agent_is_one_line(packages, capsys, name, source, variant, message):
    value, kind = ("frozenset()", "frozenset") if name == "a_set" else ("1", "int")
    body = source.replace("{kind}", kind).replace("{value}", value)
    write_module(packages, f"paper_{name}", body)
    registry = RECIPE + f"{{'mine': Recipe('paper_{name}', {variant!r})}}"
    write_module(packages, f"registry_{name}", registry)
    error = said(f"train mine/catch --plugin registry_{name}", capsys)
    assert f"paper_{name}" in error and message.split(".*")[0] in error, error
    assert "\n" not in error
    assert cli.main(["list", "mine", "--plugin", f"registry_{name}"]) == 0
    capsys.readouterr()
    if name != "a_set":
        assert message in said(f"check-agent registry_{name}:mine", capsys)
