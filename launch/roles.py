"""The roles of a distributed run: what each node of the program does."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import launchpad as lp

import environments
from agents.parts.types import NetworkParams, Spec, Transition
from launch import checkpoint, faults, titles
from launch.actor import Actor, Loop
from launch.checkpoint import Checkpoint
from launch.evaluator import Evaluator
from launch.experiment import Experiment, make_agent, make_spec
from launch.grid import Grid
from launch.learner import Learner
from launch.logs import Counts
from launch.variables import Stopped, Variables, network_names
from launch.waiting import IdleClock

REPORT_SECONDS = 0.2  # between two reports of a role to the coordinator
_TICK_SECONDS = 2.0  # between two signs of life of a long evaluation
_STARVED_SECONDS = 2.0  # a batch on its way takes less


class Run(NamedTuple):
    """What every role of a run is told.

    Attributes:
        experiment: what runs.
        directory: its run directory.
        resume: where it goes on; None at the beginning.
    """

    experiment: Experiment
    directory: Path
    resume: Checkpoint | None

    @property
    def start(self) -> Counts:
        """The counters at the start."""
        return Counts() if self.resume is None else self.resume.counts


class ActorRole:
    """Acts until the program's budget of actor steps is spent."""

    def __init__(
        self,
        run: Run,
        index: int,
        make_adder: Callable[..., Any],
        replay: Any,
        learner: Any,
        coordinator: Any,
    ):
        """Connects to nobody yet.

        Args:
            run: what runs.
            index: which actor this is.
            make_adder: builds the writer of the store from its client.
            replay: Reverb client.
            learner: Courier client that serves parameters.
            coordinator: Courier client.
        """
        self._run = run
        self._index = index
        self._make_adder = make_adder
        self._replay = replay
        self._learner = learner
        self._coordinator = coordinator

    def run(self) -> None:
        """Acts, reports, and hands over the last experience."""
        experiment, start = self._run.experiment, self._run.start.actor_steps
        name = f"actor/{self._index}"
        titles.set_role(name, experiment.name)
        environment_seed, seed = experiment.seeds("actor", self._index, start)
        environment = environments.make(
            experiment.environment, experiment.environments, environment_seed
        )
        spec = make_spec(environment)
        agent = make_agent(experiment, spec)
        stop = lp.stop_event()
        adder = self._make_adder(
            self._replay, agent, spec, environment, stop=stop.is_set
        )
        try:
            variables = Variables(self._learner, network_names(agent))
            actor = Actor(
                agent.act,
                variables,
                seed,
                adder=adder,
                reward_clip=environment.reward_clip,
            )
            actor.actor_steps = start
            self._act(name, Loop(environment, actor), actor, adder, stop)
            adder.close()
            self._coordinator.actor_ended()
        except Stopped:
            pass  # asked to end before the learner was there: nothing to hand over
        finally:
            environment.close()

    def _act(self, name: str, loop: Loop, actor: Actor, adder: Any, stop: Any) -> None:
        """Steps until all actors together have done the run's steps."""
        budget, total = self._run.experiment.steps, self._run.start.actor_steps
        steps, frames, waited, episodes = 0, 0, 0.0, list[tuple[float, int]]()
        began = time.monotonic()
        while total < budget and not stop.is_set():
            episodes += [(e.episode_return, e.length) for _, e in loop.step()]
            now = time.monotonic()
            # The steps of all actors, as far as known: exploration depends on them.
            known = total + loop.actor_steps - steps
            if now - began >= REPORT_SECONDS or known >= budget:
                waiting = (adder.waited_seconds - waited) / (now - began)
                total = self._coordinator.report_actor(
                    name,
                    loop.actor_steps - steps,
                    loop.frames - frames,
                    episodes,
                    waiting,
                )
                steps, frames, waited = (
                    loop.actor_steps,
                    loop.frames,
                    adder.waited_seconds,
                )
                actor.actor_steps, episodes, began = total, [], now


class LearnerRole:
    """Learns what the actors' experience calls for; serves its parameters."""

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
        titles.set_role("learner", run.experiment.name)
        self._run = run
        self._coordinator = coordinator
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

    def run(self) -> None:
        """Learns until nothing more is owed, serves the last evaluation, saves."""
        stop = lp.stop_event()
        self._batches = self._make_reader(
            self._replay,
            self._agent,
            self._spec,
            stop=lambda: stop.is_set() or self._starved(),
        )
        self._learn(stop)
        if not stop.is_set():
            self._coordinator.learner_ended()
        while not stop.is_set() and self._coordinator.evaluating():
            stop.wait(REPORT_SECONDS / 2)
        self._save(Counts(*self._coordinator.counts()))
        self._coordinator.finish()

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
        faults.check_metrics(metrics, done)
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
        from launch.replay import reverb_store

        def save_replay(path: Path) -> None:
            reverb_store.save(self._replay, path)

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


class EvaluatorRole:
    """Measures the newest policy each time the actors pass a point of the grid."""

    def __init__(self, run: Run, learner: Any, coordinator: Any):
        """Connects to nobody yet.

        Args:
            run: what runs.
            learner: Courier client that serves parameters.
            coordinator: Courier client.
        """
        self._run = run
        self._learner = learner
        self._coordinator = coordinator
        self._told = 0.0

    def run(self) -> None:
        """Evaluates on the grid, and once more when the learner has ended."""
        experiment = self._run.experiment
        titles.set_role("evaluator", experiment.name)
        environment = environments.make(experiment.environment, 1, experiment.seed)
        agent = make_agent(experiment, make_spec(environment))
        environment.close()
        evaluator = Evaluator(experiment, agent, experiment.evaluation.episodes)
        start = self._run.start.actor_steps
        grid = Grid(experiment.evaluation.period, experiment.steps, start)
        try:
            variables = Variables(self._learner, network_names(agent))
        except Stopped:
            return  # asked to end before the learner was there: nothing to evaluate
        ended = False
        while not ended and not lp.wait_for_stop(REPORT_SECONDS):
            ended = not self._coordinator.learning()
            counts = Counts(*self._coordinator.counts())
            point = experiment.steps if ended else grid.passed(counts.actor_steps)
            # The end of the budget is evaluated when its updates are done as well.
            if point is None or (point == experiment.steps and not ended):
                continue
            episodes = evaluator.evaluate(variables.fetch(), point, self._tick)
            played = [(episode.episode_return, episode.length) for episode in episodes]
            self._coordinator.report_evaluation(point, tuple(counts), played)
        if ended:
            self._coordinator.evaluator_ended()

    def _tick(self) -> None:
        """Shows the watchdog that the evaluation goes on."""
        now = time.monotonic()
        if now - self._told > _TICK_SECONDS:
            self._told = now
            self._coordinator.moved("evaluator")
