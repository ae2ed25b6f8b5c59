"""`munchausen check-agent`: which checks an agent passes."""

import pytest

from experiments import cli
from experiments.catalogue import user_agents
from experiments.verbs import check_agent
from tests.experiments.user_packages import STRANGER, write_module


@pytest.fixture(autouse=True)
def packages(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(STRANGER))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    user_agents.choose([])


def lines(line, capsys, code):
    assert cli.main(line.split()) == code
    return capsys.readouterr().out.splitlines()


def test_a_stranger_s_agent_passes_on_vectors_and_images(capsys):
    found = lines("check-agent double_dqn --plugin stranger_agents", capsys, 0)
    assert found[-1] == "double_dqn: all checks passed"
    assert all(line.startswith("ok       ") for line in found[:-1])
    for kind in ("vectors", "images"):
        assert f"ok       {kind}: a checkpoint continues exactly" in found
        assert f"ok       {kind}: a replay stores actions and extras" in found
    assert len(found) == 20


def test_an_offline_agent_of_ours_passes(capsys):
    found = lines("check-agent bc", capsys, 0)
    assert found[-1] == "bc: all checks passed"
    [skipped] = [line for line in found if not line.startswith("ok")][:-1]
    assert skipped.startswith(
        "skipped  vectors: a replay stores actions and extras: it "
    )


FAULTY = """
from stranger_agents import double_dqn
from stranger_agents.double_dqn import Config
import jax.numpy as jnp

def agent(config, spec):
    good = double_dqn.agent(config, spec)
    if len(spec.observation.shape) > 1:
        raise ValueError("observations must be vectors")
    def act(params, key, observation, actor_steps, evaluation):
        actions, extras = good.act(params, key, observation, actor_steps, evaluation)
        return actions[:, None], extras
    def update(state, batch):
        raise RuntimeError("no update yet")
    return good._replace(act=act, update=update)
"""


def test_every_failed_check_is_a_line_with_rule_and_place(packages, capsys):
    write_module(packages, "faulty_paper", FAULTY)
    source = "from agents import Recipe\nREGISTRY = {'mine': Recipe('faulty_paper')}"
    write_module(packages, "faulty_agents", source)
    found = lines("check-agent faulty_agents:mine", capsys, 1)
    assert found[0].startswith("ok       config.yaml")
    failed = [line for line in found if line.startswith("FAILED")]
    [update] = [line for line in failed if "update is pure" in line]
    assert update.endswith(
        "it must not raise; RuntimeError: no update yet "
        f"({packages}/faulty_paper.py, line 14)"
    )
    [act] = [line for line in failed if "act fits" in line]
    assert act.endswith(
        "actions for 1 environments must be int32 of shape [1], between 0 and 4; got "
        "[1, 1]"
    )
    [skipped] = [line for line in found if line.startswith("skipped  images")]
    assert skipped == (
        "skipped  images: agent: faulty_paper: ValueError: observations must be "
        f"vectors ({packages}/faulty_paper.py, line 9)"
    )
    assert found[-1] == f"faulty_agents:mine: {len(failed)} checks failed"


NOT_FINITE = """
from stranger_agents import double_dqn
from stranger_agents.double_dqn import Config
import jax
import jax.numpy as jnp

def agent(config, spec):
    good = double_dqn.agent(config, spec)
    def update(state, batch):
        state, metrics = good.update(state, batch)
        broken = jax.tree.map(lambda leaf: leaf * jnp.nan, state.params)
        return state._replace(params=broken), metrics
    return good._replace(update=update)
"""


def test_nan_is_called_nan_and_no_lack_of_purity(packages, capsys):
    write_module(packages, "nan_paper", NOT_FINITE)
    source = "from agents import Recipe\nREGISTRY = {'mine': Recipe('nan_paper')}"
    write_module(packages, "nan_agents", source)
    found = lines("check-agent nan_agents:mine", capsys, 1)
    failed = {line for line in found if line.startswith("FAILED   vectors")}
    assert failed == {
        "FAILED   vectors: update is pure and finite, is compiled once, changes the "
        "networks: networks must stay finite; an update gave NaN or infinity"
    }


def test_a_configuration_without_explanations_fails():
    class Recipe:
        module = "mine"

        @staticmethod
        def default():
            from tests.launch.runs.stand_in_experiment import Sea

            return Sea()

    result = check_agent._result("config", check_agent.check_config, Recipe)
    rule = "Config's docstring must explain each field under Attributes:"
    assert result.line() == f"FAILED   config: {rule}; it lacks depth"
