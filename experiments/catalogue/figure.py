"""A figure of a paper that is trained: variants of one task, some seeds of each."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from experiments.catalogue import experiments as catalogue
from experiments.catalogue.tasks import Task
from launch.experiment import Experiment


class Variant(NamedTuple):
    """One line of a figure.

    Attributes:
        agent_name: key of `agents.REGISTRY`.
        settings: where it departs from the task's settings, by path.
    """

    agent_name: str
    settings: Mapping[str, Any] = {}


class Figure(NamedTuple):
    """What `train <name>` stands for.

    Attributes:
        name: `<paper>/<figure>`.
        description: one line.
        experiments: its variants by name, `<paper>/<figure>_<variant>`.
        seeds: as many as the paper has.
    """

    name: str
    description: str
    experiments: dict[str, Experiment]
    seeds: int


def make(
    name: str, task: Task, variants: Mapping[str, Variant], *, seeds: int
) -> Figure:
    """A figure whose variants share one task.

    Args:
        name: `<paper>/<figure>`.
        task: environment, steps, evaluation, and the settings that all variants share.
        variants: by what is added to the name.
        seeds: as many as the paper has.
    """
    experiments = [
        catalogue.experiment(
            f"{name}_{suffix}", variant.agent_name, task, variant.settings
        )
        for suffix, variant in variants.items()
    ]
    return Figure(
        name, task.description, {each.name: each for each in experiments}, seeds
    )
