"""The registry: names, their papers, and named limits."""

import subprocess
import sys

import pytest

from agents import REGISTRY
from agents.parts.contract import Preparation
from tests.agents.cases import BOX


def test_the_registry_imports_only_the_paper_that_is_used():
    code = """
import sys
from agents import REGISTRY
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
