"""The overview that `munchausen list` prints."""

import pytest

import agents
from experiments.catalogue import user_agents
from experiments.catalogue.suites import SUITES
from experiments.catalogue.tasks import TASKS
from experiments.names import COMPUTATIONS, FIGURES, GRIDS
from experiments.verbs import overview
from tests.experiments.user_packages import STRANGER


@pytest.fixture(autouse=True)
def no_plugins():
    yield
    user_agents.choose([])


def test_the_overview_names_everything_once():
    parts = {part.splitlines()[0]: part for part in overview.overview().split("\n\n")}
    words = {title: part.replace(",", " ").split() for title, part in parts.items()}
    ours = [name for title in words if "agents" in title for name in words[title]]
    assert set(agents.REGISTRY) <= set(ours)
    places = [name for title in words if "environ" in title for name in words[title]]
    assert {name for name, task in TASKS.items() if not task.dataset} <= set(places)
    figures = [word for title in words if "figures" in title for word in words[title]]
    for name in [*FIGURES, *GRIDS, *COMPUTATIONS]:
        assert {f"{name.split('/')[0]}/", name.split("/")[1]} <= set(figures)
    assert {"suite/*_<agent>", *SUITES} <= set(figures)


def test_datasets_are_listed_by_the_names_of_their_environments():
    [part] = [p for p in overview.overview().split("\n\n") if "with datasets:" in p]
    rows = " ".join(part.split())
    assert "adroit-door, adroit-hammer, adroit-relocate human, cloned" in rows
    assert "expert adroit-pen random, medium, " in rows
    assert rows.count("medium-expert, expert, human, cloned") == 1


def test_agents_of_a_paper_share_a_line_with_its_title():
    text = overview.overview()
    assert "  mdqn, soft_dqn, advantage_learning  Munchausen DQN: soft Q-" in text
    assert "  md_direct, md_indirect, dual_averaging  Mirror descent and " in text
    [line] = [line for line in text.splitlines() if line.startswith("  td3_bc ")]
    assert line.split() == [
        *"td3_bc TD3+BC: TD3 whose policy also imitates the actions of the".split(),
        "dataset.",
    ]


def test_agents_of_a_plugin_are_shown(monkeypatch):
    monkeypatch.syspath_prepend(str(STRANGER))
    user_agents.choose(["stranger_agents"])
    [part] = [p for p in overview.overview().split("\n\n") if "of yours" in p]
    assert part.splitlines() == [
        "agents of yours",
        "  double_dqn, hasty_double_dqn  Double DQN: the online network chooses the "
        "action that the ...",
    ]


def test_a_module_without_a_docstring_has_no_title(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "silent_paper.py").write_text("x = 1")
    assert overview.first_line("silent_paper") == ""
    assert overview.first_line("no_such_paper") == ""
    (tmp_path / "broken_paper.py").write_text("def x(:")
    assert overview.first_line("broken_paper").startswith("cannot be read: ")
