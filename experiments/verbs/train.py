"""`munchausen train`: trains, computes or resumes an experiment, figure or run.

`train_resume` resumes a run by its directory and `train_computed` computes a figure
without training; both are shaped like verbs. `train_runs` runs the plan that
`train_arguments` reads. All are imported late: mistakes are reported before the
libraries of a run are imported.
"""

from collections.abc import Sequence

from experiments import names
from experiments.verbs import train_arguments


def help_text(arguments: Sequence[str]) -> str:
    """Help for the experiment, figure or run that a command line names.

    Raises:
        OverrideError: the command line names something that does not exist.
    """
    if _resumes(arguments):
        from experiments.verbs import train_resume

        return train_resume.HELP
    if _computes(arguments):
        from experiments.verbs import train_computed

        return train_computed.help_text(arguments)
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
    if _resumes(arguments):
        from experiments.verbs import train_resume

        return train_resume.main(arguments)
    if _computes(arguments):
        from experiments.verbs import train_computed

        return train_computed.main(arguments)
    plan = train_arguments.plan(arguments)
    from experiments.verbs import train_runs

    return train_runs.run(plan)


def _resumes(arguments: Sequence[str]) -> bool:
    return any(argument.split("=")[0] == "--resume" for argument in arguments)


def _computes(arguments: Sequence[str]) -> bool:
    return any(argument in names.COMPUTATIONS for argument in arguments)
