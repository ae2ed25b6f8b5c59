"""An offline run in one process and one thread: reproducible, also if resumed."""

import contextlib
from pathlib import Path

from launch import errors
from launch.build import make_agent, spec_of
from launch.datasets import load
from launch.engines import signals
from launch.experiment import Experiment
from launch.roles import stages
from launch.roles.evaluator import Evaluator
from launch.roles.stages import Signs
from launch.roles.watchdog import LocalWatchdog
from launch.runs.checkpoint import Checkpoint
from launch.runs.dashboards import WandbMode
from launch.runs.logs import last_evaluated_step
from launch.runs.progress import Progress
from launch.runs.recorder import Recorder


def run(
    experiment: Experiment,
    directory: Path,
    progress: bool = True,
    resume: Checkpoint | None = None,
    wandb: WandbMode = "off",
) -> list[float]:
    """Learns from the dataset, stage after stage, and evaluates on the grid.

    Args:
        experiment: what to run.
        directory: its run directory.
        progress: whether to show a live line.
        resume: where to go on.
        wandb: whether to show it at Weights & Biases, too.

    Returns:
        The last evaluation's returns.

    Raises:
        Interrupted: SIGINT, SIGTERM or SIGHUP came; the run has saved itself.
        NotFinite: a loss is NaN or infinite.
        SaveFailed: a checkpoint could not be written.
    """
    spec = spec_of(experiment)
    with signals.caught_signals() as caught:
        # Before the logs are opened, since it may be refused.
        prepared = load.load_prepared(experiment, spec, directory)
        title = f"{experiment.name} seed {experiment.seed}"
        shown = Progress(title, experiment.steps) if progress else None
        recorder = Recorder(experiment, directory, shown, resume, wandb)
        watchdog = LocalWatchdog(experiment.stall_seconds, directory)
        signs = Signs(watchdog.alive, lambda: bool(caught))
        evaluator = Evaluator(
            experiment, make_agent(experiment, spec), experiment.evaluation.episodes
        )
        returns = list[float]()
        try:
            stage = stages.make_stage(experiment, directory, spec)
            if resume is None:
                stage.save(prepared, recorder)  # from now on there is one to go on with
            networks = stages.pretrain(
                experiment, directory, spec, prepared, signs, progress
            )
            stage.begin({**networks, **prepared.networks}, resume)

            def tick() -> None:
                watchdog.alive()
                if caught:
                    raise errors.Interrupted(caught[0])

            def evaluate(point: int) -> None:
                nonlocal returns
                # A signal leaves it to who goes on.
                with contextlib.suppress(errors.Interrupted):
                    played = evaluator.evaluate(stage.learner.params, point, tick)
                    returns = recorder.evaluation(point, stage.counts, played)

            done = last_evaluated_step(directory, stage.counts.clock)
            stage.run(prepared, recorder, signs, evaluate, done)
            if caught:
                raise errors.Interrupted(caught[0])
        finally:
            watchdog.close()
            recorder.close()
    return returns
