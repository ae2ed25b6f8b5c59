"""The evaluator of a program: measures the newest policy on a grid of steps."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing

from launch.build import make_agent
from launch.errors import Stopped
from launch.roles.context import REPORT_SECONDS, Context, Run
from launch.roles.evaluator import Evaluator, Lockstep
from launch.roles.parameters import Parameters, network_names
from launch.runs.logs import Counts, Episode
from launch.runs.schedule import Schedule

_FOLLOW_SECONDS = 1.0  # of playing between two reads of the actors' steps
_TICK_SECONDS = 2.0  # between two signs of life of a long evaluation


class EvaluatorRole:
    """The evaluator of a program.

    It evaluates the newest policy each time the run passes a point of the grid.
    """

    def __init__(self, run: Run, context: Context):
        """Makes no connection yet.

        Args:
            run: the run.
            context: made by the engine.
        """
        self._run = run
        self._context = context
        self._stop = context.stop
        self._coordinator = context.peer("coordinator")
        self._told = 0.0

    def run(self) -> None:
        """Evaluates on the grid, and once more when the learner has ended."""
        experiment, spec = self._run.experiment, self._run.spec
        watched = self._context.watched
        agent = make_agent(experiment, spec)
        try:
            joined = self._coordinator.join(self._context.name, self._context.life)
            names = network_names(agent, spec, measured=True)
            learner = self._context.peer("learner")
            with closing(Parameters(learner, names, self._stop)) as parameters:
                if experiment.evaluation.lockstep:
                    lanes = experiment.actors * experiment.environments
                    lockstep = Lockstep(experiment, agent, parameters, lanes, watched)
                    self._accompany(lockstep, Counts(*joined))
                else:
                    phase = experiment.evaluation
                    evaluator = Evaluator(
                        experiment, agent, phase.episodes, phase.steps, watched
                    )
                    self._evaluate(evaluator, parameters)
        except Stopped:
            pass  # a resumed run repeats the evaluation that was under way
        finally:
            self._coordinator.close()

    def _evaluate(self, evaluator: Evaluator, parameters: Parameters) -> None:
        for counts, point in self._polls():
            if point is not None:
                params = parameters.fetch()
                counts = counts._replace(learner_steps=parameters.learner_step)
                found = evaluator.evaluate(params, point, self._tick)
                self._coordinator.report_evaluation(
                    point,
                    counts,
                    _plain(found.episodes),
                    [tuple(sample) for sample in found.samples],
                    dict(found.measures),
                )

    def _accompany(self, lockstep: Lockstep, joined: Counts) -> None:
        """Plays in lockstep with the actors; plays fewer steps if they are faster."""
        life = self._context.life
        # A restarted evaluator does not catch up with the whole run.
        start = joined if life else self._run.start
        lockstep.start(start.actor_steps, life)
        with closing(lockstep):
            for counts, point in self._polls():
                episodes = lockstep.follow(
                    counts.actor_steps, _FOLLOW_SECONDS, self._tick
                )
                if episodes:
                    self._coordinator.report_evaluated(_plain(episodes))
                if point is not None:
                    self._coordinator.report_evaluation(point, counts)

    def _polls(self) -> Iterator[tuple[Counts, int | None]]:
        """Yields now and then the run's counters and the point that is due, if any."""
        steps = self._run.experiment.steps
        done = self._coordinator.evaluated()
        grid = Schedule(self._run.experiment.evaluation.period, steps, done)
        ended = False
        while not ended and not self._stop.wait(REPORT_SECONDS):
            ended = not self._coordinator.learning()
            counts = Counts(*self._coordinator.counts())
            if ended and done >= steps:
                break  # an earlier life has done all of it
            point = steps if ended else grid.due(counts.clock)
            # The last point is evaluated only after the learner's last update.
            yield counts, point if ended or point != steps else None
        if ended:
            self._coordinator.evaluator_ended()

    def _tick(self) -> None:
        """Gives the watchdog a sign of life; raises Stopped after a stop."""
        if self._stop.is_set():
            raise Stopped
        now = time.monotonic()
        if now - self._told > _TICK_SECONDS:
            self._told = now
            self._coordinator.moved("evaluator")


def _plain(episodes: Sequence[Episode]) -> list[tuple[float, int]]:
    """Episodes as plain tuples, for a call of the coordinator."""
    return [(episode.episode_return, episode.length) for episode in episodes]
