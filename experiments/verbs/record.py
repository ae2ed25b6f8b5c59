"""`munchausen record`: a video of the policy that a run saved."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiments import flags, output_files
from experiments.flags import OverrideError

if TYPE_CHECKING:  # else late: mistakes are answered before jax is there
    from launch.policies.render_episodes import Frame

HELP = """\
usage: munchausen record <run directory> [--output FILE.mp4|gif] [--episodes N]
                         [--steps N] [--seed K]

The policy plays as in evaluation; the picture is the game's own, in real time, with the
score and the step of the episode below it.

  --output    the video; policy.mp4 in the run
  --episodes  whole episodes to record; 1
  --steps     at most so many steps, however many episodes that is; none
  --seed      of environment and policy; 0"""

_OUTPUT = "policy.mp4"
_SUFFIXES = (".mp4", ".gif")


@dataclass(frozen=True)
class Options:
    """Flags of `record`; its argument is a run directory.

    Attributes:
        output: the video; none: `policy.mp4` in the run.
        episodes: to record.
        steps: at most; none: as many as the episodes take.
        seed: of environment and policy.
    """

    output: str | None = None
    episodes: int = 1
    steps: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.output is not None and Path(self.output).suffix not in _SUFFIXES:
            raise ValueError(f"{self.output} does not end in {' or '.join(_SUFFIXES)}")
        if self.episodes < 1:
            raise ValueError(f"{self.episodes} episodes: at least 1")
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"{self.steps} steps: at least 1")
        if self.seed < 0:
            raise ValueError(f"{self.seed} is no seed: at least 0")


def main(arguments: Sequence[str]) -> int:
    """Records what a command line asks for; prints where, and what happened in it.

    Raises:
        OverrideError: a mistake on the command line.
        RunDirectoryError: the run cannot be read, or the video not be written.
    """
    plain, values = flags.read(arguments, flags.fields(Options()))
    options = flags.replace(Options(), values, "--")
    if len(plain) != 1:
        raise OverrideError("name one run directory, as `train` printed it")
    directory = Path(plain[0])
    if not directory.is_dir():
        raise OverrideError(f"{directory} is no directory")
    path = directory / _OUTPUT if options.output is None else Path(options.output)
    output_files.check_writable(path)
    from experiments.verbs import video
    from launch.policies import render_episodes

    try:
        play = render_episodes.play_run(
            directory, options.seed, options.episodes, options.steps
        )
    except ValueError as error:  # such as a missing library
        raise OverrideError(str(error)) from error
    noted = _Noted(play.frames)
    with output_files.draft(path) as file:
        video.write(file, noted, play.frames_per_second)
    returns = ", ".join(map(video.number, noted.returns)) or "no episode ended"
    print(f"{path}\nsteps {noted.steps:,}  returns {returns}")
    return 0


class _Noted:
    """Frames as they pass; what happened in them is noted."""

    def __init__(self, frames: Iterable["Frame"]):
        self._frames = frames
        self.steps = 0
        self.returns: list[float] = []

    def __iter__(self) -> Iterator["Frame"]:
        for frame in self._frames:
            self.steps += frame.step > 0
            if frame.last:
                self.returns.append(frame.score)
            yield frame
