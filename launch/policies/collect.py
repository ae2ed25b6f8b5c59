"""Collects datasets with a run's policies, in the five qualities of D4RL.

Fu et al., "D4RL: Datasets for Deep Data-Driven Reinforcement Learning", 2020,
https://arxiv.org/abs/2004.07219.

| quality | policy |
| --- | --- |
| random | uniform actions |
| medium | the checkpoint that reaches about a third of the expert's return |
| medium-replay | all policies until then: the replay of the medium checkpoint |
| expert | the newest checkpoint |
| medium-expert | medium and expert, half of the steps each |

D4RL's policies are SAC's, whose actions are sampled. So policies here act with
exploration: those of SAC and IQ sample, that of TD3 adds its noise.

Deviations:
- The expert is what the run has learned in its budget, not the best known.
- Episodes are whole, so a dataset has somewhat more steps than requested; a
  medium-replay dataset has at most the requested number.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

import agents
import environments
from agents.parts.contract import Act, Agent, Params, Spec
from agents.parts.distributions import LARGEST
from launch.build import make_agent, spec_of
from launch.datasets import d4rl_scores, from_run, minari_writing, source_environment
from launch.datasets.episode import Episode, split
from launch.datasets.minari_writing import Description
from launch.errors import DatasetError
from launch.experiment import Experiment
from launch.policies import medium_checkpoint
from launch.policies.record_episodes import play
from launch.runs import checkpoint, provenance, run_directory
from launch.runs.checkpoint import Checkpoint

Quality = Literal["random", "medium", "medium-replay", "expert", "medium-expert"]

_LANES = 16  # environments stepped together
_STEPS_PER_LANE = 2_000  # fewer lanes for fewer steps: each one may add an episode
_EXPLORED = 2**30  # actor steps, after the end of every schedule of exploration
_RANDOM_STEPS = 10_000  # played to estimate the return of random actions
_PARTS = ("random", "medium", "expert")  # each has its own stream of random numbers


@dataclass(frozen=True)
class Request:
    """What to collect.

    Attributes:
        directory: a run directory.
        quality: which policy acts.
        steps: how many to collect.
        dataset: id to write; empty: `munchausen/<environment>/<quality>-v0`.
        seed: of environments and policies.
        expert_return: an expert's return; None: that of the newest checkpoint.
        overwrite: whether to replace a dataset of that id.
    """

    directory: Path
    quality: Quality
    steps: int
    dataset: str = ""
    seed: int = 0
    expert_return: float | None = None
    overwrite: bool = False


class Collected(NamedTuple):
    """A dataset that was written.

    Attributes:
        dataset_id: its id.
        path: its directory.
        steps: in it.
        returns: of its episodes.
        reference: returns that score 0 and 100, if known.
    """

    dataset_id: str
    path: Path
    steps: int
    returns: list[float]
    reference: tuple[float, float] | None


class _Run:
    """Plays the policies of a run's checkpoints."""

    def __init__(
        self, request: Request, experiment: Experiment, say: Callable[[str], None]
    ):
        self.spec: Spec = spec_of(experiment)
        self.request = request
        self.experiment = experiment
        self.agent: Agent = make_agent(experiment, self.spec)
        self.notes: list[str] = []
        self._say = say

    def play_random(self, steps: int) -> list[Episode]:
        return self._play("random", _uniform(self.spec), {}, steps)

    def play_expert(self, steps: int) -> list[Episode]:
        saved = checkpoint.newest(self.request.directory, replay=False)
        self._note(f"expert: the checkpoint at step {saved.counts.actor_steps:,}")
        return self._play("expert", self.agent.act, self._params(saved), steps)

    def play_medium(self, steps: int) -> list[Episode]:
        params = self._params(self.medium_checkpoint(replay=False))
        return self._play("medium", self.agent.act, params, steps)

    def replayed(self, steps: int) -> list[Episode]:
        """The first steps of the replay at the medium checkpoint."""
        saved, kept = self.medium_checkpoint(replay=True), list[Episode]()
        directory, storage = self.request.directory, self.agent.storage
        for episode in split(from_run.read(directory, saved, self.spec, storage)):
            if steps:
                kept.append(episode.first(steps))
                steps -= kept[-1].length
        return kept

    def medium_checkpoint(self, *, replay: bool) -> Checkpoint:
        reference = d4rl_scores.reference(self.experiment.environment)
        if reference is not None:
            random_return = reference[0]
        else:
            played = self.play_random(_RANDOM_STEPS)
            random_return = float(np.mean([each.episode_return for each in played]))
        directory, expert_return = self.request.directory, self.request.expert_return
        found = medium_checkpoint.select(
            directory, self.experiment, random_return, expert_return
        )
        self._note(
            f"medium: the checkpoint at step {found.steps:,}, evaluated at "
            f"{found.mean_return:.4g}; wanted {found.wanted:.4g}, a third of the way "
            f"from random {random_return:.4g} to expert {found.expert_return:.4g}"
        )
        warning = found.warning()
        if warning is not None:
            self._note(warning)
        return checkpoint.at(directory, found.steps, replay=replay)

    def _note(self, line: str) -> None:
        self.notes.append(line)
        self._say(line)

    def _params(self, saved: Checkpoint) -> Params:
        return checkpoint.load_state(saved, self.agent).params

    def _play(self, part: str, act: Act, params: Params, steps: int) -> list[Episode]:
        words = np.random.SeedSequence(
            self.request.seed, spawn_key=(_PARTS.index(part),)
        ).generate_state(2)
        lanes = min(_LANES, 1 + steps // _STEPS_PER_LANE)
        environment_seed, seed = (int(word) >> 1 for word in words)
        environment = environments.make(
            self.experiment.environment, lanes, environment_seed
        )
        try:
            return play(
                environment,
                act,
                params,
                steps=steps,
                seed=seed,
                actor_steps=_EXPLORED,
            )
        finally:
            environment.close()


def collect(
    request: Request, say: Callable[[str], None] = lambda line: None
) -> Collected:
    """Plays episodes, or reads them from the replay, and writes a Minari dataset.

    Args:
        request: what to collect.
        say: called with a line that names a checkpoint, before its policy acts.

    Raises:
        RunDirectoryError: not a run, or a run that has saved too little.
        DatasetError: the run cannot be collected from, or the id is taken.
        NotFinite: the environment or the policy gave NaN or infinity.
    """
    experiment = run_directory.read_experiment(request.directory)
    _check_agent(request.directory, experiment)
    dataset_id = request.dataset or default_id(experiment, request.quality)
    minari_writing.check_free(dataset_id, request.overwrite)
    run = _Run(request, experiment, say)
    episodes = _episodes(run, request.quality, request.steps)
    reference = d4rl_scores.reference(experiment.environment)
    path = minari_writing.write(
        dataset_id,
        episodes,
        source_environment.describe(experiment.environment),
        _description(run, reference),
        overwrite=request.overwrite,
    )
    return Collected(
        dataset_id,
        path,
        sum(episode.length for episode in episodes),
        [episode.episode_return for episode in episodes],
        reference,
    )


def default_id(experiment: Experiment, quality: Quality) -> str:
    """The dataset's id, such as `munchausen/hopper/medium-v0`."""
    environment = experiment.name.rpartition("/")[2]
    return f"munchausen/{environment}/{quality}-v0"


def _episodes(run: _Run, quality: Quality, steps: int) -> list[Episode]:
    if quality == "random":
        return run.play_random(steps)
    if quality == "medium":
        return run.play_medium(steps)
    if quality == "expert":
        return run.play_expert(steps)
    if quality == "medium-replay":
        return run.replayed(steps)
    return run.play_medium(-(-steps // 2)) + run.play_expert(max(1, steps // 2))


def _check_agent(directory: Path, experiment: Experiment) -> None:
    recipe = agents.find(experiment.agent_name)
    if recipe.actions != "continuous":
        raise DatasetError(
            f"{directory} is a run of {experiment.agent_name}, whose "
            f"actions are {recipe.actions}: collect from a run of td3, sac or iq"
        )
    if experiment.dataset:
        raise DatasetError(
            f"{directory} learned from {experiment.dataset} and never explored: "
            "collect from a run of td3, sac or iq that acted"
        )


def _description(run: _Run, reference: tuple[float, float] | None) -> Description:
    circumstances: dict[str, Any] = provenance.circumstances()
    lines = [
        f"{run.request.quality} data of {run.experiment.environment}, observations "
        "float32",
        *run.notes,
        f"run: {run.experiment.name} seed {run.experiment.seed}, "
        f"{run.experiment.steps:,} actor steps",
        f"command: {circumstances['command']}",
        f"started: {circumstances['started']}",
    ]
    if reference is not None:
        lines.append("reference scores: those of D4RL")
    return Description(
        reference,
        algorithm="uniform"
        if run.request.quality == "random"
        else run.experiment.agent_name,
        code=circumstances["code"],
        text="; ".join(lines),
    )


def _uniform(spec: Spec) -> Act:
    """The `act` of a policy that draws actions uniformly from [-1, 1]."""

    def act(
        params: Params,
        key: jax.Array,
        observation: Any,
        actor_steps: Any,
        evaluation: Any,
    ) -> tuple[jax.Array, Any]:
        shape = (len(observation), *spec.action.shape)
        return jax.random.uniform(key, shape, minval=-LARGEST, maxval=LARGEST), ()

    return act
