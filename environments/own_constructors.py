"""Finds and calls the constructors of users' environments; failures are one line."""

import functools
import importlib
import importlib.util
import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dm_env
import gymnasium

from environments.checks import USER_ERRORS, EnvironmentFailed, summary


def construct(
    name: str,
    kwargs: Mapping[str, Any],
    seed: int,
    episode_steps: int | None = None,
    *,
    rendered: bool = False,
) -> Any:
    """A new gymnasium.Env or dm_env.Environment.

    Args:
        name: `<id>` or `<module>:<id>` of gymnasium, or `<module>:<function or class>`.
        kwargs: keyword arguments of the constructor.
        seed: given to a function or class that has an argument `seed`; gymnasium's
            environments get theirs at the first reset.
        episode_steps: time limit that replaces the registered one; None: keep that.
        rendered: whether its `render` must work.

    Raises:
        EnvironmentFailed: it cannot be constructed.
    """
    if not name:
        raise EnvironmentFailed(
            "environment.id must name an environment, such as Pendulum-v1, "
            "my_package:MyEnv-v0 or my_module:make, got ''"
        )
    module_name, colon, attribute = name.partition(":")
    if colon:
        found = _find(_import(name, module_name), attribute)
        if callable(found):
            return _checked(name, _call(name, found, kwargs, seed, rendered))
    if rendered:
        kwargs = {**kwargs, "render_mode": "rgb_array"}
    try:
        made = gymnasium.make(
            name,
            max_episode_steps=episode_steps,
            disable_env_checker=True,  # `own_lane` checks, and names step and lane
            **kwargs,
        )
    except gymnasium.error.UnregisteredEnv as error:
        raise EnvironmentFailed(f"{name}: {_unknown(error, name)}") from error
    except USER_ERRORS as error:
        raise _failed(name, kwargs, error) from error
    return _checked(name, made)


def _unknown(error: Exception, name: str) -> str:
    """Why gymnasium does not know an id, and what to do."""
    reason = " ".join(str(error).split()).rstrip(".")
    if ":" in name:
        module_name, _, attribute = name.partition(":")
        return (
            f"module {module_name} has neither a function nor a class named "
            f"{attribute}, and registers no such id ({reason})"
        )
    if name.startswith("ALE/"):
        return (
            f"{reason}; Atari games are tasks with a paper's protocol, such as "
            f"dqn/breakout; Gymnasium's are --environment.id ale_py:{name}"
        )
    module_name, _, attribute = name.rpartition(".")
    first, _, _ = module_name.partition(".")
    if first and importlib.util.find_spec(first) is not None:
        return f"{reason}; a class or function of a module is {module_name}:{attribute}"
    return (
        f"{reason}; if a module of yours registers it, put the module's name first: "
        f"my_module:{name}"
    )


def _import(name: str, module_name: str) -> Any:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise EnvironmentFailed(
                f"{name}: importing {module_name} failed: {summary(error)}"
            ) from error
        path = os.environ.get("PYTHONPATH") or "not set"
        hint = ""
        if module_name.endswith(".py"):
            hint = f"; leave out .py: {name.replace('.py:', ':')}"
        raise EnvironmentFailed(
            f"{name}: there is no module {error.name}: it must be installed, or be in "
            f"the working directory, {Path.cwd()}, or in a directory of PYTHONPATH, "
            f"which is {path}{hint}"
        ) from error
    except USER_ERRORS as error:
        raise EnvironmentFailed(
            f"{name}: importing {module_name} failed: {summary(error)}"
        ) from error


def _find(module: Any, attribute: str) -> Any:
    """The attribute at a dotted path; None if there is none, as for a registered id."""
    try:
        return functools.reduce(getattr, attribute.split("."), module)
    except AttributeError:
        return None


def _call(
    name: str,
    function: Callable[..., Any],
    kwargs: Mapping[str, Any],
    seed: int,
    rendered: bool,
) -> Any:
    given = dict(kwargs)
    try:
        known = set(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # of a builtin
        known = set()
    if "seed" in known:
        given.setdefault("seed", seed)
    if rendered and "render_mode" in known:
        given["render_mode"] = "rgb_array"
    try:
        return function(**given)
    except USER_ERRORS as error:
        raise _failed(name, kwargs, error) from error


def _failed(name: str, kwargs: Mapping[str, Any], error: BaseException) -> Exception:
    given = f" with {', '.join(kwargs)}" if kwargs else ""
    return EnvironmentFailed(f"{name} cannot be made{given}: {summary(error)}")


def _checked(name: str, made: Any) -> Any:
    """Refuses what is neither a gymnasium.Env nor a dm_env.Environment."""
    if isinstance(made, gymnasium.Env | dm_env.Environment):
        return made
    kind = f"{type(made).__module__}.{type(made).__qualname__}"
    if any(cls.__module__.split(".")[0] == "gym" for cls in type(made).__mro__):
        raise EnvironmentFailed(
            f"{name} must be a gymnasium.Env, got {kind} of the retired package gym: "
            "derive it from gymnasium.Env, or convert it with the package shimmy"
        )
    raise EnvironmentFailed(
        f"{name} must return a gymnasium.Env or a dm_env.Environment, got {kind}"
    )
