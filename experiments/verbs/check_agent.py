"""`munchausen check-agent`: checks an agent against its contract."""

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from experiments import flags
from experiments.flags import OverrideError

if TYPE_CHECKING:  # otherwise late: mistakes are reported before jax loads
    from agents import Recipe
    from agents.parts.contract import Spec
    from agents.parts.trial import Compiled

HELP = """\
usage: munchausen check-agent <agent> [--plugin MODULE,...]

Checks that an agent can run: shapes, determinism, compilation, finite metrics, storage,
checkpoints, configuration. Prints a line for each check; exit code 1 if one failed.
<agent> is my_module:name, where my_module has REGISTRY, a dictionary from names to
agents.Recipe; or the name of an agent that `munchausen list` shows.

  --plugin  modules of yours, each with a REGISTRY of agents"""


@dataclass(frozen=True)
class Options:
    """Flags of `check-agent`; its argument is an agent.

    Attributes:
        plugin: modules of a user, each with a `REGISTRY` of agents.
    """

    plugin: tuple[str, ...] = ()


class Result(NamedTuple):
    """What came of a check.

    Attributes:
        check: what was checked.
        problem: what must hold, and what was seen; empty if the check passed.
        skipped: whether the check does not apply to this agent.
    """

    check: str
    problem: str = ""
    skipped: bool = False

    def line(self) -> str:
        """The result as one line."""
        if not self.problem:
            return f"ok       {self.check}"
        state = "skipped" if self.skipped else "FAILED "
        return f"{state}  {self.check}: {self.problem}"


def main(arguments: Sequence[str]) -> int:
    """Checks an agent; prints a line for each check.

    Raises:
        OverrideError: there is no such agent, or it cannot be used.
    """
    plain, values = flags.read(arguments, flags.fields(Options()))
    options = flags.replace(Options(), values, "--")
    if len(plain) != 1:
        raise OverrideError("name one agent, such as mdqn or my_module:name")
    import agents
    from experiments.catalogue import user_agents

    user_agents.choose(options.plugin)
    name, known = plain[0], user_agents.known() if ":" not in plain[0] else {}
    try:
        recipe = agents.find(known[name].agent_name if name in known else name)
    except agents.UnusableAgent as error:
        raise OverrideError(str(error)) from error
    failed = 0
    for result in results(recipe):
        print(result.line(), flush=True)
        failed += bool(result.problem) and not result.skipped
    print(f"{name}: {f'{failed} checks failed' if failed else 'all checks passed'}")
    return int(failed > 0)


def results(recipe: "Recipe") -> Iterator[Result]:
    """Yields the result of each check of an agent, on each kind of environment."""
    from agents.parts.trial import BOX, COMPLETIONS, IMAGES, VECTORS, small

    yield _result("config.yaml gives the configuration back", check_config, recipe)
    specs = {"vectors": VECTORS, "images": IMAGES}
    if recipe.actions == "continuous":
        specs = {"vectors": BOX}
    elif recipe.actions == "tokens":
        specs = {"completions": COMPLETIONS}
    for kind, spec in specs.items():
        try:
            config = small(recipe.default(), spec)
            recipe.agent(config, spec)
        except ValueError as error:  # how an agent refuses an environment
            said, cause = " ".join(str(error).split()), error.__cause__ or error
            refuses = isinstance(cause, ValueError)
            yield Result(f"{kind}: agent", said, skipped=refuses and kind == "images")
            continue
        yield from _on_spec(recipe, config, spec, kind)


def _on_spec(
    recipe: "Recipe", config: Any, spec: "Spec", kind: str
) -> Iterator[Result]:
    from agents.parts import conformance, trial

    made = recipe.agent(config, spec)
    try:
        one = trial.compile_agent(made)
    except Exception as error:
        yield Result(f"{kind}: init", _raised(error))
        return
    for title, check in conformance.CHECKS.items():
        yield _result(f"{kind}: {title}", check, one, spec)
    yield _result(f"{kind}: discount and storage", conformance.check_numbers, made)
    stages = recipe.stages(config, spec)
    yield _result(f"{kind}: stages", conformance.check_stages, stages, spec)
    yield _result(
        f"{kind}: a checkpoint continues exactly", check_checkpoint, one, spec
    )
    title = f"{kind}: a replay stores actions and extras"
    if recipe.dataset is not None:
        yield Result(title, "it learns from datasets only", skipped=True)
    else:
        yield _result(title, check_store, one, spec)


def _result(title: str, check: Callable[..., None], *arguments: Any) -> Result:
    from agents.parts.conformance import Failed

    try:
        check(*arguments)
    except Failed as error:
        return Result(title, str(error))
    except Exception as error:  # a user's code may raise anything
        return Result(title, _raised(error))
    return Result(title)


def _raised(error: Exception) -> str:
    """An error of an agent's code, with the place where it was raised."""
    from agents import place

    text = " ".join(str(error).split())[:300]
    return f"it must not raise; {type(error).__name__}: {text} ({place(error)})"


def check_config(recipe: "Recipe") -> None:
    """`config.yaml` can hold the configuration, and a child process receives it."""
    import pickle

    import yaml

    from agents.parts.conformance import require
    from launch.runs import serialization

    config = recipe.default()
    rule = f"{recipe.module}.Config must consist of numbers, texts, tuples, dataclasses"
    reason = serialization.obstacle(config)
    require(not reason, rule, reason)
    plain = yaml.safe_load(yaml.safe_dump(serialization.to_plain(config)))
    again = serialization.from_plain(type(config), plain)
    require(again == config, rule, f"config.yaml gave {again!r} for {config!r}")
    again = pickle.loads(pickle.dumps(config))
    require(again == config, "Config must be picklable", f"got {again!r}")
    undocumented = [path for path, one in flags.fields(config).items() if not one.help]
    require(
        not undocumented,
        "Config's docstring must explain each field under Attributes:",
        f"it lacks {', '.join(undocumented)}",
    )


def check_checkpoint(one: "Compiled", spec: "Spec") -> None:
    """A checkpoint on disk gives the training state back."""
    from agents.parts.conformance import batch_with_extras, require
    from agents.parts.trial import leaves_equal
    from launch.runs import checkpoint, checkpoint_saving
    from launch.runs.logs import Counts

    batch = batch_with_extras(one, spec)
    state, _ = one.update(one.state, batch)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        checkpoint_saving.save(run, Counts(7), state, extra={}, replay=None, keep=1)
        loaded = checkpoint.load_state(checkpoint.newest(run), one.agent)
    after = [one.update(each, batch)[0].params for each in (state, loaded)]
    rule = "a loaded checkpoint must continue as the run that saved it"
    require(leaves_equal(*after), rule, "the next update differs")


def check_store(one: "Compiled", spec: "Spec") -> None:
    """The local replay takes what the policy returns, and the update what it stores."""
    import jax
    import numpy as np
    from dm_env import StepType, TimeStep

    from agents.parts import trial
    from agents.parts.conformance import check_metrics
    from launch.build import make_extras_spec
    from launch.replay.in_process import InProcess

    lanes = trial.ENVIRONMENTS
    storage = dataclasses.replace(
        one.agent.storage,
        capacity=300,
        min_size=1,
        batch_size=trial.BATCH,
        order="replay",
    )
    store = InProcess(
        storage,
        spec,
        discount=one.agent.discount,
        frame_stack=1,
        num_environments=lanes,
        seed=0,
        extras=make_extras_spec(one.agent._replace(storage=storage), spec),
    )
    one_each = np.ones(lanes, np.float32)
    store.observe_first(
        TimeStep(np.full(lanes, StepType.FIRST), one_each, one_each, _seen(spec, 0))
    )
    for step in range(1, storage.n_step + 20):
        key = jax.random.key(step)
        acted = one.act(one.state.params, key, _seen(spec, step - 1), step, False)
        action, extras = jax.tree.map(np.asarray, acted)
        kind = np.full(lanes, StepType.MID)
        timestep = TimeStep(kind, one_each, one_each, _seen(spec, step))
        store.observe(action, timestep, extras)
    _, metrics = one.update(one.state, store.next())
    check_metrics(metrics)


def _seen(spec: "Spec", step: int) -> Any:
    from agents.parts import trial

    return trial.observations(spec, trial.ENVIRONMENTS, step)
