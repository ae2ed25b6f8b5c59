"""The roles of a distributed run: what each node of the program does."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import launchpad as lp

import environments
from agents.parts.types import Agent, NetworkParams, Params, Spec, Transition
from launch.actor import Actor, Loop
from launch.checkpoint import PolicySaver
from launch.evaluator import Evaluator
from launch.experiment import Experiment, make_agent, make_spec
from launch.learner import Learner
from launch.logs import Counts
from launch.recorder import Grid
from launch.titles import set_title

_REPORT_SECONDS = 0.2  # between two reports of a role to the coordinator
_FETCH_SECONDS = 0.2  # between two fetches of parameters, at least
_STARVED_SECONDS = 2.0  # a batch on its way takes less
_FETCH_SHARE = 0.05  # of an actor's time at most, so that the learner is not kept busy


class Stopped(Exception):
    """The program is being stopped before its end."""


def network_names(agent: Agent) -> list[str]:
    """Names of the agent's networks; runs nothing on a device."""
    return sorted(jax.eval_shape(agent.init, jax.random.key(0)).params)


class Variables:
    """The learner's parameters, fetched in the background while actors act."""

    def __init__(self, source: Any, names: Sequence[str]):
        """Fetches for the first time, and waits for it.

        Args:
            source: Courier client of the learner.
            names: networks to fetch.

        Raises:
            Stopped: the program ended before the learner answered.
        """
        self._source = source
        self._names = list(names)
        self._pending: Any = None
        self._due = 0.0
        self._params = self.fetch()

    def fetch(self) -> Params:
        """The newest parameters; waits for them."""
        self._ask()
        while not self._pending.done():
            if lp.wait_for_stop(0.01):
                raise Stopped
        return self._take()

    def __call__(self) -> Params:
        """The newest parameters at hand; asks for newer ones when it is time."""
        if self._pending is None:
            if time.monotonic() >= self._due:
                self._ask()
        elif self._pending.done():
            self._params = self._take()
        return self._params

    def _ask(self) -> None:
        self._asked = time.monotonic()
        self._pending = self._source.futures.get_variables(self._names)

    def _take(self) -> Params:
        values = self._pending.result()
        self._pending = None
        now = time.monotonic()
        self._due = now + max(_FETCH_SECONDS, (now - self._asked) / _FETCH_SHARE)
        # On the device once, not at every call of the policy.
        return jax.device_put(dict(zip(self._names, values, strict=True)))


class ActorRole:
    """Acts until the program's budget of actor steps is spent."""

    def __init__(
        self,
        experiment: Experiment,
        index: int,
        make_adder: Callable[..., Any],
        replay: Any,
        learner: Any,
        coordinator: Any,
    ):
        """Builds the environments; connects to nobody yet.

        Args:
            experiment: what runs.
            index: which actor this is.
            make_adder: builds the writer of the store from its client.
            replay: Reverb client.
            learner: Courier client that serves parameters.
            coordinator: Courier client.
        """
        self._experiment = experiment
        self._index = index
        self._make_adder = make_adder
        self._replay = replay
        self._learner = learner
        self._coordinator = coordinator

    def run(self) -> None:
        """Acts, reports, and hands over the last experience."""
        experiment = self._experiment
        set_title(f"actor/{self._index}", experiment)
        environment_seed, seed = experiment.seeds("actor", self._index)
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
            self._act(Loop(environment, actor), actor, stop)
            adder.close()
            self._coordinator.actor_ended()
        except Stopped:
            pass  # asked to end before the learner was there: nothing to hand over
        finally:
            environment.close()

    def _act(self, loop: Loop, actor: Actor, stop: Any) -> None:
        total, reported_steps, reported_frames = 0, 0, 0
        episodes: list[tuple[float, int]] = []
        due = time.monotonic()
        while total < self._experiment.steps and not stop.is_set():
            episodes += [(e.episode_return, e.length) for _, e in loop.step()]
            # The steps of all actors, as far as known: exploration depends on them.
            known = total + loop.actor_steps - reported_steps
            if time.monotonic() >= due or known >= self._experiment.steps:
                total = self._coordinator.report_actor(
                    loop.actor_steps - reported_steps,
                    loop.frames - reported_frames,
                    episodes,
                )
                reported_steps, reported_frames = loop.actor_steps, loop.frames
                actor.actor_steps, episodes = total, []
                due = time.monotonic() + _REPORT_SECONDS


class LearnerRole:
    """Learns what the actors' experience calls for; serves its parameters."""

    def __init__(
        self,
        experiment: Experiment,
        spec: Spec,
        make_reader: Callable[..., Any],
        replay: Any,
        coordinator: Any,
    ):
        """Builds the learner.

        Args:
            experiment: what runs.
            spec: of its environment; the learner has none.
            make_reader: builds the batch iterator from the store's client.
            replay: Reverb client.
            coordinator: Courier client.
        """
        set_title("learner", experiment)
        self._coordinator = coordinator
        self._replay = replay
        self._make_reader = make_reader
        self._spec = spec
        self._agent = make_agent(experiment, spec)
        self._batches: Any = None
        self._learner = Learner(
            self._agent, experiment.seeds("learner")[0], self._next_batch
        )
        self._reported = 0
        self._waiting_since = 0.0

    def get_variables(self, names: Sequence[str]) -> list[NetworkParams]:
        """Remote call: online parameters of the named networks."""
        return self._learner.get_variables(names)

    def run(self) -> None:
        """Learns until nothing more is owed, then serves the last evaluation."""
        stop = lp.stop_event()
        self._batches = self._make_reader(
            self._replay,
            self._agent,
            self._spec,
            stop=lambda: stop.is_set() or self._starved(),
        )
        due, end = 0.0, None
        while not stop.is_set() and (end is None or self._learner.learner_steps < end):
            try:
                self._learner.step()
            except StopIteration:
                break
            if time.monotonic() >= due:
                self._report()
                end = self._last_step() if not self._coordinator.acting() else None
                due = time.monotonic() + _REPORT_SECONDS
        self._report()
        self._coordinator.learner_ended()
        while self._coordinator.evaluating() and not stop.wait(_REPORT_SECONDS / 2):
            pass
        self._coordinator.finish()

    def _next_batch(self) -> Transition:
        self._waiting_since = time.monotonic()
        return next(self._batches)

    def _starved(self) -> bool:
        """Whether no batch comes and, the actors having ended, none ever will."""
        waited = time.monotonic() - self._waiting_since
        return waited > _STARVED_SECONDS and not self._coordinator.acting()

    def _report(self) -> None:
        metrics = {name: float(value) for name, value in self._learner.metrics.items()}
        done = self._learner.learner_steps
        self._coordinator.report_learner(done - self._reported, metrics)
        self._reported = done

    def _last_step(self) -> int:
        """Learner steps that samples per insert allow for all that was acted."""
        storage = self._agent.storage
        inserts = Counts(*self._coordinator.counts()).actor_steps - storage.min_size
        return int(storage.samples_per_insert * max(inserts, 0) / storage.batch_size)


class EvaluatorRole:
    """Measures the newest policy each time the actors pass a point of the grid."""

    def __init__(
        self, experiment: Experiment, directory: Path, learner: Any, coordinator: Any
    ):
        """Connects to nobody yet.

        Args:
            experiment: what runs.
            directory: its run directory; the evaluated parameters are saved there.
            learner: Courier client that serves parameters.
            coordinator: Courier client.
        """
        self._experiment = experiment
        self._directory = directory
        self._learner = learner
        self._coordinator = coordinator

    def run(self) -> None:
        """Evaluates on the grid, and once more when the learner has ended."""
        experiment = self._experiment
        set_title("evaluator", experiment)
        environment = environments.make(experiment.environment, 1, experiment.seed)
        agent = make_agent(experiment, make_spec(environment))
        environment.close()
        evaluator = Evaluator(
            experiment, agent, experiment.evaluation.episodes, index=0
        )
        saver = PolicySaver(self._directory)
        grid = Grid(experiment.evaluation.period, experiment.steps)
        try:
            variables = Variables(self._learner, network_names(agent))
            while not lp.wait_for_stop(_REPORT_SECONDS):
                ended = not self._coordinator.learning()
                counts = Counts(*self._coordinator.counts())
                point = experiment.steps if ended else grid.passed(counts.actor_steps)
                # The end of the budget is evaluated when its updates are done as well.
                if point is None or (point == experiment.steps and not ended):
                    continue
                params = variables.fetch()
                episodes = evaluator.evaluate(params)
                self._coordinator.report_evaluation(
                    point, tuple(counts), [tuple(episode) for episode in episodes]
                )
                saver.save(counts.actor_steps, params)
                if ended:
                    break
            self._coordinator.evaluator_ended()
        except Stopped:
            pass  # asked to end before the learner was there: nothing to evaluate
        finally:
            saver.close()
            evaluator.close()
