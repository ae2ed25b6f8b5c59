"""`munchausen train`: trains, computes or resumes an experiment, figure, grid or run.

`train_resume` resumes a run by its directory, `train_grid` sweeps a grid and
`train_computed` computes a figure without training; all are shaped like verbs.
`train_runs` runs the plan that `train_arguments` reads, and `train_directory` one run
in the directory that it names. All are imported late: mistakes are reported before the
libraries of a run are imported.
"""

from collections.abc import Sequence
from pathlib import Path

from experiments import names
from experiments.verbs import train_arguments


def help_text(arguments: Sequence[str]) -> str:
    """Help for the experiment, figure or run that a command line names.

    Raises:
        OverrideError: the command line names something that does not exist.
    """
    if _resumed(arguments) is not None:
        from experiments.verbs import train_resume

        return train_resume.HELP
    if _computes(arguments):
        from experiments.verbs import train_computed

        return train_computed.help_text(arguments)
    if _sweeps(arguments):
        from experiments.verbs import train_grid

        return train_grid.help_text(arguments)
    return "\n".join(train_arguments.help_lines(arguments))


HELP = help_text


def main(arguments: Sequence[str]) -> int:
    """Runs, computes or resumes as a command line asks; prints the results.

    Raises:
        OverrideError: a mistake on the command line.
        RunDirectoryError: a run directory cannot be written or read.
        RunFailed: a run ended early.
        RunStopped: a signal ended it; runs that had begun saved a checkpoint.
    """
    resumed = _resumed(arguments)
    if resumed is not None:
        from experiments.catalogue import computation
        from experiments.verbs import train_computed, train_resume

        if resumed and computation.is_computed(Path(resumed)):
            return train_computed.resume(resumed, arguments)
        return train_resume.main(arguments)
    if _computes(arguments):
        from experiments.verbs import train_computed

        return train_computed.main(arguments)
    if _sweeps(arguments):
        from experiments.verbs import train_grid

        return train_grid.main(arguments)
    plan = train_arguments.plan(arguments)
    if plan.options.run_directory is not None:
        from experiments.verbs import train_directory

        return train_directory.run(plan)
    if any(experiment.initial for experiment in plan.experiments):
        from experiments.verbs import train_initial

        plan = train_initial.provided(plan)
    from experiments.verbs import train_runs

    return train_runs.run(plan)


def _resumed(arguments: Sequence[str]) -> str | None:
    """What a command line names to resume, other than by --resume auto."""
    after = [*arguments[1:], ""]
    values = [
        following if flag == "--resume" else flag.removeprefix("--resume=")
        for flag, following in zip(arguments, after, strict=False)
        if flag == "--resume" or flag.startswith("--resume=")
    ]
    return next((value for value in values if value != "auto"), None)


def _computes(arguments: Sequence[str]) -> bool:
    return any(argument in names.COMPUTATIONS for argument in arguments)


def _sweeps(arguments: Sequence[str]) -> bool:
    return any(argument in names.GRIDS for argument in arguments)
