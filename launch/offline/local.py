"""An offline run in one process and one thread: reproducible, also if resumed."""

import contextlib
from pathlib import Path

from launch import faults
from launch.checkpoint import Checkpoint
from launch.dashboards import WandbMode
from launch.evaluator import Evaluator, evaluated
from launch.experiment import Experiment, make_agent, spec_of
from launch.offline import stages
from launch.offline.stages import Signs
from launch.progress import Progress
from launch.recorder import Recorder
from launch.watchdog import LocalWatchdog


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
    with faults.caught_signals() as caught:
        # Before the logs are opened, since it may be refused.
        prepared = stages.load_prepared(experiment, spec, directory)
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
                    raise faults.Interrupted(caught[0])

            def evaluate(point: int) -> None:
                nonlocal returns
                # A signal leaves it to who goes on.
                with contextlib.suppress(faults.Interrupted):
                    played = evaluator.evaluate(stage.learner.params, point, tick)
                    returns = recorder.evaluation(point, stage.counts, played)

            done = evaluated(directory, stage.counts.clock)
            stage.run(prepared, recorder, signs, evaluate, done)
            if caught:
                raise faults.Interrupted(caught[0])
        finally:
            watchdog.close()
            recorder.close()
    return returns
