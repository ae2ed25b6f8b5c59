"""Runs one experiment in one thread: reproducible, and easy to debug.

Equal seeds give equal runs, bit for bit, whatever the clock does, if XLA has equally
many threads. Environments cannot be saved: they restart at each checkpoint on the grid
of steps, even if the run is not interrupted, so that a run resumed there equals one
that was not. A checkpoint that was saved by wall time, at an interruption, or at the
end of a run off the grid, changes nothing in a run that continues; only a run that
resumes there differs from then on, and its manifest notes that. Nothing of Reverb,
Launchpad or TensorFlow is imported.

With `act_under_update` a second thread computes the updates. What the first one does
never depends on how far the second one is: it acts with the parameters of before the
turn of updates under way, and waits for their end before it starts the next turn.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

from agents.parts.contract import Agent, Metrics
from environments.vector import VectorEnvironment
from launch import errors
from launch.build import make_actor_environment, make_extras_spec, make_stages
from launch.engines import signals
from launch.engines.signals import Caught
from launch.experiment import Experiment
from launch.replay.in_process import InProcess
from launch.roles.actor import Actor, Loop
from launch.roles.batches import Batches
from launch.roles.batches_ahead import BatchesAhead
from launch.roles.context import Run
from launch.roles.evaluator import Evaluator, Lockstep
from launch.roles.idle_time import Turns
from launch.roles.learner import Learner
from launch.roles.learner_loop import LearnerLoop
from launch.roles.watchdog import LocalWatchdog
from launch.runs import truncate_logs
from launch.runs.logs import Counts, Evaluated, last_evaluated_step
from launch.runs.progress import Progress, bottleneck
from launch.runs.recorder import Recorder

if TYPE_CHECKING:
    from launch.datasets.normalization import Prepared
    from launch.replay.in_process_queue import InProcessQueue


def run(
    run: Run, environment: VectorEnvironment | None, progress: bool = True
) -> list[float]:
    """Acts, learns, evaluates and saves; returns the last evaluation's returns.

    Args:
        run: what to run, with its dataset if it learns from one.
        environment: the actor's environment, if the run acts; it is closed in the end.
        progress: whether to show a live line.

    Raises:
        Interrupted: a signal came; the run has saved itself.
        NotFinite: a loss or the environment gave NaN or infinity.
        SaveFailed: a checkpoint could not be written.
        UnevenBatch: the local devices cannot share the batch evenly.
        RunDirectoryError: the checkpoint does not fit the experiment.
    """
    with signals.caught_signals() as caught:
        local = Local(run, environment, caught, progress)
        with closing(local):
            local.run()
        if caught:
            raise errors.Interrupted(caught[0])
    return local.returns


class Acting:
    """The acting part of a local run: environments, actor and lockstep evaluator."""

    def __init__(
        self,
        experiment: Experiment,
        agent: Agent,
        store: "InProcess | InProcessQueue",
        learner: Learner,
        environment: VectorEnvironment,
        start: Counts,
    ):
        """Builds the actor, which begins at `start` of the run.

        Args:
            experiment: gives environments and seeds.
            agent: gives the policy.
            store: where experience goes.
            learner: gives the newest parameters at hand.
            environment: made by `make_actor_environment` for this start.
            start: counters of the run.
        """
        self._experiment = experiment
        self._environment = environment
        self.episodes = start.episodes
        queue = agent.storage.order == "queue"
        self._actor = Actor(
            agent.act,
            lambda: learner.at_hand.params,
            seed=0,
            adder=store,
            version=(lambda: learner.learner_steps) if queue else None,
            reward_clip=environment.reward_clip,
        )
        self.lockstep = (
            Lockstep(
                experiment,
                agent,
                lambda: learner.at_hand.params,
                experiment.environments,
            )
            if experiment.evaluation.lockstep
            else None
        )
        self._begin(start.actor_steps)

    def _begin(self, actor_steps: int) -> None:
        seed = self._experiment.seeds("actor", start=actor_steps)[1]
        self._actor.reseed(seed, actor_steps)
        self.loop = Loop(self._environment, self._actor, actor_steps)
        if self.lockstep is not None:
            self.lockstep.start(actor_steps)

    def restart(self) -> None:
        """Restarts environments and policies, as a run resumed at this point does."""
        actor_steps = self.loop.actor_steps
        self._environment.close()
        self._environment = make_actor_environment(self._experiment, actor_steps)
        self._begin(actor_steps)

    def step(self, recorder: Recorder) -> None:
        """Takes one decision in every environment."""
        ended = [episode for _, episode in self.loop.step()]
        self.episodes += len(ended)
        recorder.add_episodes(ended)
        if self.lockstep is not None:
            recorder.add_evaluated(self.lockstep.step())

    def close(self) -> None:
        """Closes the environments."""
        self._environment.close()
        if self.lockstep is not None:
            self.lockstep.close()


class Local:
    """A run in one thread; the host of its learner loop.

    Attributes:
        returns: of the last evaluation.
    """

    def __init__(
        self,
        run: Run,
        environment: VectorEnvironment | None,
        caught: Caught,
        progress: bool,
    ):
        """Builds all parts of the run, and truncates its logs to the checkpoint.

        Args:
            run: see `run`.
            environment: see `run`.
            caught: the signals received so far.
            progress: see `run`.
        """
        experiment, directory = run.experiment, run.directory
        self._run = run
        self._caught = caught
        self._shows = progress
        self._stages = make_stages(experiment, run.spec)
        last = self._stages[-1]
        store = None if run.dataset is not None else _make_store(run, last.agent)
        self._batches = store or _make_sampler(run, last.agent)
        behind = _acts_under_update(run)
        self._thread = ThreadPoolExecutor(1, "learner") if behind else None
        self._turns = Turns(overlap=behind)
        self._loop = LearnerLoop(
            experiment,
            directory,
            last,
            self._batches,
            clock=self._turns,
            lease=run.lease,
            thread=self._thread,
        )
        self._learner: Learner = self._loop.learner
        self._loop.begin(run.initial(), run.resume)
        self._acting: Acting | None = None
        if store is not None and environment is not None:
            self._acting = Acting(
                experiment, last.agent, store, self._learner, environment, run.start
            )
        phase = experiment.evaluation
        self._evaluator = Evaluator(experiment, last.agent, phase.episodes, phase.steps)
        self.returns: list[float] = []
        self._open_logs()

    def _open_logs(self) -> None:
        """Truncates the logs to the checkpoint and opens them.

        Called last: if the checkpoint does not fit, the logs must not change.
        """
        run, experiment = self._run, self._run.experiment
        truncate_logs.truncate_to(run.directory, run.resume)
        title = f"{experiment.name} seed {experiment.seed}"
        shown = Progress(title, experiment.steps) if self._shows else None
        self._progress = shown
        self._recorder = Recorder(
            experiment, run.directory, shown, run.resume, run.wandb
        )
        self._watchdog = LocalWatchdog(experiment.stall_seconds, run.directory)
        self.tick = self._watchdog.alive
        self.saving = self._watchdog.saving

    def run(self) -> None:
        """Learns stage after stage; saves a last checkpoint if one is needed."""
        if self._run.dataset is not None:
            self._learn_earlier(self._run.dataset)
        done = last_evaluated_step(self._run.directory, self.done())
        self._loop.run(self, done)
        self._loop.save_rest(self)

    def _learn_earlier(self, dataset: "Prepared") -> None:
        """Learns the stages before the last one, which then takes their networks."""
        from launch.roles.stages import StageCallbacks, learn_earlier

        run = self._run
        if run.resume is None:
            self._loop.save(self)  # from now on there is a run to resume
        if not run.start.clock:
            networks = learn_earlier(
                run.experiment,
                run.directory,
                self._stages,
                dataset,
                StageCallbacks(self.tick, self.stopped, self.saving),
                initial=run.initial(),
                progress=self._shows,
            )
            self._loop.begin({**networks, **dataset.networks}, run.resume)

    def close(self) -> None:
        """Closes the logs, the environments and the watchdog."""
        if self._thread is not None:
            self._thread.shutdown()
        self._watchdog.close()
        self._recorder.close()
        self._batches.close()
        if self._acting is not None:
            self._acting.close()

    def act(self) -> None:
        """Takes one decision in every environment, if the run acts."""
        self.tick()
        if self._acting is not None:
            self._acting.step(self._recorder)

    def done(self) -> int:
        """Actor steps so far, or learner steps of a run that learns from a dataset."""
        return self.counts().clock

    def ended(self) -> bool:
        """Whether the run has done its steps."""
        return self.done() >= self._run.experiment.steps

    def stopped(self) -> bool:
        """Whether a signal came."""
        return bool(self._caught)

    def deadline(self) -> float | None:
        """When all must be saved, if a scheduler has announced the end."""
        return signals.deadline(self._caught.noticed, self._run.grace)

    def counts(self) -> Counts:
        """The counters of the run."""
        learner_steps, acting = self._learner.learner_steps, self._acting
        if acting is None:
            return Counts(learner_steps=learner_steps)
        loop = acting.loop
        return Counts(loop.actor_steps, loop.frames, learner_steps, acting.episodes)

    def moment(self) -> tuple[Counts, dict[str, Any]]:
        """The counters of the run, and the state of its logs."""
        return self.counts(), self._recorder.pending()

    def report(self, metrics: Metrics) -> None:
        """Writes log rows that are due, and shows the progress."""
        self._recorder.report(self.counts(), metrics)
        if self._acting is None:
            return
        waiting = self._turns.waiting()
        if waiting is not None and self._progress is not None:
            self._progress.update(self.counts(), {"bottleneck": bottleneck(waiting)})

    def evaluate(self, point: int) -> None:
        """Evaluates; if a signal comes, the resumed run repeats the evaluation."""

        def tick() -> None:
            self.tick()
            if self._caught:
                raise errors.Interrupted(self._caught[0])

        evaluated = Evaluated([])
        if self._acting is None or self._acting.lockstep is None:
            try:
                evaluated = self._evaluator.evaluate(self._learner.params, point, tick)
            except errors.Interrupted:
                return
        self.returns = self._recorder.evaluation(point, self.counts(), evaluated)
        self._turns.begin()

    def exact(self, on_grid: bool) -> bool:
        """Whether a run that resumes here equals one that was not interrupted.

        The environments restart at checkpoints of the grid, also if the run continues;
        a run that learns from a dataset has none. What a replay or a queue holds must
        be saved with it.
        """
        if self._acting is None:
            return True
        is_queue = self._stages[-1].agent.storage.order == "queue"
        holds = not is_queue or self._batches.stored() > 0
        return on_grid and (self._run.experiment.checkpoint.replay or not holds)

    def saved(self) -> None:
        """Restarts the environments, as a run resumed from this checkpoint does."""
        self._learner.catch_up()  # a run resumed here acts with the newest parameters
        if self._acting is not None:
            self._acting.restart()
        self._turns.begin()


def _acts_under_update(run: Run) -> bool:
    """Whether a thread computes the updates.

    Frames on the device are valid until further ones are stored, hence not while the
    other thread acts.
    """
    wanted, on_host = run.experiment.act_under_update, run.experiment.replay != "device"
    return wanted and on_host and run.dataset is None


def _make_store(run: Run, agent: Agent) -> "InProcess | InProcessQueue":
    if agent.storage.order == "queue":
        from launch.replay.in_process_queue import InProcessQueue

        return InProcessQueue(
            agent.storage,
            run.spec,
            num_environments=run.experiment.environments,
            extras=make_extras_spec(agent, run.spec),
        )
    return InProcess(
        agent.storage,
        run.spec,
        discount=agent.discount,
        frame_stack=run.frame_stack,
        num_environments=run.experiment.environments,
        seed=run.experiment.seeds("replay")[1],
        extras=make_extras_spec(agent, run.spec),
        place="device" if run.experiment.replay == "device" else "host",
    )


def _make_sampler(run: Run, agent: Agent) -> Batches:
    from launch.datasets.sampler import DatasetBatches  # runs that act read no data

    assert run.dataset is not None
    seed = run.experiment.seeds("replay")[1]
    batches = DatasetBatches(run.dataset, agent, seed)
    return batches if batches.on_device else BatchesAhead(batches)
