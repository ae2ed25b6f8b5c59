"""Numbers that every agent computes on a fixed seed and batch.

They catch a change of a loss that no other test expects. After an intended change,
`python -m tests.agents.golden_values` writes those that moved, and the commit says why
they did.
"""

import json
from pathlib import Path

import jax
import numpy as np
import optax

from agents import REGISTRY
from agents.parts.conformance import batch_with_extras
from tests.agents.cases import (
    ENVIRONMENTS,
    FAST,
    batch_for,
    compile_agent,
    compiled,
    observations,
    small,
    specs,
)

FILE = Path(__file__).parent / "golden_values.json"
UPDATES = 3  # at the second, policies that learn at every second step have moved


def stages(name):
    """Stages of a registered agent, by the name of their numbers; the last one acts."""
    recipe, spec = REGISTRY[name], specs(name)[0]
    stages = recipe.stages(small(name, spec, optimizer=FAST), spec)
    return {f"{name}/{one.name}" if one.name else name: one.agent for one in stages}


def computed(stage):
    """Metrics of a few updates, then norms of Adam's gradient means, and actions.

    Args:
        stage: `<agent>` or `<agent>/<stage>`; only the former acts.
    """
    name, _, earlier = stage.partition("/")
    spec = specs(name)[0]
    one = compile_agent(stages(name)[stage]) if earlier else compiled(name, spec)
    if earlier:  # this stage never acts, so it has no extras
        batch = batch_for(one.agent, spec, seed=5)
    else:
        batch = batch_with_extras(one, spec, seed=5)
    state, metrics = _apart(one.state), []
    for _ in range(UPDATES):
        state, row = one.update(state, batch)
        metrics.append({name: float(value) for name, value in sorted(row.items())})
    numbers = {"metrics": metrics, "gradient_norms": _gradient_norms(state.opt_state)}
    if not earlier:
        numbers["explored"] = _actions(one, state, spec, evaluation=False)
        numbers["evaluated"] = _actions(one, state, spec, evaluation=True)
    return numbers


def _apart(state):
    """The state with other target parameters, as after many steps.

    At the start they equal the online ones, so that a loss could use the wrong ones.
    """
    leaves, structure = jax.tree.flatten(state.target_params)
    random = np.random.default_rng(7)
    moved = [
        leaf + 0.1 * random.normal(size=leaf.shape).astype(leaf.dtype)
        for leaf in map(np.asarray, leaves)
    ]
    return state._replace(target_params=jax.tree.unflatten(structure, moved))


def _actions(one, state, spec, evaluation):
    """Actions for three observations, chosen with each of four keys."""
    seen = observations(spec, ENVIRONMENTS, seed=9)
    return [
        np.asarray(
            one.act(state.params, jax.random.key(seed), seen, 0, evaluation)[0]
        ).tolist()
        for seed in range(4)
    ]


def _gradient_norms(opt_state):
    """Norm of each network's mean gradient: Adam's first moment."""
    return {
        name: float(optax.tree.norm(optax.tree_utils.tree_get(adam, "mu")))
        for name, adam in sorted(opt_state.items())
    }


def assert_close(found, wanted, path):
    """Compares two nests of dictionaries, lists and numbers, float32 apart."""
    if isinstance(wanted, dict):
        assert sorted(found) == sorted(wanted), path
        for name in wanted:
            assert_close(found[name], wanted[name], f"{path} {name}")
    elif wanted and isinstance(wanted, list) and isinstance(wanted[0], dict):
        assert len(found) == len(wanted), path
        for index, pair in enumerate(zip(found, wanted, strict=True)):
            assert_close(*pair, f"{path} {index}")
    else:
        np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-6, err_msg=path)


def write():
    """Computes all numbers anew; writes one line for each stage whose numbers moved."""
    stored = json.loads(FILE.read_text())
    names = [stage for name in sorted(REGISTRY) for stage in stages(name)]
    lines = [f"{json.dumps(name)}: {json.dumps(kept(name, stored))}" for name in names]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def kept(name, stored):
    """The stored numbers of a stage where the computed ones are close to them."""
    found = computed(name)
    try:
        assert_close(found, stored[name], name)
    except (AssertionError, KeyError):
        return found
    return stored[name]


if __name__ == "__main__":
    write()
