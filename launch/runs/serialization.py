"""An experiment as plain data: what `config.yaml` holds, and back again."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any

_KIND = "kind"  # names the class where a field admits several


def to_plain(value: Any) -> Any:
    """Nested dictionaries, lists and scalars that hold a dataclass's fields.

    Every nested dataclass carries its class name under `kind`, so that a field that
    admits several classes (an environment) can be read back.
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
        ValueError: a dictionary names no class that `annotation` admits, or a field
            that the class lacks.
    """
    if isinstance(plain, Mapping):
        return _from_mapping(_class_of(annotation, plain), plain)
    if isinstance(plain, list):
        arguments = typing.get_args(annotation)
        item = arguments[0] if arguments else Any
        return tuple(from_plain(item, element) for element in plain)
    if annotation is float and isinstance(plain, int):
        return float(plain)
    return plain


def read_experiment(plain: Mapping[str, Any]) -> Any:
    """The Experiment whose `to_plain` is `plain`; the registry knows its agent."""
    import agents
    from launch.experiment import Experiment

    agent_name = plain["agent_name"]
    if agent_name not in agents.REGISTRY:
        raise ValueError(f"unknown agent {agent_name}; known: {list(agents.REGISTRY)}")
    agent = _from_mapping(agents.REGISTRY[agent_name].config, plain["agent"])
    return _from_mapping(Experiment, plain, agent=agent)


def is_union(annotation: Any) -> bool:
    """Whether a type annotation is a union, written in either way."""
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _class_of(annotation: Any, plain: Mapping[str, Any]) -> type:
    candidates = typing.get_args(annotation) if is_union(annotation) else [annotation]
    for candidate in candidates:
        if isinstance(candidate, type) and dataclasses.is_dataclass(candidate):
            if len(candidates) == 1 or candidate.__name__ == plain.get(_KIND):
                return candidate
    raise ValueError(f"no class named {plain.get(_KIND)!r} in {annotation}")


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
