"""The first weights of networks, from finished runs.

`Experiment.initial` says where they come from. Before a run begins, `origin` turns each
place into an `Origin`, which `config.yaml` records; the learner loads it once. A run
that resumes reads its own checkpoint instead.
"""

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from agents.parts.contract import Agent, NetworkParams, Params, Stage, TrainingState
from launch.build import NORMALIZER, make_agent, spec_of
from launch.errors import Damaged, RunDirectoryError
from launch.experiment import Experiment, Origin
from launch.runs import checkpoint, existing_runs, logs, run_directory
from launch.runs.checkpoint_files import STATE

POLICY = "policy"


def abstract_state(agent: Agent) -> TrainingState:
    """Shapes and dtypes of an agent's first training state; computes nothing."""
    return jax.eval_shape(lambda seed: agent.init(jax.random.key(seed)), np.uint32(0))


def check(experiment: Experiment, stages: Sequence[Stage]) -> None:
    """Refuses first weights of unknown networks, and networks without any weights.

    Args:
        experiment: the experiment to run.
        stages: its learning stages.

    Raises:
        ValueError: a network is unknown, or one neither learns nor has first weights.
        RunDirectoryError: a network does not fit its origin, or that cannot be read.
    """
    states = [abstract_state(stage.agent) for stage in stages]
    known = _networks(states)
    for name in experiment.initial:
        if name not in known:
            raise ValueError(
                f"--initial.{name} must name a network of {experiment.agent_name}: one "
                f"of {', '.join(known)}"
            )
    learned = {name for state in states for name in state.opt_state}
    for name in states[-1].params:
        if name not in {*learned, *experiment.initial, NORMALIZER}:
            raise ValueError(
                f"the network {name} of {experiment.agent_name} does not learn, so its "
                f"weights must be given: add --initial.{name} RUN, a finished run, or "
                "the name of an experiment that is trained first"
            )
    for each in experiment.origins:
        source = _learned_by(each)
        check_fit(experiment, each.network, known[each.network], source, each.source)


def shapes(stages: Sequence[Stage]) -> Params:
    """Shapes and dtypes of the parameters of all networks of some stages, by name."""
    return _networks([abstract_state(stage.agent) for stage in stages])


def _networks(states: Sequence[TrainingState]) -> Params:
    return {name: each for state in states for name, each in state.params.items()}


def check_fit(
    experiment: Experiment,
    network: str,
    params: NetworkParams,
    source: Experiment,
    taken: str,
) -> None:
    """Refuses weights of other shapes.

    Args:
        experiment: the experiment to run.
        network: one of its networks.
        params: the network's parameters, or their shapes.
        source: the experiment that learns the weights.
        taken: a network of it.

    Raises:
        ValueError: they differ; the message names the first array that does.
    """
    given = arrays(trained_state(source).params[taken])
    needed = arrays(params)
    for name in [*needed, *given]:
        wanted, found = needed.get(name, "no array"), given.get(name, "no array")
        if wanted != found:
            raise ValueError(
                f"--initial.{network} must fit {experiment.agent_name}: {name} must be "
                f"{wanted}, but in {taken} of {source.name} it is {found}"
            )


def arrays(params: NetworkParams) -> dict[str, str]:
    """Shape and dtype of each array of a network by its path, such as `layers/0/up`."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): (
            f"{list(leaf.shape)} {np.dtype(leaf.dtype)}"
        )
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
    }


@functools.lru_cache(maxsize=32)
def trained_state(source: Experiment) -> TrainingState:
    """Shapes and dtypes of the training state that a run ends with."""
    return abstract_state(make_agent(source, spec_of(source)))


def choose(network: str, source: Experiment, wanted: str = "") -> str:
    """The network of a source that gives the first weights of a network.

    Args:
        network: of the run to begin.
        source: the experiment that learns the weights.
        wanted: a network of the source; empty: the one of the same name if the source
            learns it, else `policy`.

    Raises:
        ValueError: the source has no such network.
    """
    state = trained_state(source)
    taken = wanted or (network if network in state.opt_state else POLICY)
    if taken not in state.params:
        raise ValueError(
            f"--initial.{network} must name a network of {source.name} with "
            f"#{' or #'.join(state.params)}, got {taken!r}"
        )
    return taken


def check_finished(directory: Path) -> None:
    """Refuses a run that is not finished.

    Raises:
        RunDirectoryError: it is not, or it is no run.
    """
    experiment = run_directory.read_experiment(directory)
    if not existing_runs.is_complete(directory, experiment):
        rows = logs.read_evaluations(directory)
        done = rows[-1].grid if rows else 0
        raise RunDirectoryError(
            f"a run that gives first weights must be finished, but {directory} was "
            f"evaluated last after {done:,} of {experiment.steps:,} steps: continue it "
            f"with `munchausen train --resume {directory}`"
        )


def origin(network: str, directory: Path, taken: str) -> Origin:
    """The weights that a finished run has learned.

    Args:
        network: of the run to begin.
        directory: the finished run.
        taken: the network of the finished run.

    Raises:
        RunDirectoryError: it is not a run, not finished, or has no usable checkpoint.
    """
    check_finished(directory)
    path = checkpoint.newest(directory).path
    return Origin(network, str(path.absolute()), taken, _digest(path))


def load(origins: Sequence[Origin]) -> Params:
    """The first weights of a run's networks, by name.

    Raises:
        RunDirectoryError: they are gone, or are not those that were chosen.
    """
    return {each.network: _load(each) for each in origins}


def _load(origin: Origin) -> NetworkParams:
    path = Path(origin.path)
    if _digest(path) != origin.sha256:
        raise RunDirectoryError(
            f"{path} must hold the weights with which {origin.network} was to begin, "
            "but it is gone or was altered: begin the run again as a new one"
        )
    source = _learned_by(origin)
    agent = make_agent(source, spec_of(source))
    try:
        saved = checkpoint.read(path)
    except Damaged as error:
        raise RunDirectoryError(str(error)) from error
    return checkpoint.load_state(saved, agent).params[origin.source]


def _learned_by(origin: Origin) -> Experiment:
    return run_directory.read_experiment(Path(origin.path).parents[1])


def _digest(path: Path) -> str:
    """SHA-256 of the names and contents of all files of a saved training state."""
    total = hashlib.sha256()
    root = path / STATE
    for file in sorted(each for each in root.rglob("*") if each.is_file()):
        total.update(str(file.relative_to(root)).encode() + b"\0")
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()
