"""`munchausen collect`: writes a dataset that a run's policies collect."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from experiments import flags
from experiments.flags import OverrideError
from launch import errors
from launch.policies import zoo

HELP = """\
usage: munchausen collect <run directory> [--steps N] [--quality Q] [--dataset ID]
                          [--seed K] [--expert_return X] [--overwrite true]

Writes a Minari dataset of whole episodes, for agents that learn from datasets. The run
must be of td3, sac or iq. Qualities other than random and expert need a run that kept
several checkpoints: train it with --launch local --checkpoint.period 10_000
--checkpoint.keep 100.

  --steps          minimum number of steps (of medium-replay: maximum); default 200_000
  --quality        random         uniform actions
                   medium         the checkpoint nearest to a third of expert return
                   medium-replay  the replay of the medium checkpoint; episodes that
                                  the run broke off at checkpoints are cut short
                   expert         the newest checkpoint (default)
                   medium-expert  half medium, half expert
  --dataset        id of the dataset; default munchausen/<environment>/<quality>-v0
  --seed           of environments and policies; default 0
  --expert_return  return of an expert; default: that of the newest checkpoint
  --overwrite      true replaces an existing dataset of that id; default false

Datasets are written to $MINARI_DATASETS_PATH, by default ~/.minari/datasets."""

# As in launch.policies.collect, which is not imported here: it imports jax.
Quality = Literal["random", "medium", "medium-replay", "expert", "medium-expert"]


@dataclass(frozen=True)
class Options:
    """Flags of `collect`; its argument is a run directory.

    Attributes:
        steps: number of steps to collect.
        quality: which policy acts.
        dataset: id of the dataset; none: made from environment and quality.
        seed: of environments and policies.
        expert_return: return of an expert; none: that of the newest checkpoint.
        overwrite: whether to replace an existing dataset of that id.
    """

    steps: int = 200_000
    quality: Quality = "expert"
    dataset: str | None = None
    seed: int = 0
    expert_return: float | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"must be at least 1, got {self.steps}")
        if self.seed < 0:
            raise ValueError(f"must be at least 0, got {self.seed}")


def main(arguments: Sequence[str]) -> int:
    """Collects a dataset and prints its id, path, size and mean return.

    Raises:
        OverrideError: a mistake on the command line.
        RunDirectoryError: the run cannot be read or cannot be collected from, or the
            dataset cannot be written.
    """
    plain, values = flags.read(arguments, flags.fields(Options()))
    options = flags.replace(Options(), values, "--")
    if len(plain) != 1:
        raise OverrideError("name one run directory, as `train` printed it")
    zoo.refuse(plain[0], "collect from")
    directory = Path(plain[0])
    if not directory.is_dir():
        raise OverrideError(f"{directory} is not a directory")
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
    mean, score = statistics.fmean(done.returns), "unknown (not in D4RL)"
    if done.reference is not None:
        score = f"{d4rl_scores.normalized(mean, done.reference):.1f}"
    print(f"{done.dataset_id}\n{done.path}")
    print(
        f"steps {done.steps:,}  episodes {len(done.returns):,}  "
        f"mean return {mean:.4g}  normalised score {score}"
    )
    return 0
