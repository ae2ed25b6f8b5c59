"""Runs that one command trains: a paper's figure, which has variants on one task."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from experiments.catalogue.experiments import Named
from experiments.catalogue.lazy import Lazy
from experiments.catalogue.tasks import Task
from launch.experiment import Experiment


class Variant(NamedTuple):
    """One line of a figure.

    Attributes:
        agent_name: key of `agents.REGISTRY`.
        settings: agent settings that replace the task's, by path.
        initial: where the first weights of networks come from, see `Experiment`.
        task: replaces the figure's, for runs with other data or of another length.
    """

    agent_name: str
    settings: Mapping[str, Any] = {}
    initial: Mapping[str, str] = {}
    task: Task | None = None


class Figure(NamedTuple):
    """The runs that `train <name>` starts.

    Attributes:
        name: `<paper>/<figure>`, or `suite/<suite>_<agent>`.
        description: one line for `munchausen list`.
        steps: of the longest run.
        variants: by name, `<paper>/<figure>_<variant>`; of a suite, its experiments.
        seeds: number of seeds, as in the paper.
    """

    name: str
    description: str
    steps: int
    variants: Mapping[str, Named]
    seeds: int

    @property
    def experiments(self) -> Mapping[str, Experiment]:
        """The variants' experiments by name; each is built when it is first used."""
        return Lazy({name: named.experiment for name, named in self.variants.items()})


def make(
    name: str, task: Task, variants: Mapping[str, Variant], *, seeds: int
) -> Figure:
    """Builds a figure whose variants share one task.

    Args:
        name: `<paper>/<figure>`.
        task: environment, steps, evaluation, and the settings that all variants share.
        variants: by the suffix that is added to the name.
        seeds: number of seeds, as in the paper.
    """
    named = [
        Named(
            f"{name}_{suffix}",
            variant.agent_name,
            variant.task or task,
            variant.settings,
            variant.initial,
        )
        for suffix, variant in variants.items()
    ]
    variants_ = {each.name: each for each in named}
    return Figure(name, task.description, task.steps, variants_, seeds)
