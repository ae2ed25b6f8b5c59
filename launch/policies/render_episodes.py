"""Renders episodes of a run's policy, one picture for each step."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import dm_env
import numpy as np

import environments
from environments import Rendered
from launch.policies import saved_policy
from launch.roles.actor import Actor


class Frame(NamedTuple):
    """The picture after a step, with score and position in the episode.

    Attributes:
        picture: `[H, W, 3]` uint8.
        score: raw return of the episode so far.
        step: decisions in the episode so far.
        last: whether the episode ends here.
    """

    picture: np.ndarray
    score: float
    step: int
    last: bool


class Play(NamedTuple):
    """Episodes that are played lazily, as the caller takes frames.

    Attributes:
        frames: the first of an episode shows its beginning.
        frames_per_second: in real time.
    """

    frames: Iterator[Frame]
    frames_per_second: float


def play_run(directory: Path, seed: int, episodes: int, steps: int | None) -> Play:
    """Plays with the policy that a run saved last, as `evaluate_run` does.

    Args:
        directory: a run directory.
        seed: of environment and policy, instead of the run's own.
        episodes: whole episodes to play.
        steps: largest number of decisions in total; None: no limit.

    Raises:
        RunDirectoryError: not a run, or a run without a checkpoint.
    """
    experiment, agent, params = saved_policy.load(directory)
    point = experiment.steps + 1
    experiment = dataclasses.replace(experiment, seed=seed)
    environment_seed, actor_seed = experiment.seeds("evaluator", start=point)
    actor = Actor(agent.act, lambda: params, actor_seed, evaluation=True)
    actor.reseed(actor_seed, actor_steps=point)
    rendered = environments.make_rendered(experiment.environment, environment_seed)
    return Play(play(rendered, actor, episodes, steps), rendered.frames_per_second)


def play(
    rendered: Rendered, actor: Actor, episodes: int, steps: int | None
) -> Iterator[Frame]:
    """Yields the frames of an actor's episodes; closes the environment at the end."""
    environment, played, ended = rendered.environment, 0, 0
    timestep, score, step = environment.reset(), 0.0, 0
    try:
        yield Frame(rendered.render(), score, step, last=False)
        while ended < episodes and (steps is None or played < steps):
            action = actor.select_action(timestep.observation)
            timestep = environment.step(action)
            if timestep.step_type[0] == dm_env.StepType.FIRST:
                score, step = 0.0, 0
            else:
                score, step, played = score + timestep.reward[0], step + 1, played + 1
            last = bool(timestep.step_type[0] == dm_env.StepType.LAST)
            ended += last
            yield Frame(rendered.render(), float(score), step, last)
    finally:
        environment.close()
