"""The coordinator: counts steps, writes the logs, and decides when roles may end."""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from acme.utils import counting

from launch import errors
from launch.replay import shards
from launch.roles.context import Context, Run
from launch.roles.roster import Member, Roster
from launch.roles.watchdog import Watchdog
from launch.runs import logs, truncate_logs
from launch.runs.logs import Counts, Episode, Evaluated, Sample
from launch.runs.recorder import Recorder

_LAST_ANSWER_SECONDS = 0.5  # for the reply to the call that ended the run


class Coordinator:
    """Adds up the steps of all roles, writes one log, and orders the program's end.

    A program ends in order: the actors when the budget of actor steps is spent, the
    updates when the learner owes no more, the evaluator after a last evaluation, then
    learner and replay. All public methods except `run` are remote calls.
    """

    def __init__(self, run: Run, context: Context):
        """Truncates the logs to the checkpoint that is resumed, and opens them.

        Args:
            run: the run.
            context: made by the engine.

        Raises:
            RunDirectoryError: Weights & Biases did not start.
        """
        self._stop = context.stop
        self._offline = bool(run.experiment.dataset)
        # Also if the run begins: it may have begun before, and saved nothing.
        truncate_logs.truncate_to(run.directory, run.resume)
        self._recorder = Recorder(
            run.experiment, run.directory, resume=run.resume, wandb=run.wandb
        )
        replays = run.experiment.replays
        servers = {} if self._offline else _servers(context, replays)
        self._watchdog = Watchdog(run.experiment.stall_seconds, run.directory, servers)
        self._directory = run.directory
        self._open = True
        self._failure: errors.DiskFull | errors.NotFinite | None = None
        self._counter = counting.Counter()
        self._counter.increment(**run.start._asdict())
        self._lock = threading.Lock()
        self._learner_metrics: Mapping[str, float] = {}
        self._waiting: dict[str, float] = {}
        actors = 0 if self._offline else run.experiment.actors
        self._actors = {f"actor/{index}" for index in range(actors)}
        self._members: dict[str, Member] = {}
        self._ended: set[str] = set()  # members that have done their work
        self._evaluated = logs.last_evaluated_step(run.directory, run.start.clock)
        self._learning = True
        self._finished = threading.Event()

    def counts(self) -> Counts:
        """The counters of the run; a remote caller receives a plain tuple."""
        counts = self._counter.get_counts()
        return Counts(**{name: int(counts.get(name, 0)) for name in Counts._fields})

    def moment(self) -> tuple[Counts, dict[str, Any]]:
        """The counters, and the state of the logs that goes with them.

        A checkpoint must hold both for the logs to continue.
        """
        with self._lock:
            return self.counts(), self._recorder.pending()

    def join(self, name: str, life: int) -> Counts:
        """Takes a role up into the run; returns the counters of the run.

        Args:
            name: name of the role.
            life: how often it was started again after it died.
        """
        with self._lock:
            before = self._members.get(name, Member())
            self._members[name] = Member(life, 0, before.steps)
            if _is_actor(name):
                self._actors.add(name)
        return self.counts()

    def lost(self, name: str) -> None:
        """Notes that a role has died for good."""
        with self._lock:
            self._actors.discard(name)
            self._waiting.pop(name, None)

    def roster(self) -> Roster:
        """The steps of the run, and the roles that have joined it."""
        with self._lock:
            members, ended = dict(self._members), tuple(sorted(self._ended))
            return Roster(self.counts().clock, members, ended)

    def report_actor(
        self,
        name: str,
        actor_steps: int,
        frames: int,
        episodes: Sequence[tuple[float, int]],
        waiting: float,
    ) -> int:
        """Adds an actor's work since its last report; returns the steps of all actors.

        Args:
            name: name of the actor.
            actor_steps: decisions.
            frames: environment frames.
            episodes: `(return, length)` of the episodes that ended.
            waiting: share of that time spent waiting for the rate limiter.
        """
        with self._writing() as is_open:
            self._counter.increment(
                actor_steps=actor_steps, frames=frames, episodes=len(episodes)
            )
            self._moved(name, actor_steps)
            self._waiting[name] = waiting
            self._recorder.add_episodes(Episode(*episode) for episode in episodes)
            if is_open:
                self._recorder.report(
                    self.counts(), self._learner_metrics, self._waiting
                )
        return self.counts().actor_steps

    def report_learner(
        self, learner_steps: int, metrics: Mapping[str, float], waiting: float
    ) -> None:
        """Adds the learner steps done since the last report.

        Args:
            learner_steps: their number.
            metrics: metrics of the last one.
            waiting: share of that time spent waiting for batches.
        """
        with self._writing() as is_open:
            self._counter.increment(learner_steps=learner_steps)
            self._watchdog.moved("learner")
            self._learner_metrics = metrics
            self._waiting["learner"] = waiting
            if self._offline and is_open:  # otherwise the actors' reports do this
                self._recorder.report(self.counts(), metrics)

    def report_evaluated(self, episodes: Sequence[tuple[float, int]]) -> None:
        """Records `(return, length)` of episodes for the next evaluation."""
        with self._lock:
            self._moved("evaluator")
            self._recorder.add_evaluated(Episode(*episode) for episode in episodes)

    def report_evaluation(
        self,
        grid_step: int,
        counts: tuple,
        episodes: Sequence[tuple[float, int]] = (),
        samples: Sequence[tuple[str, str, float]] = (),
        measures: Mapping[str, float] | None = None,
    ) -> None:
        """Logs an evaluation of the parameters at `counts`; see `logs.Evaluated`."""
        evaluated = Evaluated(
            [Episode(*episode) for episode in episodes],
            [Sample(*sample) for sample in samples],
            dict(measures or {}),
        )
        with self._writing() as is_open:
            self._moved("evaluator")
            if is_open:
                self._recorder.evaluation(grid_step, Counts(*counts), evaluated)
            self._evaluated = max(self._evaluated, grid_step)

    def evaluated(self) -> int:
        """The last point of the evaluation grid that is done."""
        return self._evaluated

    def moved(self, role: str) -> None:
        """Notes that a role is alive, although it has nothing to report yet."""
        with self._lock:
            self._watchdog.moved(role)

    def saving(self, active: bool) -> None:
        """Notes that the learner begins or ends to write a checkpoint."""
        with self._lock:
            self._watchdog.saving = active
            self._watchdog.moved("learner")

    def actor_ended(self, name: str) -> None:
        """Notes that an actor has done its last step and stored its experience."""
        with self._lock:
            self._actors.discard(name)
            self._ended.add(name)

    def learner_ended(self) -> None:
        """Notes that the learner has done its last step; it still serves parameters."""
        self._learning = False

    def evaluator_ended(self) -> None:
        """Notes that the last evaluation is logged."""
        with self._lock:
            self._ended.add("evaluator")

    def acting(self, store: int = 0, stores: int = 1) -> bool:
        """Whether an actor still acts.

        Args:
            store: index of a replay server or queue: only actors that store there
                count.
            stores: number of servers or queues, among which the actors are divided.
        """
        with self._lock:
            indices = [int(name.rpartition("/")[2]) for name in self._actors]
            # One ends only when all have done the steps of the run together.
            done = self._offline or any(map(_is_actor, self._ended))
        if not indices and not done:  # all wait for a place, and come back
            return True
        return any(shards.shard_of(index, stores) == store for index in indices)

    def learning(self) -> bool:
        """Whether the learner still learns."""
        return self._learning

    def evaluating(self) -> bool:
        """Whether the evaluator still needs the learner's parameters."""
        with self._lock:
            return "evaluator" not in self._ended

    def finish(self) -> None:
        """Ends `run`: all roles except this one and the replay have ended."""
        self._finished.set()

    def _moved(self, name: str, actor_steps: int = 0) -> None:
        """Notes a report of a role."""
        self._watchdog.moved(name)
        before = self._members.get(name, Member())
        self._members[name] = before._replace(
            reports=before.reports + 1, steps=before.steps + actor_steps
        )

    @contextlib.contextmanager
    def _writing(self) -> Iterator[bool]:
        """Context manager to write logs; yields False if they are closed already.

        Write errors, and numbers that are not finite, are raised by `run`, not in the
        role that called: if it were started again, it would take the row as written.
        """
        try:
            with self._lock:
                yield self._open
        except errors.NotFinite as error:
            self._failure = error
        except OSError as error:
            reason = str(error.strerror or error).lower()
            self._failure = errors.DiskFull(
                f"cannot write to {self._directory}: {reason}"
            )

    def run(self) -> None:
        """Waits until the program ends or is stopped, and closes the logs.

        Raises:
            Stalled: no role reported progress for too long.
            DiskFull: a log could not be written.
            NotFinite: a metric or a return was NaN or infinite.
        """
        try:
            while not self._finished.wait(0.1) and not self._stop.is_set():
                self._watchdog.check()
                if self._failure is not None:
                    raise self._failure
        finally:
            with self._writing():
                self._open = False  # the last report of a slow thread comes too late
                self._recorder.close()
        if self._failure is not None:
            raise self._failure
        time.sleep(_LAST_ANSWER_SECONDS)


def _is_actor(name: str) -> bool:
    return name.startswith("actor/")


def _servers(context: Context, replays: int) -> dict[str, str]:
    """Address of each replay server, by its name."""
    return {
        name: context.address("replay", index)
        for index, name in enumerate(shards.names(replays))
    }
