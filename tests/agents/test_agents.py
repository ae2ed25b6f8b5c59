"""The registry: names, their papers, and named limits."""

import subprocess
import sys

import pytest

import agents
from agents import REGISTRY, Recipe, UnusableAgent
from agents.parts.contract import Preparation
from tests.agents.cases import BOX


def test_the_registry_imports_only_the_paper_that_is_used():
    code = """
import sys
import agents
from agents import REGISTRY, Recipe, UnusableAgent
papers = {recipe.module for recipe in REGISTRY.values()}
print(sorted(papers & sys.modules.keys()))
REGISTRY["soft_dqn"].default()
print(sorted(papers & sys.modules.keys()))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[]", "['agents.mdqn']"]


def test_named_limits_set_their_fields():
    assert REGISTRY["mdqn"].settings == {}
    assert REGISTRY["soft_dqn"].settings == {"munchausen": 0.0}
    assert REGISTRY["soft_dqn"].default().munchausen == 0.0
    actors = [REGISTRY[name].default().actor for name in ("md_direct", "md_indirect")]
    assert actors == ["direct", "indirect"]
    assert REGISTRY["dual_averaging"].default().actor == "averaging"
    assert REGISTRY["dvw_dqn"].default().temperature == 0.0


def test_only_offline_agents_prepare_a_dataset():
    prepared = {name: each.dataset for name, each in REGISTRY.items() if each.dataset}
    plain, scaled = Preparation(), Preparation(scale_rewards=True)
    assert prepared == {
        "bc": plain,
        "td3_bc": plain,
        "anti_exploration": scaled,
        "anti_exploration_code": scaled,
        "ploff": scaled,
    }


@pytest.mark.parametrize("name", ["td3", "sac", "bc"])
def test_agents_without_pretraining_have_one_stage(name):
    recipe = REGISTRY[name]
    [stage] = recipe.stages(recipe.default(), BOX)
    assert (stage.name, stage.steps) == ("", None)
    assert stage.agent.storage == recipe.agent(recipe.default(), BOX).storage


def test_an_agent_of_any_module_is_found_by_module_and_name(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_zoo.py").write_text(
        "from agents import Recipe\n"
        "REGISTRY = {'fast': Recipe('agents.mdqn', 'SOFT_DQN')}\n"
        "ALONE = Recipe('agents.sac', actions='continuous')\n"
    )
    assert agents.find("mdqn") is REGISTRY["mdqn"]
    assert agents.find("my_zoo:fast") == Recipe("agents.mdqn", "SOFT_DQN")
    assert agents.find("my_zoo:ALONE").actions == "continuous"
    assert agents.find("my_zoo:fast").default().munchausen == 0.0
    with pytest.raises(UnusableAgent, match=r"REGISTRY has no agent 'x'; it has fast"):
        agents.find("my_zoo:x")
    with pytest.raises(UnusableAgent, match="there is no agent 'x': name one of dqn"):
        agents.find("x")


def test_every_agent_of_ours_passes_the_check_of_users_recipes():
    for name, recipe in REGISTRY.items():
        recipe.check(name)


@pytest.mark.parametrize("names", ["divergence", ("divergence", "beta")])
def test_shared_settings_must_be_fields_of_the_agent(names):
    recipe = Recipe("agents.f_divergence", shared={"teacher": names})
    with pytest.raises(UnusableAgent) as refused:
        recipe.check("mine")
    assert str(refused.value) == (
        "shared['teacher'] of the agent mine must be a tuple of fields of "
        f"agents.f_divergence.Config, got {names!r}"
    )


@pytest.mark.parametrize("measured", [("reward", "sft"), {"reward": ("sft",)}])
def test_networks_are_measured_from_networks(measured):
    recipe = Recipe("agents.warm", measured_from=measured)
    with pytest.raises(UnusableAgent) as caught:
        recipe.check("mine")
    assert str(caught.value) == (
        "measured_from of the agent mine must be a dictionary from names of networks "
        f"to names of networks, got {measured!r}"
    )


def test_the_error_of_a_user_s_module_has_its_place(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_typo.py").write_text("x = 1\n\ny = x.z\n")
    with pytest.raises(UnusableAgent) as refused:
        agents.registry_of("my_typo")
    assert str(refused.value) == (
        "my_typo cannot be imported: AttributeError: 'int' object has no attribute 'z' "
        f"({tmp_path}/my_typo.py, line 3)"
    )
