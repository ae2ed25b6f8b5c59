"""Rescales continuous actions from [-1, 1] to an environment's own bounds."""

import numpy as np
from dm_env import specs


class Canonical:
    """Maps actions in [-1, 1] onto an environment's own box, and gives their spec.

    Args:
        low: `[D]` finite lower bounds.
        high: `[D]` finite upper bounds.

    Attributes:
        rounding: `[D]`, how far beyond [-1, 1] float32 may take an action of the box.

    Raises:
        ValueError: if a bound is infinite, or lower bounds are not below upper ones.
    """

    def __init__(self, low: np.ndarray, high: np.ndarray):
        low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
        if not (np.isfinite(low) & np.isfinite(high) & (low < high)).all():
            raise ValueError(
                f"actions must have finite bounds, low < high, got {low} and {high}"
            )
        self._centre = ((high + low) / 2).astype(np.float32)
        self._half = ((high - low) / 2).astype(np.float32)
        self._same = bool((low == -1).all() and (high == 1).all())
        # Of the bound, of the centre, and of the action itself.
        most = 2 * np.maximum(np.abs(low), np.abs(high)) * np.finfo(np.float32).eps
        self.rounding = np.zeros_like(self._half) if self._same else most / self._half

    def native(self, action: np.ndarray) -> np.ndarray:
        """Converts an action in [-1, 1] to the environment's own bounds.

        NaN passes unchecked; its effect is found where timesteps are checked.

        Args:
            action: `[D]` float32 in [-1, 1].

        Raises:
            ValueError: if an action lies outside [-1, 1].
        """
        # The method beats np.max and np.any on arrays of a few numbers.
        if np.abs(action).max() > 1.0:
            raise ValueError(f"actions must be from -1 to 1, got {action}")
        return action if self._same else self._centre + self._half * action

    def canonical(self, action: np.ndarray) -> np.ndarray:
        """Inverse of `native` up to rounding, unchecked; `action` is `[..., D]`."""
        return action if self._same else (action - self._centre) / self._half

    def spec(self) -> specs.BoundedArray:
        """`[D]` float32 from -1 to 1."""
        return specs.BoundedArray(self._half.shape, np.float32, -1.0, 1.0, "action")
