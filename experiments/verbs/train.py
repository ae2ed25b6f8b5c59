"""`munchausen train`: runs, computes or resumes what a command line names.

`train_resume` resumes a run by its directory and `train_computed` computes a figure
without training, each as a verb does; `train_runs` runs what `train_arguments` read.
All are imported late: mistakes are answered before the libraries of a run are there.
"""

from collections.abc import Sequence

from experiments import names
from experiments.verbs import train_arguments


def help_text(arguments: Sequence[str]) -> str:
    """The flags of what a command line names.

    Raises:
        OverrideError: it names something that does not exist.
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
    """Does what a command line names; prints what came out.

    Raises:
        OverrideError: a mistake on the command line.
        RunDirectoryError: a run directory cannot be written or read.
        RunFailed: a run ended before its time.
        RunStopped: a signal ended it; what had begun has saved itself.
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
