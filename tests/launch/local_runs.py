"""Local runs in this process, as the command line starts them."""

from launch import preflight
from launch.engines import one_thread
from launch.policies import saved_policy
from launch.roles.context import Run
from launch.runs import run_directory


def run_local(experiment, directory, resume=None, **options):
    """The returns of the last evaluation; no live line."""
    made, environment = ready_run(experiment, directory, resume, **options)
    return one_thread.run(made, environment, progress=False)


def ready_run(experiment, directory, resume=None, **options):
    """A run that passed its checks, and its actor's environment, if it has one."""
    start = 0 if resume is None else resume.counts.actor_steps
    ready = preflight.check(experiment, directory=directory, start=start)
    made = Run(
        experiment,
        directory,
        ready.spec,
        ready.frame_stack,
        resume=resume,
        dataset=ready.dataset,
        **options,
    )
    return made, ready.environment


def run_new(root, experiment):
    """The new directory of a run that has ended."""
    directory = run_directory.create(root, experiment)
    run_local(experiment, directory)
    return directory


def parameters(directory):
    """What a run has learned."""
    return saved_policy.load(directory)[2]
