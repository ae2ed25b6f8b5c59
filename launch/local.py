"""One experiment in one process and one thread: for debugging, and reproducible.

Equal seeds give equal runs, bit for bit. Nothing of Reverb, Launchpad or TensorFlow is
imported.
"""

from pathlib import Path

import environments
from launch.actor import Actor, Loop
from launch.checkpoint import PolicySaver
from launch.evaluator import Evaluator
from launch.experiment import Experiment, make_agent, make_spec
from launch.learner import Learner
from launch.logs import Counts
from launch.progress import Progress
from launch.recorder import Grid, Recorder
from launch.replay.in_process import InProcess


class Local:
    """The pieces of a run, wired together; `run` turns the crank."""

    def __init__(self, experiment: Experiment, directory: Path, progress: bool = True):
        """Builds environment, replay, learner, actor and evaluator.

        Args:
            experiment: what to run; one actor, whatever it says.
            directory: its run directory.
            progress: whether to show a live line.

        Raises:
            ValueError: the agent does not fit the environment or the devices.
        """
        self._experiment = experiment
        self._directory = directory
        environment_seed, actor_seed = experiment.seeds("actor")
        self._environment = environments.make(
            experiment.environment, experiment.environments, environment_seed
        )
        spec = make_spec(self._environment)
        agent = make_agent(experiment, spec)
        self._store = InProcess(
            agent.storage,
            spec,
            discount=agent.discount,
            frame_stack=self._environment.frame_stack,
            num_environments=experiment.environments,
            seed=experiment.seeds("replay")[0],
        )
        self._learner = Learner(
            agent, experiment.seeds("learner")[0], self._store.sample
        )
        actor = Actor(
            agent.act,
            lambda: self._learner.params,
            actor_seed,
            adder=self._store,
            reward_clip=self._environment.reward_clip,
        )
        self._loop = Loop(self._environment, actor)
        self._evaluator = Evaluator(
            experiment, agent, experiment.evaluation.episodes, index=0
        )
        title = f"{experiment.name} seed {experiment.seed}"
        shown = Progress(title, experiment.steps) if progress else None
        self._recorder = Recorder(experiment, directory, shown)
        self._episodes = 0

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
        """Acts, learns and evaluates; returns the last evaluation's returns."""
        experiment, returns = self._experiment, list[float]()
        grid = Grid(experiment.evaluation.period, experiment.steps)
        try:
            while self._loop.actor_steps < experiment.steps:
                ended = [episode for _, episode in self._loop.step()]
                self._episodes += len(ended)
                self._recorder.add_episodes(ended)
                for _ in range(self._store.owed()):
                    self._learner.step()
                self._recorder.report(self.counts, self._learner.metrics)
                point = grid.passed(self._loop.actor_steps)
                if point is not None:
                    returns = self._evaluate(point)
        finally:
            self._close()
        return returns

    def _evaluate(self, point: int) -> list[float]:
        params = self._learner.params
        episodes = self._evaluator.evaluate(params)
        self._recorder.evaluation(point, self.counts, episodes)
        saver = PolicySaver(self._directory)
        saver.save(self._loop.actor_steps, params)
        saver.close()
        return [episode.episode_return for episode in episodes]

    def _close(self) -> None:
        self._recorder.close()
        self._evaluator.close()
        self._environment.close()


def run(experiment: Experiment, directory: Path, progress: bool = True) -> list[float]:
    """Runs an experiment in this thread; returns the last evaluation's returns."""
    return Local(experiment, directory, progress).run()
