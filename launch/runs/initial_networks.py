"""Networks that may give others their first weights, and whether these fit.

A run gives those of its networks, a checkpoint of Hugging Face its only one. Nothing is
computed or loaded here, see `launch.runs.initial_weights`.
"""

import functools
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import environments
from agents.parts.contract import Agent, NetworkParams, Params, Stage, TrainingState
from environments.vector import VectorEnvironment
from launch.build import NORMALIZER, make_agent, make_spec
from launch.experiment import Experiment, Origin
from launch.runs import run_directory

POLICY = "policy"


class Learned(NamedTuple):
    """The networks of a run, or of a checkpoint of Hugging Face.

    Attributes:
        name: of the run's experiment, or the checkpoint's directory.
        params: shapes and dtypes of the parameters of each network.
        learned: names of the networks that the run learns.
        architectures: the configuration of each network; None where it has none.
        words: the vocabulary of its language task or tokenizer; empty if unknown.
        experiment: of the run; None of a checkpoint.
    """

    name: str
    params: Params
    learned: frozenset[str]
    architectures: Mapping[str, Any]
    words: tuple[str, ...]
    experiment: Experiment | None = None


@functools.lru_cache(maxsize=32)
def learned_by(experiment: Experiment) -> Learned:
    """The networks that runs of an experiment have at their end."""
    environment = environments.make(experiment.environment, 1, experiment.seed)
    try:
        spec, words = make_spec(environment), _words(environment)
    finally:
        environment.close()
    state = abstract_state(make_agent(experiment, spec))
    return Learned(
        experiment.name,
        state.params,
        frozenset(state.opt_state),
        {name: architecture(experiment.agent, name)[1] for name in state.params},
        words,
        experiment,
    )


def learned_at(directory: Path) -> Learned:
    """The networks of a run, or of a checkpoint of Hugging Face.

    Raises:
        RunDirectoryError: the directory holds neither, or what it holds cannot be read.
    """
    if not is_pretrained(directory):
        return learned_by(run_directory.read_experiment(directory))
    # Other runs need neither the decoder nor the libraries of its files.
    from agents.parts.language import transformer
    from launch.pretrained import config_file, tokenizer

    config = config_file.read(directory).config
    params = jax.eval_shape(
        lambda seed: transformer.init(jax.random.key(seed), config), np.uint32(0)
    )
    words = tokenizer.load(directory).pieces if tokenizer.files(directory) else ()
    one = {POLICY: params}
    return Learned(str(directory), one, frozenset(one), {POLICY: config}, words)


def is_pretrained(directory: Path) -> bool:
    """Whether a directory holds a checkpoint of Hugging Face."""
    return (directory / "config.json").is_file()


def of_origin(origin: Origin) -> Learned:
    """The networks of the run or checkpoint from which weights come.

    Raises:
        RunDirectoryError: see `learned_at`.
    """
    path = Path(origin.path)
    return learned_at(path if is_pretrained(path) else run_of(path))


def run_of(checkpoint: Path) -> Path:
    """The run directory of a run's checkpoint."""
    return checkpoint.parents[1]


def _words(environment: VectorEnvironment) -> tuple[str, ...]:
    task = getattr(environment, "task", None)  # of a LanguageEnvironment
    return () if task is None else task.vocabulary.words


def architecture(agent: Any, network: str) -> tuple[str, Any]:
    """The field of an agent's configuration that describes a network, and its value.

    It has the network's name, or is `network`; None where there is neither.
    """
    field = network if hasattr(agent, network) else "network"
    return field, getattr(agent, field, None)


def abstract_state(agent: Agent) -> TrainingState:
    """Shapes and dtypes of an agent's first training state; computes nothing."""
    return jax.eval_shape(lambda seed: agent.init(jax.random.key(seed)), np.uint32(0))


def check(experiment: Experiment, stages: Sequence[Stage]) -> TrainingState:
    """Refuses first weights of unknown networks, and an agent without what it needs.

    Args:
        experiment: the experiment to run.
        stages: its learning stages.

    Returns:
        Shapes and dtypes of the first state of the last stage.

    Raises:
        ValueError: a network is unknown, or has no weights although it must be given.
        RunDirectoryError: a network does not fit its origin, or that cannot be read.
    """
    state = abstract_state(stages[-1].agent)
    known = set(state.params) - {NORMALIZER}
    for name in experiment.initial:
        if name not in known:
            raise ValueError(
                f"--initial.{name} must name a network of {experiment.agent_name}: one "
                f"of {', '.join(sorted(known))}"
            )
    for name in stages[-1].agent.given:
        if name not in experiment.initial:
            raise ValueError(
                f"the network {name} of {experiment.agent_name} does not learn, so its "
                f"weights must be given: add --initial.{name} RUN, a finished run, or "
                "the name of an experiment that is trained first"
            )
    for each in experiment.origins:
        check_fit(learned_by(experiment), each.network, of_origin(each), each.source)
    check_tokenizers(experiment.origins)
    return state


def check_tokenizers(origins: Sequence[Origin]) -> None:
    """Refuses checkpoints of Hugging Face whose tokens differ from the policy's.

    Args:
        origins: of the networks of one run.

    Raises:
        PretrainedError: vocabularies, end tokens or tokenizers differ.
    """
    checkpoints = {
        each.network: Path(each.path)
        for each in origins
        if is_pretrained(Path(each.path))
    }
    policy = checkpoints.pop(POLICY, None)
    if policy is None or not checkpoints:
        return
    # Other runs need neither the decoder nor the libraries of its files.
    from launch.pretrained import tokenizer

    for other in checkpoints.values():
        tokenizer.check_pair(other, policy)


def check_fit(
    own: Learned, network: str, source: Learned, taken: str, said: str = ""
) -> None:
    """Refuses weights for another vocabulary, for other inputs, or of other shapes.

    Args:
        own: the networks that are to have the weights.
        network: the one of them that is given weights.
        source: the networks that may give them.
        taken: the one of them that gives them.
        said: what the message calls the weights; empty: by the flag that names them.

    Raises:
        ValueError: they do not fit; the message names the first difference.
    """
    said = said or f"--initial.{network}"
    pairs = itertools.zip_longest(own.words, source.words)
    for token, (left, right) in enumerate(pairs):
        if left != right and own.words and source.words:
            raise ValueError(
                f"{said} must have the vocabulary of {own.name}, "
                f"{len(own.words)} tokens, but {source.name} has another one of "
                f"{len(source.words)}: token {token} is {left!r} in the first and "
                f"{right!r} in the second"
            )
    _check_inputs(own, source, said)
    needed, given = arrays(own.params[network]), arrays(source.params[taken])
    for name in [*needed, *given]:
        wanted, found = needed.get(name), given.get(name)
        if wanted == found:
            continue
        rule = f"{name} must be {wanted}, but in {taken} of {source.name} it is {found}"
        if found is None:
            rule = f"{name} must be {wanted}, but {taken} of {source.name} has none"
        elif wanted is None:
            rule = f"{taken} of {source.name} has {name}, {found}, too"
        raise ValueError(f"{said} must fit {own.name}: {rule}")


def _check_inputs(own: Learned, source: Learned, said: str) -> None:
    """Refuses weights that learned from normalised observations, or from others."""
    needs, has = NORMALIZER in own.params, NORMALIZER in source.params
    if needs == has:
        return
    flag = "--preparation.normalize_observations"
    if has:
        raise ValueError(
            f"{said} must have learned from observations as they are, like {own.name}, "
            f"but {source.name} normalises them with its dataset: choose a run that "
            f"learned with {flag} false"
        )
    raise ValueError(
        f"{said} must have learned from normalised observations, like {own.name}, but "
        f"{source.name} does not normalise them: add {flag} false"
    )


def arrays(params: NetworkParams) -> dict[str, str]:
    """Shape and dtype of each array of a network by its path, such as `layers/0/up`."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): (
            f"{list(leaf.shape)} {np.dtype(leaf.dtype)}"
        )
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
    }


def choose(network: str, source: Learned, wanted: str = "") -> str:
    """The network of a source that gives the first weights of a network.

    Args:
        network: of the run to begin.
        source: the networks that may give the weights.
        wanted: one of them; empty: the one of the same name if the source learns it,
            else `policy`.

    Raises:
        ValueError: the source has no such network.
    """
    taken = wanted or (network if network in source.learned else POLICY)
    if taken not in source.params:
        neither = f"none, and it has neither {network} nor {POLICY}"
        raise ValueError(
            f"--initial.{network} must name a network of {source.name} with "
            f"#{' or #'.join(source.params)}, got {repr(wanted) if wanted else neither}"
        )
    return taken
