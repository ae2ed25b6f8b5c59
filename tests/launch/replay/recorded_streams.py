"""Recorded episodes, and their transitions computed in the slow and obvious way."""

from typing import NamedTuple

import dm_env
import numpy as np

from agents.parts.contract import Spec, Transition, discrete_spec

FRAME = (2, 3)
FIRST, MID, LAST = (int(t) for t in dm_env.StepType)


class Episode(NamedTuple):
    """Observations 0..T, and action, reward and discount of each decision."""

    observations: list
    actions: list
    rewards: list
    discounts: list


class Stream(NamedTuple):
    """Steps of all lanes together, and the same as episodes of single lanes."""

    steps: list  # (actions, timestep); the first is a first timestep
    episodes: list


def make_spec(frame_stack: int) -> Spec:
    stack = (frame_stack,) if frame_stack > 1 else ()
    return discrete_spec((*stack, *FRAME), np.int32, 11)


class _Lane:
    """One environment whose frames are all different."""

    def __init__(self, lane: int, seed: int, frame_stack: int, lengths: tuple):
        self.random = np.random.default_rng([seed, lane])
        self.frames = lane * 1_000_000
        self.stack = frame_stack
        self.lengths = lengths
        self.episodes = []
        self.left = 0

    def frame(self) -> np.ndarray:
        self.frames += 1
        return np.full(FRAME, self.frames, np.int32)

    def step(self, action: int) -> tuple:
        if not self.left:
            self.left = int(self.random.integers(*self.lengths))
            self.window = [self.frame() for _ in range(self.stack)]
            self.episodes.append(Episode([self.observation()], [], [], []))
            return FIRST, 0.0, 1.0, self.observation()
        self.left -= 1
        self.window = [*self.window[1:], self.frame()]
        reward = np.float32(self.random.normal())
        # Both ends: terminated and truncated; in the middle, a lost life.
        lost = self.random.random() < (0.2 if self.left else 0.5)
        discount = 0.0 if lost else 1.0
        episode = self.episodes[-1]
        columns = (self.observation(), action, float(reward), discount)
        for column, value in zip(episode, columns, strict=True):
            column.append(value)
        return MID if self.left else LAST, reward, discount, self.observation()

    def observation(self) -> np.ndarray:
        return np.stack(self.window) if self.stack > 1 else self.window[0]


def record(
    *, steps: int, frame_stack: int, lanes: int = 2, seed: int = 0, lengths=(1, 8)
) -> Stream:
    """Steps of environments whose episodes have `lengths` (low, high) decisions."""
    environments = [_Lane(i, seed, frame_stack, lengths) for i in range(lanes)]
    random = np.random.default_rng(seed)
    recorded = []
    for _ in range(steps):
        actions = random.integers(0, 11, lanes).astype(np.int32)
        pairs = zip(environments, actions, strict=True)
        leaves = zip(*(lane.step(int(action)) for lane, action in pairs), strict=True)
        types, rewards, discounts, observations = leaves
        timestep = dm_env.TimeStep(
            np.array(types, np.int32),
            np.array(rewards, np.float32),
            np.array(discounts, np.float32),
            np.stack(observations),
        )
        recorded.append((actions, timestep))
    return Stream(recorded, [e for lane in environments for e in lane.episodes])


def feed(adder, stream: Stream) -> None:
    adder.observe_first(stream.steps[0][1])
    for actions, timestep in stream.steps[1:]:
        adder.observe(actions, timestep)


def reference(stream: Stream, *, n_step: int, discount: float) -> list[Transition]:
    """All transitions of the episodes; the last episode may be unfinished."""
    last = {id(e) for e in stream.episodes if _under_way(stream, e)}
    return [
        transition(episode, t, n_step, discount)
        for episode in stream.episodes
        for t in range(len(episode.actions))
        if id(episode) not in last or t + n_step <= len(episode.actions)
    ]


def _under_way(stream: Stream, episode: Episode) -> bool:
    timestep = stream.steps[-1][1]
    newest = episode.observations[-1]
    return any(
        kind != LAST and (newest == observation).all()
        for kind, observation in zip(
            timestep.step_type, timestep.observation, strict=True
        )
    )


def transition(episode: Episode, t: int, n_step: int, discount: float) -> Transition:
    steps = min(n_step, len(episode.actions) - t)
    total, weight = 0.0, 1.0
    for i in range(steps):
        total += weight * episode.rewards[t + i]
        weight *= episode.discounts[t + i] * (discount if i < steps - 1 else 1)
        if i < steps - 1 and weight == 0:
            break
    return Transition(
        episode.observations[t],
        episode.actions[t],
        total,
        weight,
        episode.observations[t + steps],
    )


def key(transition: Transition) -> tuple:
    """The whole transition as a value that can be a member of a set."""
    return (
        tuple(np.ravel(transition.observation).tolist()),
        int(transition.action),
        round(float(transition.reward), 4),
        round(float(transition.discount), 4),
        tuple(np.ravel(transition.next_observation).tolist()),
    )


def keys(batch: Transition) -> list[tuple]:
    """Keys of the transitions of a batch."""
    return [key(Transition(*leaves)) for leaves in zip(*batch[:5], strict=True)]
