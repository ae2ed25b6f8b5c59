"""`munchausen evaluate`: plays the policy that a run saved."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from experiments import flags
from experiments.flags import OverrideError
from launch.policies import zoo

HELP = f"""\
usage: munchausen evaluate <run directory> [--episodes N] [--seed K]

Plays the policy of the newest checkpoint. Prints the mean return with its standard
error, the mean discounted return with the agent's discount, and the agent's measures.
Instead of a run, it can play a trained policy of the zoo:
{", ".join(zoo.names())}.

  --episodes  episodes to play; default 10
  --seed      of the environments and of the policy; default 0"""


@dataclass(frozen=True)
class Options:
    """Flags of `evaluate`; its argument is a run directory or a policy of the zoo.

    Attributes:
        episodes: episodes to play.
        seed: of the environments and of the policy.
    """

    episodes: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.episodes < 1:
            raise ValueError(f"must be at least 1, got {self.episodes}")
        if self.seed < 0:
            raise ValueError(f"must be at least 0, got {self.seed}")


def main(arguments: Sequence[str]) -> int:
    """Plays some episodes; prints the mean return, its standard error, and measures.

    Raises:
        OverrideError: a mistake on the command line.
        RunDirectoryError: the run cannot be read.
    """
    plain, values = flags.read(arguments, flags.fields(Options()))
    if len(plain) != 1:
        raise OverrideError("name one run directory, as `train` printed it")
    options = flags.replace(Options(), values, "--")
    directory = zoo.find(plain[0])
    from launch.policies.evaluate import evaluate_run

    evaluated = evaluate_run(directory, options.episodes, options.seed)
    returns = evaluated.returns
    spread = statistics.stdev(returns) if len(returns) > 1 else math.nan
    error = spread / math.sqrt(len(returns))
    shown = f"{error:.3g}" if math.isfinite(error) else "unknown"
    print(
        f"mean return {statistics.fmean(returns):.4g}  standard error {shown}  "
        f"episodes {len(returns)}"
    )
    for name, value in evaluated.measures.items():
        print(f"{name.replace('_', ' ')} {value:.4g}")
    return 0
