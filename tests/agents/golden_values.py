"""Numbers that every agent computes on a fixed seed and batch.

They catch a change of a loss that no other test expects. After an intended change,
`python -m tests.agents.golden_values` writes the file again; the commit says why the
numbers moved.
"""

import json
from pathlib import Path

import jax
import numpy as np
import optax

from agents import REGISTRY
from tests.agents.cases import batch_for, observations, small, specs

FILE = Path(__file__).parent / "golden_values.json"
UPDATES = 3  # at the second, policies that learn at every second step have moved


def stages():
    """Name of each stage of each agent, with the stage; the last is the agent."""
    for name in sorted(REGISTRY):
        recipe, spec = REGISTRY[name], specs(name)[0]
        for stage in recipe.stages(small(name, spec), spec):
            yield f"{name}/{stage.name}" if stage.name else name, spec, stage.agent


def computed(spec, agent, acts):
    """Metrics of a few updates, then norms of Adam's gradient means, and actions."""
    state, update = agent.init(jax.random.key(5)), jax.jit(agent.update)
    batch, metrics = batch_for(agent, spec, seed=5), []
    for _ in range(UPDATES):
        state, row = update(state, batch)
        metrics.append({name: float(value) for name, value in sorted(row.items())})
    numbers = {"metrics": metrics, "gradient_norms": _gradient_norms(state.opt_state)}
    if acts:
        for evaluation in (False, True):
            actions, _ = jax.jit(agent.act)(
                state.params,
                jax.random.key(7),
                observations(spec, 13, seed=9),
                np.int32(0),
                np.bool_(evaluation),
            )
            numbers["evaluated" if evaluation else "explored"] = np.asarray(
                actions
            ).tolist()
    return numbers


def _gradient_norms(opt_state):
    """Norm of each network's mean gradient: Adam's first moment."""
    return {
        name: float(optax.tree.norm(optax.tree_utils.tree_get(adam, "mu")))
        for name, adam in sorted(opt_state.items())
    }


def all_numbers():
    """Numbers of every stage, by name; a stage with a folder's name does not act."""
    return {
        name: computed(spec, agent, acts="/" not in name)
        for name, spec, agent in stages()
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(all_numbers(), indent=1) + "\n")
