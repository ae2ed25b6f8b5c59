"""One experiment in one process and one thread: for debugging, and reproducible.

Equal seeds give equal runs, bit for bit, whether or not they were resumed on the way:
at every checkpoint the environments restart, in a run that goes on as in one that is
resumed. Only what was saved at an interruption, or by the clock, lies off that grid.
Nothing of Reverb, Launchpad or TensorFlow is imported.
"""

from collections.abc import Sequence
from pathlib import Path

import environments
from agents.parts.contract import Agent, Params, Transition
from launch import errors
from launch.build import make_agent, make_spec
from launch.engines import signals
from launch.experiment import Experiment
from launch.replay.in_process import InProcess
from launch.roles.actor import Actor, Loop
from launch.roles.evaluator import Evaluator, Lockstep
from launch.roles.idle_time import Turns
from launch.roles.learner import Learner
from launch.roles.watchdog import LocalWatchdog
from launch.runs import checkpoint
from launch.runs.checkpoint import Checkpoint
from launch.runs.dashboards import WandbMode
from launch.runs.logs import Counts, Episode, last_evaluated_step
from launch.runs.progress import Progress
from launch.runs.progress_from_logs import bottleneck
from launch.runs.recorder import Recorder
from launch.runs.schedule import Grid


class Local:
    """The pieces of a run, wired together; `run` turns the crank."""

    def __init__(
        self,
        experiment: Experiment,
        directory: Path,
        progress: bool = True,
        resume: Checkpoint | None = None,
        wandb: WandbMode = "off",
    ):
        """Builds environment, replay, learner, actor and evaluator.

        Args:
            experiment: what to run; one actor, whatever it says.
            directory: its run directory.
            progress: whether to show a live line.
            resume: where to go on.
            wandb: whether to show it at Weights & Biases, too.

        Raises:
            ValueError: the agent does not fit the environment or the devices.
            RunDirectoryError: the checkpoint does not fit the experiment.
        """
        self._experiment = experiment
        self._directory = directory
        self._environment = self._make_environment(start=0)
        spec = make_spec(self._environment)
        agent = make_agent(experiment, spec)
        self._store = InProcess(
            agent.storage,
            spec,
            discount=agent.discount,
            frame_stack=self._environment.frame_stack,
            num_environments=experiment.environments,
            seed=experiment.seeds("replay")[1],
        )
        self._learner = Learner(agent, experiment.seeds("learner")[1], self._next_batch)
        self._actor = Actor(
            agent.act,
            self._params,
            seed=0,
            adder=self._store,
            reward_clip=self._environment.reward_clip,
        )
        self._evaluator = Evaluator(experiment, agent, experiment.evaluation.episodes)
        self._lockstep = (
            Lockstep(experiment, agent, self._params, experiment.environments)
            if experiment.evaluation.lockstep
            else None
        )
        self._episodes = 0
        if resume is not None:
            self._restore(agent, resume)  # before the logs are taken back to it
        title = f"{experiment.name} seed {experiment.seed}"
        self._progress = Progress(title, experiment.steps) if progress else None
        self._turns = Turns()
        self._returns: list[float] = []
        self._recorder = Recorder(experiment, directory, self._progress, resume, wandb)
        self._start(0 if resume is None else resume.counts.actor_steps)

    @property
    def counts(self) -> Counts:
        """How far the run is."""
        return Counts(
            self._loop.actor_steps,
            self._loop.frames,
            self._learner.learner_steps,
            self._episodes,
        )

    def run(self) -> list[float]:
        """Acts, learns, evaluates and saves; returns the last evaluation's returns.

        Raises:
            Interrupted: SIGINT, SIGTERM or SIGHUP came; the run has saved itself.
            NotFinite: a loss or the environment gave NaN or infinity.
            SaveFailed: a checkpoint could not be written.
        """
        experiment, done = self._experiment, self._loop.actor_steps
        grid = (experiment.evaluation.period, experiment.steps)
        evaluations = Grid(*grid, last_evaluated_step(self._directory, done))
        checkpoints = checkpoint.Timer(experiment.checkpoint, experiment.steps, done)
        self._watchdog = LocalWatchdog(experiment.stall_seconds, self._directory)
        try:
            with signals.caught_signals() as caught:
                # What a signal, or the end of a process, cut short comes first.
                self._evaluate(evaluations.passed(done), caught)
                while self._loop.actor_steps < experiment.steps and not caught:
                    self._watchdog.alive()
                    self._step()
                    self._evaluate(evaluations.passed(self._loop.actor_steps), caught)
                    if checkpoints.due(self._loop.actor_steps) or caught:
                        self._save()
            if caught:
                raise errors.Interrupted(caught[0])
        finally:
            self._watchdog.close()
            self._recorder.close()
            self._environment.close()
            if self._lockstep is not None:
                self._lockstep.close()
        return self._returns

    def _params(self) -> Params:
        return self._learner.params

    def _step(self) -> None:
        """One decision in every environment, and the updates that it calls for."""
        ended = [episode for _, episode in self._loop.step()]
        self._episodes += len(ended)
        self._recorder.add_episodes(ended)
        if self._lockstep is not None:
            self._recorder.add_evaluated(self._lockstep.step())
        for _ in range(self._store.owed()):
            self._learner.step()
            self._turns.dispatched(self._learner.running)
        self._recorder.report(self.counts, self._learner.metrics)
        waiting = self._turns.waiting()
        if waiting is not None and self._progress is not None:
            self._progress.update(self.counts, {"bottleneck": bottleneck(waiting)})

    def _next_batch(self) -> Transition:
        batch = self._store.sample()
        self._turns.fetched(self._learner.running)
        return batch

    def _evaluate(self, point: int | None, caught: Sequence[int]) -> None:
        """Evaluates at a point, if it is one; a signal leaves it to who goes on."""
        if point is None:
            return

        def tick() -> None:
            self._watchdog.alive()
            if caught:
                raise errors.Interrupted(caught[0])

        episodes: Sequence[Episode] = []
        if self._lockstep is None:
            try:
                episodes = self._evaluator.evaluate(self._learner.params, point, tick)
            except errors.Interrupted:
                return
        self._returns = self._recorder.evaluation(point, self.counts, episodes)
        self._turns.begin()

    def _save(self) -> None:
        settings = self._experiment.checkpoint
        checkpoint.save(
            self._directory,
            self.counts,
            self._learner.save(),
            extra={"store": self._store.progress(), **self._recorder.pending()},
            save_replay=self._store.save if settings.replay else None,
            keep=settings.keep,
        )
        self._learner.metrics = {}  # who goes on from here has none before an update
        self._start(self._loop.actor_steps)
        self._turns.begin()

    def _restore(self, agent: Agent, resume: Checkpoint) -> None:
        self._learner.restore(checkpoint.load_state(resume, agent))
        self._episodes = resume.counts.episodes
        if resume.replay is not None:
            self._store.restore(resume.replay, resume.extra["store"])

    def _start(self, actor_steps: int) -> None:
        """Restarts environments and policies, `actor_steps` into the run."""
        self._environment.close()
        self._environment = self._make_environment(actor_steps)
        seed = self._experiment.seeds("actor", start=actor_steps)[1]
        self._actor.reseed(seed, actor_steps)
        self._loop = Loop(self._environment, self._actor, actor_steps)
        if self._lockstep is not None:
            self._lockstep.start(actor_steps)

    def _make_environment(self, start: int) -> environments.VectorEnvironment:
        return environments.make(
            self._experiment.environment,
            self._experiment.environments,
            self._experiment.seeds("actor", start=start)[0],
        )


def run(
    experiment: Experiment,
    directory: Path,
    progress: bool = True,
    resume: Checkpoint | None = None,
    wandb: WandbMode = "off",
) -> list[float]:
    """Runs an experiment in this thread; returns the last evaluation's returns."""
    return Local(experiment, directory, progress, resume, wandb).run()
