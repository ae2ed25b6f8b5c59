"""Pages that are made from the code, and code that is written in pages."""

import importlib.util
import re
import sys
import types
from pathlib import Path

import gymnasium
import jax
import numpy as np
import pytest

from agents import REGISTRY
from agents.parts.contract import Spec
from launch.policies import zoo

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("pages", DOCS / "generated_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code_of(page):
    """The Python blocks of a page, the last one of several modules."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.S)
    module = types.ModuleType("recipe")
    sys.modules["recipe"] = module  # dataclasses look their module up
    exec(blocks[-1], module.__dict__)
    return module


def test_lists_get_an_empty_line_and_brackets_an_escape(pages):
    text = "Deviations:\n- one <pi, q>\n  more\n- two `<a>`\n\n    q <- r"
    assert pages.as_markdown(text) == (
        "Deviations:\n\n- one &lt;pi, q>\n  more\n- two `<a>`\n\n    q <- r"
    )


# A field that all agents with these actions have; behavioural cloning has no discount.
_FIELDS = {"discrete": "discount", "continuous": "discount", "tokens": "batch_size"}


def test_each_agent_is_on_one_page_with_its_fields(pages):
    content = {module: pages._agent(module) for module in pages._modules()}
    for name, recipe in REGISTRY.items():
        page = content[recipe.module]
        assert f"`{name}`" in page and f"munchausen train {name}/" in page
        assert f"| `{_FIELDS[recipe.actions]}` | " in page or name == "bc"
    assert "| tau | `temperature` |" in content["agents.mdqn"]
    assert "`soft_dqn` has other defaults: `munchausen` 0.0." in content["agents.mdqn"]


def test_links_of_the_results_lead_to_pages_or_copies(pages):
    texts, copied = pages._results()
    text, history = texts["results.md"], texts["iq_history.md"]
    assert "[`mdqn.py`](agents/mdqn.md)" in text
    assert "](files/results/minatar.png)" in text
    assert "(iq_history.md)" in text and "(results.md#locomotion)" in history
    assert {"files/results/minatar.png", "files/results/iq_walker.csv"} <= set(copied)
    assert all(path.is_file() for path in copied.values())
    assert "](../" not in text + history


@pytest.mark.parametrize(
    "file",
    [*DOCS.rglob("*.md"), *map(DOCS.parent.joinpath, ("README.md", "CONTRIBUTING.md"))],
)
def test_links_between_files_of_the_repository_lead_somewhere(file):
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", file.read_text())
    assert [link for link in links if not (file.parent / link).exists()] == []


def test_links_to_the_repository_become_links_of_the_site(pages):
    page = types.SimpleNamespace(file=types.SimpleNamespace(src_uri="recipes/gpu.md"))
    text = (
        "[a](../../experiments/results/README.md#on-a-gpu) [b](../catch.ipynb) "
        "[c](../../agents/ploff/agent.py) [d](../../experiments/results/gpu.csv) "
        "[e](offline.md) [f](https://x.org/a.csv)"
    )
    assert pages.on_page_markdown(text, page) == (
        "[a](../results.md#on-a-gpu) [b](../catch.md) [c](../agents/ploff.md) "
        "[d](../files/results/gpu.csv) [e](offline.md) [f](https://x.org/a.csv)"
    )
    page.file.src_uri = "agents/dqn.md"
    assert pages.on_page_markdown(text, page) == text  # generated


def test_the_page_of_commands_has_every_verb(pages):
    from experiments.cli import VERBS

    text = pages._commands()
    for verb in VERBS:
        assert f"usage: munchausen {verb}" in text
    assert "--agent.temperature" in text and "usage: munchausen train --resume" in text


def test_the_environment_of_the_recipe_is_one(recwarn):
    made = code_of("recipes/environment.md").Corridor(length=3)
    assert isinstance(made, gymnasium.Env)
    assert made.reset(seed=5)[0].tolist() == [1, 0, 0]
    assert made.step(1)[:3] == (pytest.approx(np.array([0, 1, 0])), -0.1, False)
    assert made.step(1)[1:3] == (1.0, True)
    assert made.observation_space.contains(made.reset()[0])


def test_the_agent_of_the_recipe_learns_from_a_batch(key):
    module = code_of("recipes/agent.md")
    spec = Spec(
        jax.ShapeDtypeStruct((3,), np.float32), 5, jax.ShapeDtypeStruct((), int)
    )
    agent = module.agent(module.Config(**module.HASTY), spec)
    state = agent.init(key)
    observations = np.zeros((7, 3), np.float32)
    actions, extras = agent.act(state.params, key, observations, 0, True)
    assert actions.shape == (7,) and extras == ()


def test_the_pages_name_policies_that_the_zoo_has():
    named = set()
    for page in DOCS.rglob("*.md"):
        named |= set(re.findall(r"zoo/[a-z]+-[a-z-]+", page.read_text()))
    assert named and named <= set(zoo.names())
