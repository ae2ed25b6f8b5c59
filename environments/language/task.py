"""A language task as an environment: one step, whose action is a whole completion.

A prompt is the observation, a completion is the action, its score is the reward, and
the episode is over. An observation holds the task's reference completion as well, for
agents that imitate it.
"""

from collections.abc import Iterator
from typing import Protocol
from zlib import crc32

import dm_env
import numpy as np
from dm_env import specs

from environments import vector
from environments.checks import InvalidSetting
from environments.language.vocabulary import EOS, PAD, Vocabulary

_HELD_OUT = 10  # about one prompt of so many is for evaluation
_MOST_DRAWS = 20_000  # in search of a prompt that is new, or of the right kind


class Task(Protocol):
    """Prompts with reference completions, and a score.

    Attributes:
        vocabulary: of prompts and completions.
        prompt_columns: P, the length of the longest prompt.
        completion_columns: T, the length of the longest completion, EOS included.
    """

    vocabulary: Vocabulary
    prompt_columns: int
    completion_columns: int

    def draw(
        self, generator: np.random.Generator, evaluation: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """A prompt and its reference completion.

        Args:
            generator: of all randomness.
            evaluation: for a task that separates its data itself. Of other tasks the
                environment rejects prompts of the wrong kind.

        Returns:
            The prompt, at least 1 and at most P tokens, and the reference, at most T
            tokens without EOS, or with it as the last one. A task without references
            returns none with any prompt; agents that imitate references refuse it.
        """

    def score(self, prompt: np.ndarray, completion: np.ndarray) -> float:
        """The score of a completion; higher is better.

        Args:
            prompt: as `draw` returned it.
            completion: `[T]` int32, PAD after the first EOS.
        """


def is_held_out(prompt: np.ndarray) -> bool:
    """Whether a prompt is for evaluation: decided by the prompt alone."""
    return crc32(prompt.astype("<i4").tobytes()) % _HELD_OUT == 0


class LanguageEnvironment:
    """N lanes of a task; see `environments.vector.VectorEnvironment`.

    All lanes are at a FIRST, or all are at a LAST. Training never sees a prompt that
    evaluation uses.

    Attributes:
        task: which gives the vocabulary.
        num_environments: N.
    """

    action_repeat = 1
    frame_stack = 1
    reward_clip = None

    def __init__(
        self,
        task: Task,
        num_environments: int,
        seed: int,
        evaluation: bool = False,
        prompts: int = 0,
    ):
        """Draws the prompts of training if they are limited.

        Args:
            task: what to do.
            num_environments: N, at least 1.
            seed: each lane has its generator.
            evaluation: whether to use prompts for evaluation instead of training.
            prompts: number of distinct prompts in training, the same for every seed,
                each with one reference; 0: no end.

        Raises:
            InvalidSetting: the task has fewer prompts.
        """
        if num_environments < 1:
            raise ValueError(f"environments must be at least 1, got {num_environments}")
        self.task = task
        self.num_environments = num_environments
        seeds = vector.lane_seeds(num_environments, seed)
        self._generators = [np.random.default_rng(each) for each in seeds]
        self._evaluation = evaluation
        _, reference = task.draw(np.random.default_rng(0), evaluation)
        self._has_references = len(reference) > 0
        limited = prompts and not evaluation
        self._prompts = list(_distinct(task, prompts)) if limited else []
        self._drawn: list[tuple[np.ndarray, np.ndarray]] = []
        self._at_first = False

    def reset(self) -> dm_env.TimeStep:
        """Draws a prompt in every lane.

        Raises:
            ValueError: the task draws what `Task.draw` must not return.
        """
        self._at_first = True
        self._drawn = [self._draw(generator) for generator in self._generators]
        return self._timestep(dm_env.StepType.FIRST, [0.0] * len(self._drawn), 1.0)

    def step(self, actions: np.ndarray) -> dm_env.TimeStep:
        """Scores completions `[N, T]`; after a LAST, draws new prompts instead.

        Raises:
            ValueError: the actions are not N completions of the vocabulary.
        """
        if not self._at_first:
            return self.reset()
        self._check(np.asarray(actions))
        self._at_first = False
        scores = [
            self.task.score(prompt, completion)
            for (prompt, _), completion in zip(self._drawn, actions, strict=True)
        ]
        return self._timestep(dm_env.StepType.LAST, scores, 0.0)

    def score(self, completions: np.ndarray) -> np.ndarray:
        """Scores further completions of the prompts of a FIRST; nothing changes.

        Args:
            completions: `[N, K, T]`, K of each lane.

        Returns:
            `[N, K]` float32.

        Raises:
            ValueError: they are not completions of the vocabulary, or no prompt waits.
        """
        if not self._at_first:
            raise ValueError("score needs prompts that wait: call it before step")
        if completions.ndim != 3:
            raise ValueError(
                f"completions to score must be [N, K, T], got {[*completions.shape]}"
            )
        for k in range(completions.shape[1]):
            self._check(completions[:, k])
        scores = [
            [self.task.score(prompt, completion) for completion in row]
            for (prompt, _), row in zip(self._drawn, completions, strict=True)
        ]
        return np.array(scores, np.float32)

    def observation_spec(self) -> specs.BoundedArray:
        """`[P + T]` int32: the prompt, then the reference, each padded on the right.

        The largest token of a reference's columns is PAD if the task has none.
        """
        p, t = self.task.prompt_columns, self.task.completion_columns
        last = len(self.task.vocabulary) - 1
        largest = last if self._has_references else [last] * p + [PAD] * t
        return specs.BoundedArray(
            (p + t,), np.int32, 0, largest, "prompt_and_reference"
        )

    def action_spec(self) -> specs.BoundedArray:
        """`[T]` int32: a completion with EOS, then PAD."""
        shape, last = (self.task.completion_columns,), len(self.task.vocabulary) - 1
        return specs.BoundedArray(shape, np.int32, 0, last, "completion")

    def reward_spec(self) -> specs.Array:
        """`[]` float32, the score."""
        return vector.reward_spec()

    def discount_spec(self) -> specs.BoundedArray:
        """`[]` float32."""
        return vector.discount_spec()

    def close(self) -> None:
        """Does nothing."""

    def _draw(self, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        if self._prompts:
            return self._prompts[int(generator.integers(len(self._prompts)))]
        return _drawn(self.task, generator, self._evaluation)

    def _timestep(
        self, step_type: dm_env.StepType, rewards: list[float], discount: float
    ) -> dm_env.TimeStep:
        lanes = self.num_environments
        return dm_env.TimeStep(
            step_type=np.full(lanes, int(step_type), np.int32),
            reward=np.array(rewards, np.float32),
            discount=np.full(lanes, discount, np.float32),
            observation=np.stack([self._row(*drawn) for drawn in self._drawn]),
        )

    def _row(self, prompt: np.ndarray, reference: np.ndarray) -> np.ndarray:
        p, t = self.task.prompt_columns, self.task.completion_columns
        self._check_drawn("prompt", prompt, 1, p)
        self._check_drawn("reference", reference, int(self._has_references), t)
        if len(reference) and not self._has_references:
            raise ValueError(
                "a task must draw a reference with each prompt or with none, but drew "
                f"none at first and then {list(map(int, reference))}"
            )
        if EOS in reference[:-1]:
            raise ValueError(
                f"a task must draw a reference that ends at its first EOS ({EOS}), got "
                f"{list(map(int, reference))}"
            )
        row = np.full(p + t, PAD, np.int32)
        row[: len(prompt)] = prompt
        row[p : p + len(reference)] = reference
        if 0 < len(reference) < t and reference[-1] != EOS:
            row[p + len(reference)] = EOS
        return row

    def _check_drawn(
        self, kind: str, tokens: np.ndarray, shortest: int, longest: int
    ) -> None:
        last = len(self.task.vocabulary) - 1
        rule = f"a task must draw a {kind} of {shortest} to {longest} tokens"
        if not shortest <= len(tokens) <= longest:
            raise ValueError(f"{rule}, got {len(tokens)}")
        if len(tokens) and not PAD < np.min(tokens) <= np.max(tokens) <= last:
            raise ValueError(
                f"{rule} between {PAD + 1} and {last} ({PAD} is padding), got "
                f"{np.min(tokens)} to {np.max(tokens)}"
            )

    def _check(self, actions: np.ndarray) -> None:
        shape = (self.num_environments, self.task.completion_columns)
        last = len(self.task.vocabulary) - 1
        rule = f"actions must be tokens {list(shape)} between 0 and {last}"
        if actions.shape != shape or not np.issubdtype(actions.dtype, np.integer):
            raise ValueError(f"{rule}, got {list(actions.shape)} {actions.dtype}")
        if actions.min() < 0 or actions.max() > last:
            raise ValueError(f"{rule}, got {actions.min()} to {actions.max()}")


def _drawn(
    task: Task, generator: np.random.Generator, evaluation: bool
) -> tuple[np.ndarray, np.ndarray]:
    for _ in range(_MOST_DRAWS):
        prompt, reference = task.draw(generator, evaluation)
        if is_held_out(prompt) == evaluation:
            return prompt, reference
    kind = "evaluation" if evaluation else "training"
    raise ValueError(
        f"the task must have prompts for {kind}, but {_MOST_DRAWS:,} draws gave none: "
        "choose a task with more prompts"
    )


def _distinct(task: Task, number: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The first distinct prompts for training, the same in every run and lane."""
    generator = np.random.default_rng(0)
    seen: set[bytes] = set()
    vain = 0
    while len(seen) < number:
        prompt, reference = _drawn(task, generator, evaluation=False)
        if prompt.tobytes() in seen:
            vain += 1
            if vain > _MOST_DRAWS:
                raise InvalidSetting(
                    "environment.prompts",
                    number,
                    f"at most {len(seen):,}, the number that the task has",
                )
            continue
        vain = 0
        seen.add(prompt.tobytes())
        yield prompt, reference
