"""Agents of users' packages: of modules that `--plugin` names, and of entry points.

An entry point of the group `munchausen.agents` names a module with `REGISTRY`, or a
`Recipe` in a module. Modules are imported when one of their names is looked up that is
not ours, or when all names are listed.
"""

import functools
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import NamedTuple

import agents
from agents import Recipe, UnusableAgent
from experiments.flags import OverrideError

GROUP = "munchausen.agents"
_chosen: tuple[str, ...] = ()


class UserAgent(NamedTuple):
    """An agent of a user's package.

    Attributes:
        agent_name: `<module>:<name>`, as `agents.find` takes it.
        recipe: how to build it.
    """

    agent_name: str
    recipe: Recipe


class Installed(NamedTuple):
    """The agents of all entry points.

    Attributes:
        agents: by the name that precedes the task in an experiment's name.
        problems: why an entry point is left out, by its name.
    """

    agents: dict[str, UserAgent]
    problems: dict[str, str]


def choose(modules: Sequence[str]) -> None:
    """Makes the agents of these modules known, instead of those of earlier calls.

    Raises:
        OverrideError: a module cannot be imported or has no valid `REGISTRY`, or two
            agents have the same name.
    """
    global _chosen
    _chosen = tuple(modules)
    known.cache_clear()
    if not modules:
        return  # nothing is imported before a name is looked up
    try:
        known()
    except UnusableAgent as error:
        _chosen = ()
        raise OverrideError(f"--plugin: {error}") from error


@functools.cache
def known() -> Mapping[str, UserAgent]:
    """All agents of users by name: of chosen modules, then of entry points.

    Raises:
        UnusableAgent: an agent of a chosen module has the name of another agent.
    """
    found: dict[str, UserAgent] = {}
    for module in _chosen:
        for name, one in _of_module(module).items():
            _add(found, name, one)
    for name, one in installed().agents.items():
        if name not in found or found[name].recipe != one.recipe:
            _add(found, name, one)
    return found


@functools.cache
def installed() -> Installed:
    """The agents of installed packages; a broken entry point is left out."""
    found: dict[str, UserAgent] = {}
    problems: dict[str, str] = {}
    for point in metadata.entry_points(group=GROUP):
        try:
            for name, one in _of_entry_point(point).items():
                _add(found, name, one)
        except UnusableAgent as error:
            package = point.dist.name if point.dist else "a package"
            problems[point.name] = f"entry point {point.name} of {package}: {error}"
    return Installed(found, problems)


def _of_module(module: str) -> dict[str, UserAgent]:
    registry = agents.registry_of(module)
    return {name: UserAgent(f"{module}:{name}", registry[name]) for name in registry}


def _of_entry_point(point: metadata.EntryPoint) -> dict[str, UserAgent]:
    if not point.attr or point.attr == "REGISTRY":
        return _of_module(point.module)
    recipe = getattr(agents.import_module(point.module), point.attr, None)
    if not isinstance(recipe, Recipe):
        raise UnusableAgent(
            f"{point.value} must be a module with REGISTRY or an agents.Recipe, got "
            f"{recipe!r:.80}"
        )
    return {point.name: UserAgent(f"{point.module}:{point.attr}", recipe)}


def _add(found: dict[str, UserAgent], name: str, one: UserAgent) -> None:
    rival = "one of ours" if name in agents.REGISTRY else None
    if name in found:
        rival = found[name].agent_name
    if rival is not None:
        raise UnusableAgent(
            f"{one.agent_name} must have another name, because {rival} is called "
            f"{name} as well: rename it"
        )
    found[name] = one
