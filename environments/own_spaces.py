"""Converts observations and actions of users' environments.

Observations become one array: bytes (uint8 from 0 to 255) and truth values keep their
type, everything else becomes float32. Images have their channels first.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tree
from dm_env import specs
from gymnasium import spaces

from environments.action_scaling import Canonical

_UNBOUNDED = 1e30  # some environments declare the largest float as a bound


class Observations(NamedTuple):
    """How one environment's observations are converted.

    Attributes:
        spec: of the converted observation.
        convert: makes a new array from an observation; raises ValueError if the
            observation is not of the declared shape and type.
        same: whether the conversion changes neither shape nor order.
    """

    spec: specs.Array
    convert: Callable[[Any], np.ndarray]
    same: bool


class Actions(NamedTuple):
    """How an agent's actions are converted to those of one environment.

    Attributes:
        spec: of the agent's action: DiscreteArray, or `[D]` float32 in [-1, 1].
        native: converts an action; the result is a new object.
        bounds: `[D]` lower and upper bounds of the environment's own actions; None if
            they are discrete.
    """

    spec: specs.Array
    native: Callable[[Any], Any]
    bounds: tuple[np.ndarray, np.ndarray] | None = None


def observations_of_space(space: Any) -> Observations:
    """For a gymnasium space.

    Raises:
        ValueError: the space has no form as an array.
    """
    if isinstance(space, spaces.Box):
        low, high = np.min(space.low, initial=0), np.max(space.high, initial=0)
        return _sized(_array(space.shape, space.dtype, low >= 0 and high == 255))
    if not isinstance(space, spaces.Space) or not space.is_np_flattenable:
        raise ValueError(
            f"observations must be Box, Discrete, MultiDiscrete, MultiBinary, or Dict "
            f"or Tuple of these, got {space}: leave the others out with "
            "gymnasium.wrappers.FilterObservation"
        )
    size = spaces.utils.flatdim(space)

    def convert(observation: Any) -> np.ndarray:
        _check_member(space, observation, "observation")
        return np.asarray(spaces.utils.flatten(space, observation), np.float32)

    return _vector(size, convert)


def _vector(size: int, convert: Callable[[Any], np.ndarray]) -> Observations:
    spec = specs.Array((size,), np.float32, "observation")
    return _sized(Observations(spec, convert, same=False))


def _sized(observations: Observations) -> Observations:
    """Refuses observations that have no number."""
    shape = observations.spec.shape
    if 0 in shape:
        raise ValueError(
            f"observations must have at least one number, got the shape {list(shape)}: "
            "return a constant number if there is nothing to observe"
        )
    return observations


def _check_member(space: Any, value: Any, name: str) -> None:
    """Checks a value, without the bounds of a Box, which environments exceed."""
    if isinstance(space, spaces.Dict):
        _check_parts(space.spaces, value, name)
    elif isinstance(space, spaces.Tuple):
        if not isinstance(value, tuple | list) or len(value) != len(space):
            raise ValueError(f"{name} must have {len(space)} parts, got {value!r}")
        _check_parts(dict(enumerate(space)), dict(enumerate(value)), name)
    elif isinstance(space, spaces.Box):
        _checked(value, space.shape, np.dtype(space.dtype), name)
    elif not space.contains(value):
        raise ValueError(f"{name} must be in {space}, got {value!r}")


def _check_parts(parts: Mapping[Any, Any], value: Any, name: str) -> None:
    """Checks a dictionary of values against a dictionary of spaces."""
    if not isinstance(value, Mapping) or set(value) != set(parts):
        got = list(value) if isinstance(value, Mapping) else type(value).__name__
        raise ValueError(f"{name} must have the keys {list(parts)}, got {got}")
    for key, part in parts.items():
        _check_member(part, value[key], f"{name}[{key!r}]")


def observations_of_spec(spec: Any) -> Observations:
    """For a dm_env spec, or a dictionary or list of specs, which is flattened."""
    if isinstance(spec, specs.Array):
        one = _part(spec)
        if spec.shape or isinstance(spec, specs.DiscreteArray):
            return _sized(one)
        parts = [one]  # a number becomes a vector
    else:
        parts = [_part(each) for each in tree.flatten(spec)]
    size = sum(int(np.prod(part.spec.shape)) for part in parts)

    def convert(observation: Any) -> np.ndarray:
        if not isinstance(spec, specs.Array):
            try:
                tree.assert_same_structure(spec, observation, check_types=False)
            except (TypeError, ValueError) as error:
                reason = " ".join(str(error).split())
                raise ValueError(f"observation must be as its spec: {reason}") from None
        pairs = zip(parts, tree.flatten(observation), strict=True)
        return np.concatenate(
            [np.ravel(part.convert(value)) for part, value in pairs], dtype=np.float32
        )

    return _vector(size, convert)


def _part(spec: specs.Array) -> Observations:
    if isinstance(spec, specs.DiscreteArray):
        return observations_of_space(spaces.Discrete(spec.num_values))
    bounds = isinstance(spec, specs.BoundedArray) and np.all(spec.maximum == 255)
    return _array(spec.shape, spec.dtype, bool(bounds))


def _array(shape: Any, dtype: Any, of_bytes: bool) -> Observations:
    """Observations that are one array, perhaps an image."""
    declared = np.dtype(dtype)
    kept = declared == np.bool_ or (declared == np.uint8 and of_bytes)
    result = declared if kept else np.dtype(np.float32)
    arrange = _arrangement(shape, image=declared == np.uint8)

    def convert(observation: Any) -> np.ndarray:
        checked = _checked(observation, shape, declared, "observation")
        return np.array(arrange(checked), result, order="C")

    seen = arrange(np.zeros(shape, np.bool_)).shape
    return Observations(
        specs.Array(seen, result, "observation"), convert, seen == tuple(shape)
    )


def _arrangement(
    shape: tuple[int, ...], *, image: bool
) -> Callable[[np.ndarray], np.ndarray]:
    """A function that puts the channels of an image first, `[C, H, W]`.

    The channels are the last axis, unless the first is smaller. An image may lack them,
    `[H, W]`, or be a stack `[S, H, W, C]`, whose frames become channels.
    """
    if len(shape) == 3:
        return _same if shape[0] < shape[2] else lambda x: np.moveaxis(x, -1, 0)
    if image and len(shape) == 2:
        return lambda x: x[np.newaxis]
    if image and len(shape) == 4:
        return lambda x: np.moveaxis(x, -1, 1).reshape(-1, shape[1], shape[2])
    return _same


def _same(x: np.ndarray) -> np.ndarray:
    return x


def _checked(value: Any, shape: Any, declared: np.dtype, name: str) -> np.ndarray:
    """The value as an array; checks shape and type, and not the bounds."""
    array = np.asarray(value)
    if array.shape != tuple(shape):
        raise ValueError(
            f"{name} must have shape {list(shape)}, got {list(array.shape)}"
        )
    if np.can_cast(array.dtype, declared, "same_kind"):
        return array
    if array.dtype.kind in "iub" and declared.kind in "iub":
        cast = array.astype(declared)
        if np.array_equal(cast, array):
            return cast
    raise ValueError(f"{name} must be {declared}, got {array.dtype}")


def actions_of_space(space: Any) -> Actions:
    """For a gymnasium space.

    Raises:
        ValueError: actions of no agent fit; the message has the wrapper that helps.
    """
    if isinstance(space, spaces.Discrete):
        return _discrete(int(space.n), int(space.start))
    if isinstance(space, spaces.Box):
        return _continuous(space.low, space.high, space.shape, space.dtype, str(space))
    raise ValueError(
        f"actions must be Discrete, or a Box, got {space}: number its actions with "
        "gymnasium.wrappers.TransformAction, whose action_space is "
        "gymnasium.spaces.Discrete(n) and whose func returns the action of a number"
    )


def actions_of_spec(spec: Any) -> Actions:
    """For a dm_env spec.

    Raises:
        ValueError: actions of no agent fit.
    """
    if isinstance(spec, specs.DiscreteArray):
        return _discrete(int(spec.num_values), 0)
    if isinstance(spec, specs.BoundedArray):
        if not spec.shape and np.issubdtype(spec.dtype, np.integer):
            first, last = int(spec.minimum), int(spec.maximum)
            return _discrete(last - first + 1, first)
        low, high = (
            np.broadcast_to(bound, spec.shape) for bound in (spec.minimum, spec.maximum)
        )
        return _continuous(low, high, spec.shape, spec.dtype, str(spec))
    raise ValueError(
        f"the action spec must be a DiscreteArray, or a BoundedArray, got {spec}"
    )


def _discrete(number: int, start: int) -> Actions:
    spec = specs.DiscreteArray(number, np.int32, "action")
    return Actions(spec, lambda action: start + int(action))


def _continuous(low: Any, high: Any, shape: Any, dtype: Any, shown: str) -> Actions:
    if not np.issubdtype(dtype, np.floating):
        raise ValueError(
            f"actions in a Box must be floating-point numbers, got {shown}: convert "
            "them with gymnasium.wrappers.TransformAction"
        )
    low, high = (np.ravel(bound).astype(np.float64) for bound in (low, high))
    if not low.size:
        raise ValueError(
            f"actions must have at least one number, got {shown}: offer "
            "Discrete(1) with gymnasium.wrappers.TransformAction"
        )
    if max(np.abs(low).max(), np.abs(high).max()) >= _UNBOUNDED:
        raise ValueError(
            f"actions must have finite bounds, got {shown}: give them bounds with "
            "gymnasium.wrappers.TransformAction(env, lambda action: action, "
            f"gymnasium.spaces.Box(-1, 1, {tuple(shape)}))"
        )
    if (low >= high).any():
        raise ValueError(
            f"lower bounds of actions must be below upper ones, got {shown}: leave out "
            "dimensions without a width with gymnasium.wrappers.TransformAction"
        )
    canonical = Canonical(low, high)

    def native(action: np.ndarray) -> np.ndarray:
        # A copy: the environment may change it, and the replay keeps the action.
        inside = np.clip(canonical.native(action), low, high)
        return np.array(inside, dtype).reshape(shape)

    return Actions(canonical.spec(), native, (low, high))
