"""Which settings of a run can change when it resumes, and what a change means."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments import flags
from experiments.flags import OverrideError
from experiments.verbs import train_arguments
from launch.experiment import Experiment
from launch.runs.run_directory import BOOKKEEPING

# Why a field cannot change, and what to do instead; by path, or by its first part.
_OTHER_RUN = "train another run"
_FIXED = {
    "name": f"the name is that of the run directory: {_OTHER_RUN}",
    "agent_name": f"the saved networks are this agent's: {_OTHER_RUN}",
    "initial": f"the run has begun with these weights: {_OTHER_RUN}",
    "origins": f"the run has begun with these weights: {_OTHER_RUN}",
    "description": f"the experiment's name determines it: {_OTHER_RUN}",
    "seed": f"all random numbers so far came from the old seed: {_OTHER_RUN}",
    "environment": f"replay and networks are of this environment: {_OTHER_RUN}",
    "dataset": f"the saved networks learned from this dataset: {_OTHER_RUN}",
    "preparation": f"the saved networks learned from data of this kind: {_OTHER_RUN}",
    "replays": f"each replay server saved its own transitions: {_OTHER_RUN}",
    "agent.storage": f"the saved replay was filled with these settings: {_OTHER_RUN}",
    "runs": "the run stays in its directory: move that directory instead",
    "seeds": "one run resumes: repeat the command that started all seeds instead",
    "parallel": "one run resumes: repeat the command that started several instead",
    "run_directory": "the run stays in its directory: remove --run_directory",
    "plugin": "config.yaml names the module of the agent: remove --plugin",
}
# Flags of `train` that `train --resume` has as well.
_OF_A_START = ("launch", "wandb", "actors_at_least", "grace", "restarts", "resume")
# Fields that do not change what is learned.
_HARMLESS = ("evaluation", "learners", *BOOKKEEPING)


def known(configured: Experiment) -> dict[str, flags.Field]:
    """All fields of a run and all flags of `train`, also those that cannot change."""
    options = flags.fields(train_arguments.Options())
    for path in _OF_A_START:
        del options[path]
    return options | flags.fields(configured)


def change(configured: Experiment, values: Mapping[str, Any]) -> Experiment:
    """The experiment with the settings of a command line.

    Args:
        configured: as `config.yaml` has it.
        values: new values by path; only those in `known`.

    Raises:
        OverrideError: a setting cannot change, or has an invalid value.
    """
    old = flags.fields(configured)
    changes = {
        path: value
        for path, value in values.items()
        if path not in old or old[path].value != value
    }
    for path in changes:
        reason = "" if _moved_dataset(configured, path, changes) else _reason(path)
        storage = getattr(configured.agent, "storage", None)  # offline agents have none
        if path == "agent.discount" and storage is not None and storage.n_step > 1:
            reason = f"the saved sums of n rewards have the old discount: {_OTHER_RUN}"
        if reason:
            raise OverrideError(f"--{path} cannot change when a run resumes: {reason}")
    return flags.replace(configured, changes, "--")


def _moved_dataset(
    configured: Experiment, path: str, changes: Mapping[str, Any]
) -> bool:
    """Whether the change is another place of the run's dataset.

    Its rows are compared with those that the run learned from when it is read.
    """
    return path == "dataset" and bool(configured.dataset and changes[path])


def _reason(path: str) -> str:
    names = path.split(".")
    prefixes = [".".join(names[: end + 1]) for end in range(len(names))]
    return next((_FIXED[prefix] for prefix in prefixes if prefix in _FIXED), "")


def changed(configured: Experiment, experiment: Experiment) -> dict[str, list[Any]]:
    """The old and the new value of each changed setting, by path."""
    old, new = flags.fields(configured), flags.fields(experiment)
    return {
        path: [old[path].value, new[path].value]
        for path in new
        if old[path].value != new[path].value
    }


def explain(
    path: str, old: Any, new: Any, *, step: int, local: bool, offline: bool = False
) -> str:
    """One line: a change, and what it does to reproducibility."""
    said = f"--{path} {flags.show(new)} (before: {flags.show(old)})"
    if path == "dataset":
        return f"{said}: another place of the dataset that the run learned from"
    harmless = (*_HARMLESS, "checkpoint.") if offline else _HARMLESS
    if path.startswith(harmless):
        return f"{said}: it does not change what the run learns"
    if not local:
        return f"{said}: from step {step:,} on; such a run is not reproducible anyway"
    if path.startswith("checkpoint."):
        return (
            f"{said}: a local run restarts its environments at a checkpoint, so from "
            f"step {step:,} on it differs from a run that kept the old value"
        )
    return (
        f"{said}: from step {step:,} on, so a single command cannot repeat the run; "
        "config.yaml records the change"
    )


def check_networks(configured: Experiment, experiment: Experiment, spec: Any) -> None:
    """Refuses changes of an agent to which the saved training state would not fit.

    Args:
        configured: as `config.yaml` has it.
        experiment: the changed one.
        spec: of the environment.

    Raises:
        OverrideError: networks or optimiser states would have other shapes.
    """
    if configured.agent == experiment.agent:
        return
    from launch.build import make_agent

    kinds = [
        _kind(make_agent(each, spec))
        for each in (
            configured,
            dataclasses.replace(configured, agent=experiment.agent),
        )
    ]
    if kinds[0] != kinds[1]:
        paths = [path for path in changed(configured, experiment) if "agent." in path]
        raise OverrideError(
            f"--{', --'.join(paths)} cannot change when a run resumes: the saved "
            f"networks or the state of their optimisers would not fit: {_OTHER_RUN}"
        )


def check_stages(
    configured: Experiment, experiment: Experiment, spec: Any, step: int
) -> None:
    """Refuses another length of a stage that has ended: the change had no effect.

    Args:
        configured: as `config.yaml` has it.
        experiment: the changed one.
        spec: of the environment.
        step: at which the run resumes; 0: an earlier stage is under way.

    Raises:
        OverrideError: an earlier stage would have taken another number of steps.
    """
    if configured.agent == experiment.agent or step == 0:
        return
    from launch.build import make_stages

    earlier = [make_stages(each, spec)[:-1] for each in (configured, experiment)]
    for old, new in zip(*earlier, strict=True):
        if old.steps != new.steps:
            found = changed(configured, experiment)
            lengths = [old.steps, new.steps]
            # A user's stage may last for a multiple of a setting.
            paths = [path for path in found if found[path] == lengths] or [*found]
            raise OverrideError(
                f"--{', --'.join(paths)} cannot change when a run resumes: its stage "
                f"{old.name} has ended after {old.steps:,} steps: {_OTHER_RUN}"
            )


def _kind(agent: Any) -> Any:
    """Structure, shapes and dtypes of an agent's training state.

    Computes nothing: the launcher of processes must not start a JAX backend.
    """
    import jax

    state = jax.eval_shape(lambda seed: agent.init(jax.random.key(seed)), np.uint32(0))
    leaves, structure = jax.tree.flatten(state)
    return structure, [(leaf.shape, leaf.dtype) for leaf in leaves]
