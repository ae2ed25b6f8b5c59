"""`munchausen evaluate`: plays the policy that a run saved."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments import flags
from experiments.flags import OverrideError

HELP = "usage: munchausen evaluate <run directory> [--episodes N] [--seed K]"


@dataclass(frozen=True)
class Options:
    """Flags of `evaluate`; its argument is a run directory.

    Attributes:
        episodes: episodes to play.
        seed: of the environments and of the policy.
    """

    episodes: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.episodes < 1:
            raise ValueError(f"{self.episodes} episodes: at least 1")
        if self.seed < 0:
            raise ValueError(f"{self.seed} is no seed: at least 0")


def main(arguments: Sequence[str]) -> int:
    """Plays what a command line asks for; prints the mean return and its error.

    Raises:
        OverrideError: a mistake on the command line.
        RunDirectoryError: the run cannot be read.
    """
    plain, values = flags.read(arguments, flags.fields(Options()))
    if len(plain) != 1:
        raise OverrideError("name one run directory, as `train` printed it")
    options = flags.replace(Options(), values, "--")
    directory = Path(plain[0])
    if not directory.is_dir():
        raise OverrideError(f"{directory} is no directory")
    from launch.policies.evaluate import evaluate_run

    returns = evaluate_run(directory, options.episodes, options.seed)
    spread = statistics.stdev(returns) if len(returns) > 1 else math.nan
    error = spread / math.sqrt(len(returns))
    shown = f"{error:.3g}" if math.isfinite(error) else "unknown"
    print(
        f"mean return {statistics.fmean(returns):.4g}  standard error {shown}  "
        f"episodes {len(returns)}"
    )
    return 0
