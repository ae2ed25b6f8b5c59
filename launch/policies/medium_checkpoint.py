"""Selects a run's checkpoint of medium quality, by the returns of its evaluations."""

from pathlib import Path
from typing import NamedTuple

from launch.errors import DatasetError
from launch.experiment import Experiment
from launch.runs import checkpoint, logs

_HOW = "train with --checkpoint.period 10_000 --checkpoint.keep 100"


# Bounds of a medium return, as parts of the way from random to expert.
_LOWEST, _HIGHEST = 1 / 6, 2 / 3
_LEAST_GAP = 0.05  # between expert and random, as a part of the larger return


class Medium(NamedTuple):
    """A checkpoint of medium quality.

    Attributes:
        steps: actor steps, which name the checkpoint.
        mean_return: of the evaluation nearest to the checkpoint.
        wanted: the target return.
        expert_return: the return taken as an expert's.
        random_return: the return of random actions.
    """

    steps: int
    mean_return: float
    wanted: float
    expert_return: float
    random_return: float

    def warning(self) -> str | None:
        """A line if the policies hardly differ, so that the dataset is not medium.

        With random at 0 and expert at 1, medium is wanted at 1/3. The line is given if

        - the expert is at most 5 % of the larger absolute return above random; or
        - the checkpoint is below 1/6, thus nearer to random than to 1/3; or
        - the checkpoint is above 2/3, thus nearer to the expert than to 1/3.
        """
        gap = self.expert_return - self.random_return
        if gap <= _LEAST_GAP * max(abs(self.expert_return), abs(self.random_return)):
            return (
                f"warning: the expert's return {self.expert_return:.4g} hardly exceeds "
                f"that of random actions, {self.random_return:.4g}, so medium data "
                "hardly differ from either: train for longer, or give an expert's "
                "return with --expert_return"
            )
        reached = (self.mean_return - self.random_return) / gap
        if _LOWEST <= reached <= _HIGHEST:
            return None
        near = "random actions'" if reached < _LOWEST else "the expert's"
        return (
            f"warning: the medium checkpoint has gone {100 * reached:.0f} % of the way "
            f"from random to expert, so its data hardly differ from {near}: {_HOW}"
        )


def select(
    directory: Path,
    experiment: Experiment,
    random_return: float,
    expert_return: float | None = None,
) -> Medium:
    """The kept checkpoint nearest to random + (expert - random) / 3; not the newest.

    Source: D4RL's medium policies reach about a third of an expert's return.

    Args:
        directory: the run's.
        experiment: the run's.
        random_return: mean return of uniformly random actions.
        expert_return: of an expert; None: of the newest checkpoint.

    Raises:
        DatasetError: no checkpoint to choose from, or none that was evaluated.
    """
    kept = checkpoint.kept(directory)
    if len(kept) < 2:
        raise DatasetError(
            "a policy of medium quality needs a checkpoint before the last, but "
            f"{directory} kept none: {_HOW}"
        )
    returns = _evaluated(directory, experiment, kept)
    if expert_return is None:
        if kept[-1] not in returns:
            raise DatasetError(
                f"{directory} has no evaluation near its newest checkpoint at step "
                f"{kept[-1]}: set an expert's return with --expert_return"
            )
        expert_return = returns[kept[-1]]
    wanted = random_return + (expert_return - random_return) / 3
    candidates = [step for step in kept[:-1] if step in returns]
    if not candidates:
        raise DatasetError(
            f"{directory} has no evaluation near any of its earlier checkpoints: "
            f"{_HOW}, and an --evaluation.period of at most 10_000"
        )
    best = min(candidates, key=lambda step: abs(returns[step] - wanted))
    return Medium(best, returns[best], wanted, expert_return, random_return)


def _evaluated(
    directory: Path, experiment: Experiment, kept: list[int]
) -> dict[int, float]:
    """Mean return by checkpoint, of the evaluation nearest to each, if one is near."""
    rows = [row for row in logs.read_evaluations(directory) if row.returns]
    near = experiment.evaluation.period / 2
    returns = {}
    for step in kept:
        row = min(
            rows, key=lambda row: abs(row.counts.actor_steps - step), default=None
        )
        if row is not None and abs(row.counts.actor_steps - step) <= near:
            returns[step] = row.mean_return
    return returns
