"""`munchausen record`: records a video of a run's saved policy."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiments import flags, output_files
from experiments.flags import OverrideError
from launch.policies import zoo

if TYPE_CHECKING:  # otherwise late: mistakes are reported before jax loads
    from launch.policies.render_episodes import Frame

HELP = f"""\
usage: munchausen record <run directory> [--output FILE.mp4|gif] [--episodes N]
                         [--steps N] [--seed K]

The policy of the newest checkpoint plays as in evaluation. The video shows the game's
own picture in real time, with the score and the step of the episode below it.
Instead of a run, it can play a trained policy of the zoo:
{", ".join(zoo.names())}.

  --output    file of the video; default policy.mp4 in the run directory, for a policy
              of the zoo <name>.mp4 in the working directory
  --episodes  whole episodes to record; default 1
  --steps     maximum number of steps, over all episodes; default none
  --seed      of environment and policy; default 0"""

_OUTPUT = "policy.mp4"
_SUFFIXES = (".mp4", ".gif")


@dataclass(frozen=True)
class Options:
    """Flags of `record`; its argument is a run directory or a policy of the zoo.

    Attributes:
        output: file of the video; none: `policy.mp4` in the run directory, or
            `<name>.mp4` in the working directory for a policy of the zoo.
        episodes: whole episodes to record.
        steps: maximum over all episodes; none: no limit.
        seed: of environment and policy.
    """

    output: str | None = None
    episodes: int = 1
    steps: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if (
            self.output is not None
            and Path(self.output).suffix.lower() not in _SUFFIXES
        ):
            raise ValueError(f"must end in {' or '.join(_SUFFIXES)}, got {self.output}")
        if self.episodes < 1:
            raise ValueError(f"must be at least 1, got {self.episodes}")
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"must be at least 1, got {self.steps}")
        if self.seed < 0:
            raise ValueError(f"must be at least 0, got {self.seed}")


def main(arguments: Sequence[str]) -> int:
    """Records a video; prints its path, number of steps and returns.

    Raises:
        OverrideError: a mistake on the command line.
        RunDirectoryError: the run cannot be read, or the video cannot be written.
    """
    plain, values = flags.read(arguments, flags.fields(Options()))
    options = flags.replace(Options(), values, "--")
    if len(plain) != 1:
        raise OverrideError("name one run directory, as `train` printed it")
    directory = zoo.find(plain[0])
    path = Path(options.output or _default_output(plain[0]))
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
    returns = ", ".join(map(video.number, noted.returns))
    ended = f"returns {returns}" if returns else "no episode ended"
    print(f"{path}\nsteps {noted.steps:,}  {ended}")
    return 0


def _default_output(directory: str) -> Path:
    """In the run directory; not within this package for a policy of the zoo."""
    if zoo.is_in_zoo(directory):
        return Path(f"{Path(directory).name}.mp4")
    return Path(directory) / _OUTPUT


class _Noted:
    """Passes frames on; counts their steps and notes the episodes' returns."""

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
