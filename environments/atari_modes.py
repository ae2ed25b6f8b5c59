"""Atari games in a chosen mode and difficulty, which ale-py's vector does not offer.

One emulator after the other, several times slower than ale-py's vector, with the same
observations up to the rounding of a pixel.
"""

from collections import deque
from functools import cache
from typing import Any, Literal

import gymnasium
import numpy as np
from ale_py.env import AtariEnv


def make_emulators(
    num_environments: int,
    *,
    size: tuple[int, int],
    grayscale: bool,
    frame_stack: int,
    action_repeat: int,
    noop_max: int,
    **options: Any,
) -> gymnasium.vector.SyncVectorEnv:
    """Emulators with the methods and results of `ale_py.vector_env.AtariVectorEnv`.

    Args:
        num_environments: how many.
        size: height and width of a picture.
        grayscale: one byte for a pixel, else three.
        frame_stack: pictures in an observation.
        action_repeat: emulated frames per step.
        noop_max: an episode starts with 0 to `noop_max` frames of no-op.
        options: arguments of `ale_py.env.AtariEnv`.
    """

    def make_one() -> gymnasium.Env:
        kind: Literal["grayscale", "rgb"] = "grayscale" if grayscale else "rgb"
        emulator = AtariEnv(obs_type=kind, frameskip=1, **options)
        return _Game(emulator, size, frame_stack, action_repeat, noop_max)

    return gymnasium.vector.SyncVectorEnv(
        [make_one] * num_environments,
        autoreset_mode=gymnasium.vector.AutoresetMode.NEXT_STEP,
    )


class _Game(gymnasium.Wrapper):
    """Repeats actions, and stacks the maxima over the last two frames of each."""

    def __init__(
        self,
        emulator: AtariEnv,
        size: tuple[int, int],
        frame_stack: int,
        action_repeat: int,
        noop_max: int,
    ):
        super().__init__(emulator)
        self._size, self._action_repeat = size, action_repeat
        self._noop_max = noop_max
        screen = emulator.observation_space.shape
        assert screen is not None
        colours = screen[2:]
        shape = (frame_stack, *size, *colours)
        self.observation_space = gymnasium.spaces.Box(0, 255, shape, np.uint8)
        self._blank = np.zeros(shape[1:], np.uint8)
        self._pictures: deque[np.ndarray] = deque(maxlen=frame_stack)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        seed = None if seed is None else int(seed)  # of numpy's kind, it is refused
        frame, info = self.env.reset(seed=seed, options=options)
        random = self.env.unwrapped.np_random
        for _ in range(random.integers(self._noop_max + 1) if self._noop_max else 0):
            frame, _, terminated, truncated, info = self.env.step(0)
            if terminated or truncated:
                frame, info = self.env.reset(options=options)
        self._pictures.extend([self._blank] * (self._pictures.maxlen or 1))
        return self._stacked(frame), info

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        total, frames = 0.0, deque[np.ndarray](maxlen=2)
        for _ in range(self._action_repeat):
            frame, reward, terminated, truncated, info = self.env.step(action)
            frames.append(frame)
            total += float(reward)
            if terminated or truncated:
                break
        newest = np.maximum(frames[0], frames[-1])
        return self._stacked(newest), total, terminated, truncated, info

    def _stacked(self, frame: np.ndarray) -> np.ndarray:
        if frame.shape[:2] != self._size:  # grey: only the agent's pictures are smaller
            rows, columns = map(_means, frame.shape, self._size)
            frame = np.rint(rows @ frame @ columns.T).astype(np.uint8)
        self._pictures.append(frame)
        return np.stack(self._pictures)


@cache
def _means(size: int, smaller: int) -> np.ndarray:
    """`[smaller, size]` weights that shrink an axis to the means of its parts.

    A pixel that two parts share counts for both, by the share of each.
    """
    ends = np.arange(smaller + 1)[:, None] * size / smaller
    pixels = np.arange(size)
    shared = np.minimum(ends[1:], pixels + 1) - np.maximum(ends[:-1], pixels)
    return (np.clip(shared, 0, None) * smaller / size).astype(np.float32)
