"""What a command line of `train` names: an experiment or figure, and plugins."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from experiments import flags
from experiments.flags import OverrideError
from launch.experiment import Experiment

if TYPE_CHECKING:  # otherwise late: experiments need no figures
    from experiments.catalogue.figure import Figure


def choose_plugins(arguments: Sequence[str]) -> None:
    """Makes the agents known of the modules that `--plugin` names.

    Raises:
        OverrideError: a module has no usable agents, or --plugin no value.
    """
    from experiments.catalogue import user_agents

    modules: list[str] = []
    for place, argument in enumerate(arguments):
        flag, equals, text = argument.partition("=")
        if flag == "--plugin":
            given = [text] if equals else arguments[place + 1 : place + 2]
            modules += [name for each in given for name in each.split(",") if name]
    user_agents.choose(modules)


def find_named(arguments: Sequence[str]) -> "Experiment | Figure":
    """The experiment, figure or suite that a command line names, anywhere in it.

    Raises:
        OverrideError: it names none, or --plugin a module without usable agents.
    """
    choose_plugins(arguments)
    from experiments.names import EXPERIMENTS, FIGURES

    known: Mapping[str, Experiment | Figure]
    for argument in arguments:
        for known in (EXPERIMENTS, FIGURES):
            if argument in known:
                return known[argument]
    from experiments.catalogue import suites  # most experiments do not need it

    given = plain(arguments)
    for argument in given:
        if argument.startswith(suites.PREFIX):
            return suites.find(argument)
        if (of_suite := suites.experiment(argument)) is not None:
            return of_suite
    raise OverrideError(_why_unknown(given))


def _why_unknown(given: Sequence[str]) -> str:
    """Says why `train` does not know a name, and which known name is near."""
    from experiments.catalogue.experiments import misfit
    from experiments.names import COMPUTATIONS, EXPERIMENTS, FIGURES, GRIDS

    for reason in filter(None, map(misfit, given)):
        return reason
    if not given:
        return "name an experiment first, such as mdqn/cartpole"
    agent_name, _, task_name = given[0].partition("/")
    if re.search(r"-v\d+$|:", task_name) and f"{agent_name}/gymnasium" in EXPERIMENTS:
        how = any_environment(agent_name, task_name)
        return f"unknown experiment {given[0]!r}; {how}"
    hint = _hint(given[0], [*EXPERIMENTS, *FIGURES, *GRIDS, *COMPUTATIONS])
    return f"unknown experiment {given[0]!r}; {hint}"


def plain(arguments: Sequence[str]) -> list[str]:
    """The arguments that are neither flags nor the values of flags."""
    before = ["", *arguments]
    return [
        argument
        for argument, previous in zip(arguments, before, strict=False)
        if not argument.startswith("-")
        and (not previous.startswith("--") or "=" in previous)
    ]


def _hint(name: str, names: Sequence[str]) -> str:
    """The name that was meant, if both of its halves are near; else where to look."""
    first, _, second = name.partition("/")
    close = flags.nearest(first, dict.fromkeys(each.split("/")[0] for each in names))
    if close is not None and second:
        rest = [each.split("/")[1] for each in names if each.startswith(f"{close}/")]
        found = flags.nearest(second, rest)
        if found is not None:
            return f"did you mean {f'{close}/{found}'!r}?"
    for half in (second, first):
        if half and any(half in each.split("/") for each in names):
            return (
                f"`munchausen list {half}` prints the names with {half}; an agent of "
                "yours needs --plugin MODULE"
            )
    return "`munchausen list` prints what there is"


def any_environment(agent_name: str, environment_id: str) -> str:
    """How to train an agent on an environment that has no experiment here."""
    return (
        "for any environment of Gymnasium or of yours use "
        f"{agent_name}/gymnasium --environment.id {environment_id}"
    )
