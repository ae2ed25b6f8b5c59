"""`munchausen collect`: a dataset of what a run's policies do."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from experiments import flags
from experiments.flags import OverrideError
from launch import errors

HELP = """\
usage: munchausen collect <run directory> [--steps N] [--quality Q] [--dataset ID]
                          [--seed K] [--expert_return X] [--overwrite true]

Writes a Minari dataset of whole episodes, for agents that learn from one. The run is of
td3, sac or iq; for all but random and expert, one that has kept several checkpoints:
train with --launch local --checkpoint.period 10_000 --checkpoint.keep 100.

  --steps          at least so many; of a replay, at most; 200,000
  --quality        random         uniform actions
                   medium         the checkpoint nearest to a third of expert return
                   medium-replay  what the run had stored by then
                   expert         the newest checkpoint
                   medium-expert  half of each
  --dataset        its id; munchausen/<environment>/<quality>-v0
  --seed           of environments and policies; 0
  --expert_return  what an expert reaches; what the newest checkpoint did
  --overwrite      whether to replace a dataset of that id; false

Datasets lie in $MINARI_DATASETS_PATH, or else in ~/.minari/datasets."""

# Those of launch.policies.collect; importing it takes as long as jax does.
Quality = Literal["random", "medium", "medium-replay", "expert", "medium-expert"]


@dataclass(frozen=True)
class Options:
    """Flags of `collect`; its argument is a run directory.

    Attributes:
        steps: to collect.
        quality: which policy acts.
        dataset: id; none: from environment and quality.
        seed: of environments and policies.
        expert_return: what an expert reaches; none: what the newest checkpoint did.
        overwrite: whether to replace a dataset of that id.
    """

    steps: int = 200_000
    quality: Quality = "expert"
    dataset: str | None = None
    seed: int = 0
    expert_return: float | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"{self.steps} steps: at least 1")
        if self.seed < 0:
            raise ValueError(f"{self.seed} is no seed: at least 0")


def main(arguments: Sequence[str]) -> int:
    """Collects what a command line asks for; prints what it is.

    Raises:
        OverrideError: a mistake on the command line.
        RunDirectoryError: the run cannot be read or collected from, or the dataset not
            be written.
    """
    plain, values = flags.read(arguments, flags.fields(Options()))
    options = flags.replace(Options(), values, "--")
    if len(plain) != 1:
        raise OverrideError("name one run directory, as `train` printed it")
    directory = Path(plain[0])
    if not directory.is_dir():
        raise OverrideError(f"{directory} is no directory")
    from launch.datasets import d4rl_scores
    from launch.policies import collect

    request = collect.Request(
        directory,
        options.quality,
        options.steps,
        options.dataset or "",
        options.seed,
        options.expert_return,
        options.overwrite,
    )
    try:
        done = collect.collect(request, say=lambda line: print(line, flush=True))
    except errors.NotFinite as error:
        raise OverrideError(f"{directory}: {' '.join(str(error).split())}") from error
    mean, score = statistics.fmean(done.returns), "unknown: D4RL has none"
    if done.reference is not None:
        score = f"{d4rl_scores.normalized(mean, done.reference):.1f}"
    print(f"{done.dataset_id}\n{done.path}")
    print(
        f"steps {done.steps:,}  episodes {len(done.returns):,}  "
        f"mean return {mean:.4g}  normalised score {score}"
    )
    return 0
