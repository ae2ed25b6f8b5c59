"""Converts an experiment to plain data, as `config.yaml` holds it, and back."""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any, cast

from launch.errors import AgentMissing

_KIND = "kind"  # names the class of a dataclass


def to_plain(value: Any) -> Any:
    """Nested dictionaries, lists and scalars that hold a dataclass's fields.

    Every nested dataclass carries its class name under `kind`; `read_experiment` finds
    the class of an environment by this name.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain = {
            field.name: to_plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
        return {_KIND: type(value).__name__, **plain}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{value!r} of type {type(value).__name__} has no plain form")


def from_plain(annotation: Any, plain: Any) -> Any:
    """The value of type `annotation` that `to_plain` turned into `plain`.

    Raises:
        ValueError: `plain` is a dictionary but `annotation` is not a dataclass, or the
            dictionary names a field that the dataclass lacks.
    """
    if isinstance(plain, Mapping):
        if typing.get_origin(annotation) is Mapping:
            return {key: from_plain(Any, item) for key, item in plain.items()}
        if not dataclasses.is_dataclass(annotation):
            raise ValueError(f"no class named {plain.get(_KIND)!r} in {annotation}")
        return _from_mapping(cast(type, annotation), plain)
    if isinstance(plain, list):
        arguments = typing.get_args(annotation)
        item = arguments[0] if arguments else Any
        return tuple(from_plain(item, element) for element in plain)
    if annotation is float and isinstance(plain, int):
        return float(plain)
    return plain


def obstacle(value: Any) -> str:
    """Why `config.yaml` could not give a dataclass back; empty if it could."""
    try:
        again = from_plain(type(value), to_plain(value))
    except (TypeError, ValueError) as error:
        return str(error)
    return "" if again == value else f"it would become {again!r}, but it is {value!r}"


def read_experiment(plain: Mapping[str, Any]) -> Any:
    """The Experiment whose `to_plain` is `plain`.

    `agent_name` leads to the class of its agent, `kind` names that of its environment.

    Raises:
        AgentMissing: the agent is not installed, or cannot be used.
        KeyError, TypeError, ValueError: it does not fit this version.
    """
    # Imported here: a report reads plain data without importing JAX.
    import agents
    import environments
    from launch.experiment import Experiment

    try:
        recipe = agents.find(plain["agent_name"])
    except agents.UnusableAgent as error:
        raise AgentMissing(str(error)) from error
    agent = _from_mapping(recipe.config, plain["agent"])
    place = plain["environment"]
    environment = _from_mapping(environments.config_class(place[_KIND]), place)
    return _from_mapping(Experiment, plain, agent=agent, environment=environment)


def _from_mapping(cls: type, plain: Mapping[str, Any], **built: Any) -> Any:
    hints = typing.get_type_hints(cls)
    names = {field.name for field in dataclasses.fields(cls)}
    unknown = sorted(set(plain) - names - {_KIND})
    if unknown:
        raise ValueError(f"{cls.__name__} has no field {unknown[0]!r}")
    values = {
        name: from_plain(hints[name], plain[name])
        for name in names & set(plain) - set(built)
    }
    return cls(**values, **built)
