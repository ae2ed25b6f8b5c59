"""What every agent must fulfil, as checks that need no test library.

`munchausen check-agent` runs them on any agent, and the tests on every registered one.
A check returns if it passes, and raises `Failed` otherwise.
"""

import pickle
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from agents.parts.contract import (
    Agent,
    Metrics,
    Params,
    Spec,
    Stage,
    TrainingState,
    Transition,
)
from agents.parts.trial import Compiled, batch_for, leaves_equal, observations

_SIZES = (1, 3)  # environments that one call of `act` serves


class Failed(Exception):
    """An agent violates its contract; the message is one line: the rule, what was seen.

    Args:
        rule: what must hold.
        seen: what was seen instead.
    """

    def __init__(self, rule: str, seen: str):
        super().__init__(f"{rule}; {seen}")


def require(holds: Any, rule: str, seen: str) -> None:
    """Raises Failed unless a rule holds."""
    if not holds:
        raise Failed(rule, seen)


def check_init(one: Compiled, spec: Spec) -> None:
    """Networks depend on the key alone; the targets that they have start equal."""
    state = one.state
    require(
        isinstance(state, TrainingState),
        "init must return a TrainingState",
        f"got {type(state).__name__}",
    )
    require(
        leaves_equal(one.agent.init(jax.random.key(5)).params, state.params),
        "init must give equal networks for equal keys",
        "got different ones",
    )
    require(
        not leaves_equal(one.agent.init(jax.random.key(6)).params, state.params),
        "init must give different networks for different keys",
        "got equal ones",
    )
    require(state.opt_state, "opt_state must have a network that learns", "it is empty")
    for name in state.opt_state:
        require(
            name in state.params,
            f"params must have the network {name} of opt_state",
            f"got {sorted(state.params)}",
        )
        require(
            name not in state.target_params
            or leaves_equal(state.params[name], state.target_params[name]),
            f"the target of {name} must start equal to the network",
            "it differs",
        )


def check_update(one: Compiled, spec: Spec) -> None:
    """The update is pure and finite, is compiled once, and changes the networks."""
    batch = batch_with_extras(one, spec)
    first, metrics = one.update(one.state, batch)
    again, _ = one.update(one.state, batch)
    _check_finite(first.params, metrics, "an update")
    require(
        leaves_equal(first.params, again.params),
        "update must give equal networks for equal states and batches",
        "got different ones",
    )
    _check_same_kind(one.state, first)
    require(
        first.steps == one.state.steps + 1,
        "update must add 1 to steps",
        f"{one.state.steps} became {first.steps}",
    )
    for _ in range(3):
        first, metrics = one.update(first, batch)
    require(
        len(one.traces) == 1,
        "update must be compiled once for batches of one shape",
        f"it was compiled {len(one.traces)} times",
    )
    _check_finite(first.params, metrics, "4 updates")
    require(
        not leaves_equal(first.params, one.state.params),
        "update must change the networks",
        "4 updates changed nothing",
    )


def _check_finite(params: Params, metrics: Metrics, updates: str) -> None:
    check_metrics(metrics)
    require(
        all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(params)),
        "networks must stay finite",
        f"{updates} gave NaN or infinity",
    )


def check_metrics(metrics: Metrics) -> None:
    """Metrics are finite scalars."""
    for name, value in metrics.items():
        rule = f"the metric {name} must be one finite number"
        require(jnp.shape(value) == (), rule, f"its shape is {list(jnp.shape(value))}")
        require(np.isfinite(value), rule, f"it is {value}")


def _check_same_kind(before: TrainingState, after: TrainingState) -> None:
    """The state keeps its structure, shapes and dtypes; else it is compiled again."""
    rule = "update must keep structure, shapes and dtypes of the state"
    structures = {jax.tree.structure(state) for state in (before, after)}
    require(len(structures) == 1, rule, "the structure changed")
    pairs = zip(
        jax.tree_util.tree_leaves_with_path(before), jax.tree.leaves(after), strict=True
    )
    for (path, old), new in pairs:
        kinds = [(jnp.shape(leaf), jnp.asarray(leaf).dtype) for leaf in (old, new)]
        where = jax.tree_util.keystr(path)
        require(kinds[0] == kinds[1], rule, f"{where} changed from {kinds}")


def check_act(one: Compiled, spec: Spec) -> None:
    """Actions fit the environment, whatever the number of environments."""
    low, high = (0, spec.num_actions - 1) if spec.num_actions else (-1, 1)
    for number in _SIZES:
        for evaluation in (False, True):
            actions, extras = _act(one, spec, number, evaluation)
            wanted = [number, *spec.action.shape]
            rule = f"actions for {number} environments must be {spec.action.dtype}"
            rule += f" of shape {wanted}, between {low} and {high}"
            found = np.asarray(actions)
            require(list(found.shape) == wanted, rule, f"got {list(found.shape)}")
            require(found.dtype == spec.action.dtype, rule, f"got {found.dtype}")
            inside = np.all((found >= low) & (found <= high))
            require(inside, rule, f"got {found.min()} to {found.max()}")
            for leaf in jax.tree.leaves(extras):
                require(
                    jnp.shape(leaf)[:1] == (number,),
                    f"extras of {number} environments must have {number} rows",
                    f"got a leaf of shape {list(jnp.shape(leaf))}",
                )


def check_act_repeats(one: Compiled, spec: Spec) -> None:
    """The policy's randomness comes from its key alone."""
    for evaluation in (False, True):
        first, again = (_act(one, spec, 3, evaluation) for _ in range(2))
        require(
            leaves_equal(first, again),
            "act must give equal actions and extras for equal arguments",
            "got different ones",
        )


def check_restoring(one: Compiled, spec: Spec) -> None:
    """A state that was turned into numpy arrays and back continues exactly."""
    batch = batch_with_extras(one, spec)
    state, _ = one.update(one.state, batch)
    plain = state._replace(key=jax.random.key_data(state.key))
    loaded = pickle.loads(pickle.dumps(jax.tree.map(np.asarray, plain)))
    restored = loaded._replace(key=jax.random.wrap_key_data(loaded.key))
    require(
        leaves_equal(
            one.update(state, batch)[0].params, one.update(restored, batch)[0].params
        ),
        "a state that was saved and loaded must continue as the original",
        "the next update differs",
    )


def check_numbers(agent: Agent) -> None:
    """The discount is above 0 and at most 1; a batch has at least one transition."""
    require(
        0 < agent.discount <= 1,
        "the agent's discount must be above 0 and at most 1",
        f"got {agent.discount}",
    )
    require(
        agent.storage.batch_size > 0,
        "the agent's storage must have a batch_size of at least 1",
        f"got {agent.storage.batch_size}",
    )


def check_stages(stages: Sequence[Stage], spec: Spec) -> None:
    """Each earlier stage has name and steps, learns, and its networks fit the last."""
    *earlier, last = stages
    require(
        (last.name, last.steps) == ("", None),
        "the last stage must have no name and no steps: it has those of the run",
        f"got {last.name!r} and {last.steps}",
    )
    names = [stage.name for stage in earlier]
    require(
        all(names) and len(set(names)) == len(names),
        "stages before the last must have different names",
        f"got {names}",
    )
    kept = jax.eval_shape(last.agent.init, jax.random.key(0)).params
    for stage in earlier:
        require(
            stage.steps is not None and stage.steps >= 1,
            f"the stage {stage.name} must have at least 1 step",
            f"got {stage.steps}",
        )
        _check_earlier(stage, kept, batch_for(last.agent, spec))


def _check_earlier(stage: Stage, kept: Params, batch: Transition) -> None:
    """A stage's update changes its networks, which fit those of the last stage."""
    state = stage.agent.init(jax.random.key(0))
    after, metrics = jax.jit(stage.agent.update)(state, batch)
    check_metrics(metrics)
    require(
        not leaves_equal(after.params, state.params),
        f"the stage {stage.name} must change its networks",
        "an update changed nothing",
    )
    shared = set(state.params) & set(kept)
    require(
        shared,
        f"the stage {stage.name} must learn a network of the last stage",
        f"it has {sorted(state.params)}, the last one {sorted(kept)}",
    )
    for name in shared:
        shapes = [jax.tree.map(jnp.shape, p[name]) for p in (after.params, kept)]
        require(
            shapes[0] == shapes[1],
            f"the network {name} must be the same in all stages",
            f"its shapes differ between {stage.name} and the last stage",
        )


def batch_with_extras(one: Compiled, spec: Spec, seed: int = 0) -> Transition:
    """A batch for the update, with the extras that the policy stores."""
    batch = batch_for(one.agent, spec, seed)
    if one.agent.tables is not None:
        return batch
    key = jax.random.key(3)
    arguments = (one.state.params, key, batch.observation, 0, False)
    if jax.tree.leaves(jax.eval_shape(one.act, *arguments)[1]):
        return batch._replace(extras=one.act(*arguments)[1])
    return batch


def _act(one: Compiled, spec: Spec, number: int, evaluation: bool) -> tuple[Any, Any]:
    seen = observations(spec, number)
    return one.act(one.state.params, jax.random.key(3), seen, 0, evaluation)


# What is printed of each check that takes a compiled agent and a spec.
CHECKS: dict[str, Callable[[Compiled, Spec], None]] = {
    "init gives networks that depend on the key alone, and equal targets": check_init,
    "update is pure and finite, is compiled once, changes the networks": check_update,
    f"act fits {', '.join(map(str, _SIZES))} environments": check_act,
    "act has no randomness but its key's": check_act_repeats,
    "a state that was saved and loaded continues exactly": check_restoring,
}
