"""The learner of a program: learns stage after stage, and serves its parameters."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import jax

from agents.parts.contract import Agent, Metrics, NetworkParams, Storage
from launch import finite
from launch.build import make_stages
from launch.datasets.load import load_prepared
from launch.datasets.normalization import Prepared
from launch.datasets.sampler import DatasetBatches
from launch.errors import Stopped
from launch.preflight import check_devices
from launch.roles import gang
from launch.roles.batches import Batches
from launch.roles.batches_ahead import BatchesAhead
from launch.roles.context import REPORT_SECONDS, Context, Peer, Run
from launch.roles.idle_time import IdleClock
from launch.roles.learner_loop import LearnerLoop
from launch.roles.stages import StageCallbacks, learn_earlier
from launch.runs.logs import Counts

_TICK_SECONDS = 2.0  # between two signs of life of an earlier stage
_MANY = 1 << 30  # steps: no limit

# (run, agent, context, whether actors of a store still act, by its index and the number
# of stores) -> batches of their experience
MakeReplay = Callable[[Run, Agent, Context, Callable[[int, int], bool]], Batches]


class _Pace(Protocol):
    """Counts the steps of the run, and decides when the learner has done its own."""

    def look(self) -> None:
        """Reads the actors' steps from the coordinator."""

    def done(self, learner_steps: int) -> int:
        """Steps of the run, as of the last `look`."""

    def ended(self, learner_steps: int) -> bool:
        """Whether the learner has nothing more to do."""

    def left(self, learner_steps: int) -> int:
        """Learner steps, at least 1, that can be taken before the next `look`."""


class _PaceOfActors:
    """Run steps are actor steps; samples per insert set the number of updates."""

    def __init__(self, coordinator: Peer, storage: Storage, start: int):
        self._coordinator = coordinator
        self._storage = storage
        self._actor_steps = start
        self._end: int | None = None

    def look(self) -> None:
        acting = self._coordinator.acting()  # first: then the counts are final
        self._actor_steps = Counts(*self._coordinator.counts()).actor_steps
        if not acting:
            storage = self._storage
            held = 0 if storage.order == "queue" else storage.min_size
            inserts = max(self._actor_steps - held, 0)
            samples = storage.samples_per_insert * inserts
            self._end = int(samples / storage.batch_size)

    def done(self, learner_steps: int) -> int:
        return self._actor_steps

    def ended(self, learner_steps: int) -> bool:
        return self._end is not None and learner_steps >= self._end

    def left(self, learner_steps: int) -> int:
        return _MANY if self._end is None else self._end - learner_steps


class _OwnPace:
    """Run steps are learner steps: the run learns from a dataset."""

    def __init__(self, steps: int, period: int):
        self._steps = steps
        self._period = period

    def look(self) -> None:
        pass

    def done(self, learner_steps: int) -> int:
        return learner_steps

    def ended(self, learner_steps: int) -> bool:
        return learner_steps >= self._steps

    def left(self, learner_steps: int) -> int:
        # Checkpoints are at the same steps, however many learners there are.
        return min(
            self._steps - learner_steps, self._period - learner_steps % self._period
        )


class LearnerRole:
    """Learns until no more updates are owed; hosts its own learner loop."""

    def __init__(self, run: Run, context: Context, make_replay: MakeReplay):
        """Builds the learner, or restores it.

        Args:
            run: the run.
            context: made by the engine.
            make_replay: builds the source of batches of a run that acts.

        Raises:
            UnevenBatch: the devices cannot share a stage's batches evenly.
            Stopped: the program ended before all learners had started.
        """
        experiment = run.experiment
        self._run = run
        self._stop = context.stop
        self.deadline = context.deadline
        self._decisions = None
        if experiment.learners > 1:
            gang.join(context, experiment.learners)
            self._decisions = gang.Decisions()
        self._coordinator = context.peer("coordinator", patience=10)
        self._stages = make_stages(experiment, run.spec)
        check_devices(self._stages)  # of all stages, before the first one learns
        self._clock = IdleClock()
        self._dataset: Prepared | None = None
        self._pace: _Pace
        last = self._stages[-1]
        if last.source == "dataset":
            self._dataset = _load(run)
            batches: Batches = _sampler(run, last.agent, self._dataset)
            self._pace = _OwnPace(experiment.steps, experiment.checkpoint.period)
        else:
            acting = self._coordinator.acting
            batches = make_replay(run, last.agent, context, acting)
            start = run.start.actor_steps
            self._pace = _PaceOfActors(self._coordinator, last.agent.storage, start)
        self._batches = batches
        self._loop = LearnerLoop(
            experiment,
            run.directory,
            last,
            batches,
            clock=self._clock,
            lease=run.lease,
        )
        self._learner = self._loop.learner
        self._loop.begin(run.initial(), run.resume)
        self._reported = self._learner.learner_steps
        self._began = self._told = time.monotonic()

    def get_variables(self, names: Sequence[str]) -> tuple[int, list[NetworkParams]]:
        """Remote call: the learner step of the newest parameters, and the parameters.

        Args:
            names: names of networks.

        Returns:
            The learner step, and the online parameters of each network.
        """
        return self._learner.versioned(names)

    def run(self) -> None:
        """Learns, serves parameters until the last evaluation, and saves."""
        try:
            with gang.whole():
                self._learn()
                if self._decisions is not None:
                    self._decisions.end()
            self._send(self._learner.metrics)
            if not self.stopped():
                self._coordinator.learner_ended()
            while not self.stopped() and self._coordinator.evaluating():
                self._stop.wait(REPORT_SECONDS / 2)
            if self.counts().clock:  # else there is nothing to resume
                self._loop.save(self)
            self._coordinator.finish()
        except Stopped:
            pass  # the coordinator is gone, and with it what a checkpoint needs
        finally:
            self._batches.close()
            self._coordinator.close()

    def _learn(self) -> None:
        dataset = self._dataset
        if dataset is not None:
            self._learn_earlier(dataset)
        self._began = time.monotonic()
        owed = self._owed if self._decisions or dataset is None else None
        self._loop.run(self, evaluated=self.done(), owed=owed)
        if dataset is not None:
            # The run has no replay to save, so it saves before its last evaluation.
            self._loop.save_rest(self)

    def _learn_earlier(self, dataset: "Prepared") -> None:
        """Learns the stages before the last one, which then takes their networks."""
        run = self._run
        if run.resume is None:
            self._loop.save(self)  # from here on there is a run to resume
        if not run.start.clock:
            callbacks = StageCallbacks(self.tick, self.stopped, self.saving)
            networks = learn_earlier(
                run.experiment,
                run.directory,
                self._stages,
                dataset,
                callbacks,
                initial=run.initial(),
            )
            self._loop.begin({**networks, **dataset.networks}, run.resume)

    def _owed(self) -> int:
        """Learner steps until this is called again."""
        left = self._pace.left(self._learner.learner_steps)
        if self._decisions is None:
            return min(self._batches.owed(), left)
        return self._decisions.next(left)

    def act(self) -> None:
        """Does nothing: other roles act."""

    def done(self) -> int:
        """Steps of the run, as of the last report."""
        return self._pace.done(self._learner.learner_steps)

    def ended(self) -> bool:
        """Whether no more updates are owed."""
        return self._pace.ended(self._learner.learner_steps)

    def stopped(self) -> bool:
        """Whether the program is being stopped."""
        return self._stop.is_set()

    def tick(self) -> None:
        """Gives the coordinator a sign of life now and then."""
        now = time.monotonic()
        if now - self._told > _TICK_SECONDS:
            self._told = now
            self._coordinator.moved("learner")

    def counts(self) -> Counts:
        """The counters of the run."""
        return Counts(*self._coordinator.counts())

    def report(self, metrics: Metrics) -> None:
        """Reports learner steps and metrics to the coordinator now and then."""
        if time.monotonic() - self._began >= REPORT_SECONDS:
            self._send(metrics)
            self._pace.look()
            self._began = time.monotonic()

    def _send(self, metrics: Metrics) -> None:
        values = {name: float(value) for name, value in metrics.items()}
        done = self._learner.learner_steps
        finite.check_metrics(values, done)
        seconds = max(time.monotonic() - self._began, 1e-9)
        waiting = self._clock.idle_seconds / seconds
        self._coordinator.report_learner(done - self._reported, values, waiting)
        self._reported = done
        self._clock.reset()

    def evaluate(self, point: int) -> None:
        """Does nothing: the evaluator role itself checks which points are due."""

    def moment(self) -> tuple[Counts, dict[str, Any]]:
        """The coordinator's counters and the state of its logs, for a checkpoint."""
        counts, logs = self._coordinator.moment()
        return Counts(*counts), logs

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        """Context manager that tells the coordinator of the time that a save takes."""
        self._coordinator.saving(True)
        try:
            yield
        finally:
            with contextlib.suppress(Stopped):
                self._coordinator.saving(False)

    def exact(self, on_grid: bool) -> bool:
        """Only a run that learns from a dataset; Reverb samples without a seed."""
        return self._dataset is not None

    def saved(self) -> None:
        """Does nothing."""


class LearnerRank:
    """A learner of several that follows the first one, see `launch.roles.gang`."""

    def __init__(self, run: Run, context: Context, make_replay: MakeReplay):
        """Builds the learner, or restores it; see `LearnerRole`."""
        experiment = run.experiment
        gang.join(context, experiment.learners)
        self._coordinator = context.peer("coordinator", patience=10)
        stages = make_stages(experiment, run.spec)
        check_devices(stages)
        last, networks = stages[-1], run.initial()
        if last.source == "dataset":
            dataset = _load(run)
            self._batches: Batches = _sampler(run, last.agent, dataset)
            networks |= dataset.networks
        else:
            acting = self._coordinator.acting
            self._batches = make_replay(run, last.agent, context, acting)
        self._loop = LearnerLoop(experiment, run.directory, last, self._batches)
        self._loop.begin(networks, run.resume)

    def get_variables(self, names: Sequence[str]) -> tuple[int, list[NetworkParams]]:
        """Remote call: the same as the first learner's."""
        return self._loop.learner.versioned(names)

    def run(self) -> None:
        """Learns as the first learner decides, until it ends."""
        try:
            with gang.whole():
                self._loop.follow(lambda: gang.agree(0))
                gang.leave()
        finally:
            self._batches.close()
            self._coordinator.close()


def make_learner(
    run: Run, context: Context, make_replay: MakeReplay
) -> LearnerRole | LearnerRank:
    """The learner, or one of several; see `LearnerRole` and `LearnerRank`."""
    kind = LearnerRank if context.index else LearnerRole
    return kind(run, context, make_replay)


def _load(run: Run) -> Prepared:
    return run.dataset or load_prepared(run.experiment, run.spec)


def _sampler(run: Run, agent: Agent, dataset: Prepared) -> Batches:
    seed = run.experiment.seeds("replay")[1]
    batches = DatasetBatches(
        dataset, agent, seed, part=(jax.process_index(), jax.process_count())
    )
    return batches if batches.on_device else BatchesAhead(batches)
