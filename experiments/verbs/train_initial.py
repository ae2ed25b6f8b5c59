"""Finds the first weights of networks before runs begin; trains what gives them.

An experiment that `Experiment.initial` names is trained only if no finished run of it,
with the same seed, exists below --runs.
"""

import dataclasses
import os

import agents
from experiments.flags import OverrideError
from experiments.verbs import initial_beginnings, initial_sources, train_runs
from experiments.verbs.initial_sources import Source
from experiments.verbs.train_arguments import Options, Plan
from launch import errors
from launch.build import NORMALIZER
from launch.experiment import Experiment, Origin
from launch.runs import (
    checkpoint,
    existing_runs,
    initial_networks,
    initial_weights,
)
from launch.runs.initial_networks import Learned

# Settings that may differ between a run and what gives it first weights: the prompts to
# train on, 0 for the task's vocabulary, and how a decoder computes.
_HARMLESS = ("prompts", "vocabulary", "dtype", "remat")


def provided(plan: Plan) -> Plan:
    """The plan, with the origins of first weights in the experiments that need them.

    Everything is checked before an experiment is trained for its weights.

    Raises:
        OverrideError: weights do not fit, or an experiment cannot run.
        RunDirectoryError: a run is not finished, or a run directory cannot be read.
        RunFailed: a run that was to give weights ended early.
        RunStopped: a signal ended it; the same command continues it.
    """
    options = plan.options
    sources = {
        experiment: {
            network: initial_sources.find(network, text, experiment)
            for network, text in experiment.initial.items()
        }
        for experiment in _to_begin(plan)
        if experiment.initial
    }
    if not sources:
        return plan
    for experiment in {each.name: each for each in sources}.values():
        train_runs.check(experiment, options.launch, options.wandb, here=False)
        _check_fit(experiment, sources[experiment])
        _print_differences(experiment, sources[experiment])
    for experiment, found in sources.items():
        initial_beginnings.check(experiment, found, options.runs)
    named = list[Experiment]()
    for each in [each for found in sources.values() for each in found.values()]:
        if isinstance(each.place, Experiment):
            named.append(each.place)
        else:
            initial_weights.check_whole(each.place)
    _train(list(dict.fromkeys(named)), options)
    origins = {
        experiment: tuple(
            _origin(network, source, options.runs) for network, source in found.items()
        )
        for experiment, found in sources.items()
    }
    return plan._replace(
        experiments=[
            dataclasses.replace(each, origins=origins.get(each, each.origins))
            for each in plan.experiments
        ]
    )


def _to_begin(plan: Plan) -> list[Experiment]:
    """The experiments of a plan without a run that has saved something."""
    if not plan.continued:
        return plan.experiments
    entries = existing_runs.find(plan.options.runs, plan.experiments)
    return [
        entry.experiment
        for entry in entries
        if entry.directory is None
        or (entry.state == "cut short" and not checkpoint.reached(entry.directory))
    ]


def _check_fit(experiment: Experiment, sources: dict[str, Source]) -> None:
    """Refuses weights that do not fit an experiment."""
    own = initial_networks.learned_by(experiment)
    # `--initial.sft` gives its weights to others, too, so a message names it first.
    for network in sorted(sources, key=lambda network: network != "sft"):
        source = sources[network]
        try:
            initial_networks.check_fit(own, network, source.learned, source.network)
        except ValueError as error:
            raise OverrideError(errors.in_flags(error, experiment)) from error
        _check_shared(experiment, network, source)


def _check_shared(experiment: Experiment, network: str, source: Source) -> None:
    """Refuses a run whose agent differs in what it must share with the experiment's."""
    learner = source.learned.experiment
    shared = agents.find(experiment.agent_name).shared.get(network, ())
    if learner is None:  # a checkpoint says nothing about its loss
        return
    for field in shared:
        needed = getattr(experiment.agent, field)
        given = getattr(learner.agent, field, needed)
        if given != needed:
            raise OverrideError(
                f"--initial.{network} must have learned with --agent.{field} {needed}, "
                f"as {experiment.name} does, but {source.learned.name} has {given}: "
                f"choose another run, or add --agent.{field} {given}"
            )


def _print_differences(experiment: Experiment, sources: dict[str, Source]) -> None:
    """Names settings of task and network with which first weights were not learned."""
    for network, source in sources.items():
        learned = source.learned
        _print_inputs(experiment, network, learned)
        field, own = initial_networks.architecture(experiment.agent, network)
        pairs = [(f"agent.{field}", own, learned.architectures[source.network])]
        if learned.experiment is not None:
            task = experiment.environment, learned.experiment.environment
            pairs.append(("environment", *task))
        for prefix, mine, other in pairs:
            for name in initial_sources.differences(mine, other):
                if name not in _HARMLESS:
                    print(
                        f"--initial.{network}: {learned.name} learned with "
                        f"--{prefix}.{name} {getattr(other, name)}, this run has "
                        f"{getattr(mine, name)}",
                        flush=True,
                    )


def _print_inputs(experiment: Experiment, network: str, learned: Learned) -> None:
    """Tells that first weights see other inputs than those with which they learned."""
    if learned.experiment is None or NORMALIZER not in learned.params:
        return
    own, other = experiment.dataset, learned.experiment.dataset
    if os.path.realpath(own) != os.path.realpath(other):
        print(
            f"--initial.{network}: {learned.name} normalised its observations with "
            f"{other}, this run does with {own}, so the weights begin with other "
            "inputs than they learned from; --preparation.normalize_observations false "
            "in both runs avoids that",
            flush=True,
        )


def _train(experiments: list[Experiment], options: Options) -> None:
    """Trains the experiments that have no finished run."""
    entries = existing_runs.find(options.runs, experiments)
    left = [each.experiment for each in entries if each.state != "complete"]
    if not left:
        return
    print(f"first, runs that give weights: {len(left)}", flush=True)
    own = dataclasses.replace(
        options,
        seeds=None,
        run_directory=None,
        resume=None,
        actors_at_least=1,
        elastic=False,
    )
    train_runs.run(provided(Plan(left, own, continued=True)))


def _origin(network: str, source: Source, runs: str) -> Origin:
    directory = source.place
    if isinstance(directory, Experiment):
        [entry] = existing_runs.find(runs, [directory])
        if entry.directory is None or entry.state != "complete":
            raise OverrideError(
                f"--initial.{network} must be finished, but {entry.title} is "
                f"{entry.state}: repeat the command when it has ended"
            )
        directory = entry.directory
    return initial_weights.origin(network, directory, source.network)
