"""An environment that only waits, for benchmarks of everything around it."""

import time
from typing import Any

import gymnasium
import numpy as np


class Stub(gymnasium.Env):
    """Zeros for 100 steps; a step sleeps, as one that another device computes."""

    def __init__(self, milliseconds: float = 0.0, size: int = 50):
        self.observation_space = gymnasium.spaces.Box(0, 1, (size,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(3)
        self._seconds = milliseconds / 1000
        self._steps = 0
        self._nothing = np.zeros(size, np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begins an episode."""
        super().reset(seed=seed)
        self._steps = 0
        return self._nothing, {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Waits, and ends the episode after 100 steps."""
        if self._seconds:
            time.sleep(self._seconds)
        self._steps += 1
        return self._nothing, 0.0, self._steps == 100, False, {}
