"""The learner of a distributed run: what this node does."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import launchpad as lp

from agents.parts.contract import NetworkParams, Spec, Transition
from launch import finite
from launch.build import make_agent
from launch.engines import process
from launch.engines.calls import Remote
from launch.errors import Stopped
from launch.roles.context import REPORT_SECONDS, Run
from launch.roles.idle_time import IdleClock
from launch.roles.learner import Learner
from launch.runs import checkpoint
from launch.runs.logs import Counts

_STARVED_SECONDS = 2.0  # a batch on its way takes less


class LearnerRole:
    """Learns what the actors' experience calls for; serves its parameters."""

    @process.told()
    def __init__(
        self,
        run: Run,
        spec: Spec,
        make_reader: Callable[..., Any],
        replay: Any,
        coordinator: Any,
    ):
        """Builds the learner, or restores it.

        Args:
            run: what runs.
            spec: of its environment; the learner has none.
            make_reader: builds the batch iterator from the store's client.
            replay: Reverb client.
            coordinator: Courier client.
        """
        process.set_role("learner", run.experiment.name)
        self._run = run
        self._coordinator = Remote(coordinator, patience=10)
        self._replay = replay
        self._make_reader = make_reader
        self._spec = spec
        self._agent = make_agent(run.experiment, spec)
        self._batches: Any = None
        seed = run.experiment.seeds("learner")[1]
        self._learner = Learner(self._agent, seed, self._next_batch)
        if run.resume is not None:
            self._learner.restore(checkpoint.load_state(run.resume, self._agent))
        self._reported = self._learner.learner_steps
        self._asked = 0.0
        self._clock = IdleClock()

    def get_variables(self, names: Sequence[str]) -> list[NetworkParams]:
        """Remote call: online parameters of the named networks."""
        return self._learner.get_variables(names)

    @process.told()
    def run(self) -> None:
        """Learns until nothing more is owed, serves the last evaluation, saves."""
        stop = lp.stop_event()
        self._batches = self._make_reader(
            self._replay,
            self._agent,
            self._spec,
            stop=lambda: stop.is_set() or self._starved(),
        )
        try:
            self._learn(stop)
            if not stop.is_set():
                self._coordinator.learner_ended()
            while not stop.is_set() and self._coordinator.evaluating():
                stop.wait(REPORT_SECONDS / 2)
            self._save(Counts(*self._coordinator.counts()))
            self._coordinator.finish()
        except Stopped:
            pass  # the coordinator is gone, and with it what a checkpoint needs
        finally:
            self._coordinator.close()
        process.leave()

    def _learn(self, stop: Any) -> None:
        experiment, start = self._run.experiment, self._run.start.actor_steps
        checkpoints = checkpoint.Timer(experiment.checkpoint, experiment.steps, start)
        began, end = time.monotonic(), None
        while not stop.is_set() and (end is None or self._learner.learner_steps < end):
            try:
                self._learner.step()
            except StopIteration:
                break
            self._clock.dispatched(self._learner.running)
            if time.monotonic() - began < REPORT_SECONDS:
                continue
            self._report(time.monotonic() - began)
            counts = Counts(*self._coordinator.counts())
            end = None if self._coordinator.acting() else self._last_step(counts)
            due = checkpoints.due(counts.actor_steps)
            if due and counts.actor_steps < experiment.steps:
                self._save(counts)
            began = time.monotonic()
        self._report(time.monotonic() - began)

    def _next_batch(self) -> Transition:
        self._asked = time.monotonic()
        batch = next(self._batches)
        self._clock.fetched(self._asked, self._learner.running)
        return batch

    def _starved(self) -> bool:
        """Whether no batch comes and, the actors having ended, none ever will."""
        waited = time.monotonic() - self._asked
        return waited > _STARVED_SECONDS and not self._coordinator.acting()

    def _report(self, seconds: float) -> None:
        metrics = {name: float(value) for name, value in self._learner.metrics.items()}
        done = self._learner.learner_steps
        finite.check_metrics(metrics, done)
        waiting = self._clock.idle_seconds / max(seconds, 1e-9)
        self._coordinator.report_learner(done - self._reported, metrics, waiting)
        self._reported = done
        self._clock.reset()

    def _last_step(self, counts: Counts) -> int:
        """Learner steps that samples per insert allow for all that was acted."""
        storage = self._agent.storage
        inserts = counts.actor_steps - storage.min_size
        return int(storage.samples_per_insert * max(inserts, 0) / storage.batch_size)

    def _save(self, counts: Counts) -> None:
        """Saves the learner, and what the store holds at this moment."""
        from launch.replay import snapshot

        def save_replay(path: Path) -> None:
            snapshot.save(self._replay, path)

        settings = self._run.experiment.checkpoint
        done = self._learner.learner_steps
        checkpoint.save(
            self._run.directory,
            counts._replace(learner_steps=done),
            self._learner.save(),
            extra={"store": "reverb", **self._coordinator.pending()},
            save_replay=save_replay if settings.replay else None,
            keep=settings.keep,
        )
