"""`munchausen merge`: merges weights of language policies, or exports them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from experiments import flags
from experiments.flags import OverrideError

HELP = """\
usage: munchausen merge <source> [<source> ...] --output DIRECTORY [--base SOURCE]
                        [--method slerp|lerp] [--weight W] [--fraction F]

Merges the policies of finished runs of language agents, and writes a checkpoint of
Hugging Face, as `--initial.policy` reads it. With one source it exports its policy. A
source is a run directory, or a directory with such a checkpoint of Gemma 2 or 3. Of
runs of `reward_model` it merges the reward models, for `--initial.reward`. Runs must
have begun with the same weights: train them with the same `--initial`.

  --output    directory to make
  --base      the run or checkpoint with whose weights the sources began; a merge on the
              sphere and a fraction need it
  --method    slerp  on the sphere: interpolates the differences from the base, layer by
                     layer, and keeps their length (default)
              lerp   linear: the mean of the weights
  --weight    of the second of two sources, 0 to 1; default: all weigh the same
  --fraction  how far to go from the base to the merge, 0 to 1; default 1

One iteration of WARP, whose runs began with runs/sft:

  munchausen merge runs/one runs/two --base runs/sft --fraction 0.3 --output merged

The reward model of WARM, whose runs had `--initial.sft runs/sft`:

  munchausen merge runs/one runs/two runs/three --method lerp --output merged"""


@dataclass(frozen=True)
class Options:
    """Flags of `merge`; its arguments are the sources.

    Attributes:
        output: directory to make.
        base: the run or checkpoint with whose weights the sources began.
        method: on the sphere, or linear.
        weight: of the second of two sources; none: all weigh the same.
        fraction: how far to go from the base to the merge.
    """

    output: str = ""
    base: str = ""
    method: Literal["slerp", "lerp"] = "slerp"
    weight: float | None = None
    fraction: float = 1.0

    def __post_init__(self) -> None:
        for name in ("weight", "fraction"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"must be at least 0 and at most 1, got {value}")


def main(arguments: Sequence[str]) -> int:
    """Merges and saves; prints how far the sources differ, and where the merge is.

    Raises:
        OverrideError: a mistake on the command line.
        RunDirectoryError: a source cannot be read or merged, or the checkpoint cannot
            be written.
    """
    plain, values = flags.read(arguments, flags.fields(Options()))
    options = flags.replace(Options(), values, "--")
    _check(plain, options)
    from launch.policies import merge

    request = merge.Request(
        tuple(map(Path, plain)),
        Path(options.base) if options.base else None,
        options.method,
        options.weight,
        options.fraction,
    )
    found = merge.merge(request)
    merge.save(request, found, Path(options.output))
    if found.cosines:
        lowest, highest = sorted(found.cosines.values())[:: len(found.cosines) - 1]
        print(
            "cosine between the first two sources' differences from the base, by "
            f"layer: {lowest:.3f} to {highest:.3f}"
        )
    print(options.output)
    return 0


def _check(sources: Sequence[str], options: Options) -> None:
    """Refuses flags that do not fit the sources, before anything is read."""
    if not sources:
        raise OverrideError(
            "name the runs or checkpoints to merge; one alone is exported"
        )
    for name in [*sources, options.base]:
        if name and not Path(name).is_dir():
            raise OverrideError(f"{name} is not a directory")
    if not options.output or Path(options.output).exists():
        found = f", but {options.output} exists" if options.output else ""
        raise OverrideError(f"--output must name a directory to make{found}")
    if options.weight is not None and len(sources) != 2:
        raise OverrideError(
            f"--weight is for two sources, got {len(sources)}: leave it out, and all "
            "weigh the same"
        )
    if not options.base:
        _check_without_base(len(sources), options)


def _check_without_base(sources: int, options: Options) -> None:
    if options.method == "slerp" and sources > 1:
        raise OverrideError(
            "--method slerp needs --base, the weights with which the sources began; "
            "--method lerp does not"
        )
    if options.fraction != 1:
        raise OverrideError("--fraction needs --base, from which to go")
