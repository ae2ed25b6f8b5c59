"""The node that counts, writes the logs and knows how far the program is."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import launchpad as lp
from acme.utils import counting

from launch.actor import Episode
from launch.experiment import Experiment
from launch.logs import Counts
from launch.recorder import Recorder
from launch.titles import set_title


class Coordinator:
    """Counts of all roles, one log, and the order in which roles may end.

    A program ends in order: the actors when the budget of actor steps is spent, the
    learner's last step when it owes no more, the evaluator after a last evaluation,
    then learner and replay. All public methods but `run` are remote calls.
    """

    def __init__(self, experiment: Experiment, directory: Path, threads: bool):
        """Opens the logs.

        Args:
            experiment: what runs.
            directory: its run directory.
            threads: all nodes share this process, which must be stopped at the end.
        """
        self._experiment = experiment
        self._recorder = Recorder(experiment, directory)
        self._threads = threads
        set_title("coordinator", experiment)
        self._counter = counting.Counter()
        self._lock = threading.Lock()
        self._learner_metrics: Mapping[str, float] = {}
        self._acting = experiment.actors
        self._learning = self._evaluating = True
        self._finished = threading.Event()

    def counts(self) -> Counts:
        """How far the run is; arrives at the caller as a plain tuple."""
        counts = self._counter.get_counts()
        return Counts(**{name: counts.get(name, 0) for name in Counts._fields})

    def report_actor(
        self,
        actor_steps: int,
        frames: int,
        episodes: Sequence[tuple[float, int]],
    ) -> int:
        """Adds what an actor did since its last report; returns all actors' steps."""
        self._counter.increment(
            actor_steps=actor_steps, frames=frames, episodes=len(episodes)
        )
        with self._lock:
            self._recorder.add_episodes(Episode(*episode) for episode in episodes)
            counts = self.counts()
            self._recorder.report(counts, self._learner_metrics)
        return counts.actor_steps

    def report_learner(self, learner_steps: int, metrics: Mapping[str, float]) -> None:
        """Adds the learner steps done since the last report."""
        self._counter.increment(learner_steps=learner_steps)
        with self._lock:
            self._learner_metrics = metrics

    def report_evaluation(
        self, grid_step: int, counts: tuple, episodes: Sequence[tuple[float, int]]
    ) -> None:
        """Logs an evaluation of the parameters at `counts`."""
        played = [Episode(*episode) for episode in episodes]
        with self._lock:
            self._recorder.evaluation(grid_step, Counts(*counts), played)

    def actor_ended(self) -> None:
        """An actor has spent its share and handed over its experience."""
        with self._lock:
            self._acting -= 1

    def learner_ended(self) -> None:
        """The learner has done the last step; it still serves its parameters."""
        self._learning = False

    def evaluator_ended(self) -> None:
        """The last evaluation is logged."""
        self._evaluating = False

    def acting(self) -> bool:
        """Whether experience is still coming."""
        return self._acting > 0

    def learning(self) -> bool:
        """Whether parameters still change."""
        return self._learning

    def evaluating(self) -> bool:
        """Whether the evaluator still needs the learner's parameters."""
        return self._evaluating

    def finish(self) -> None:
        """The last role but this one and the replay has ended."""
        self._finished.set()

    def run(self) -> None:
        """Waits for the end, in order or not, and closes the logs."""
        stop = lp.stop_event()
        while not self._finished.wait(0.1) and not stop.is_set():
            pass
        with self._lock:
            self._recorder.close()
        if self._threads and not stop.is_set():
            lp.stop()
