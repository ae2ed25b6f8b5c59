"""Evaluation in an environment of its own: of one policy, or in step with training."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import environments
from agents.parts.contract import Agent, Params
from launch.build import make_agent
from launch.errors import Stopped
from launch.experiment import Experiment
from launch.roles.actor import Actor, Loop
from launch.roles.context import REPORT_SECONDS, Context, Run
from launch.roles.parameters import Parameters, network_names
from launch.runs.logs import Counts, Episode, last_evaluated_step
from launch.runs.schedule import Schedule

# More lanes would only cost memory: the policy call is amortised long before.
MAX_LANES = 32

_FOLLOW_SECONDS = 1.0  # of playing between two looks at where the actors are
_TICK_SECONDS = 2.0  # between two signs of life of a long evaluation


class Evaluator:
    """Plays a fixed number of episodes; raw returns, nothing stored.

    Every lane plays its own share of the episodes. Taking the first episodes to end
    instead would favour the short ones. Each evaluation draws seeds of its own, so that
    it does not depend on those before it.
    """

    def __init__(self, experiment: Experiment, agent: Agent, episodes: int):
        """Builds an evaluator.

        Args:
            experiment: gives environment and seeds.
            agent: gives the policy.
            episodes: played at each call.
        """
        lanes = min(episodes, MAX_LANES)
        self._experiment = experiment
        self._shares = [len(range(lane, episodes, lanes)) for lane in range(lanes)]
        self._params: Params = {}
        self._actor = Actor(agent.act, lambda: self._params, seed=0, evaluation=True)

    def evaluate(
        self, params: Params, point: int, tick: Callable[[], None] = lambda: None
    ) -> Sequence[Episode]:
        """Plays the episodes with these parameters.

        Args:
            params: of all networks.
            point: actor steps of the run; evaluations at other points draw other seeds.
            tick: called at every step, to show that it moves.

        Returns:
            The episodes, lane after lane.
        """
        self._params = params
        environment_seed, seed = self._experiment.seeds("evaluator", start=point)
        environment = environments.make(
            self._experiment.environment,
            len(self._shares),
            environment_seed,
            evaluation=True,
        )
        try:
            self._actor.reseed(seed, actor_steps=point)
            return self._play(Loop(environment, self._actor, point), tick)
        finally:
            environment.close()

    def _play(self, loop: Loop, tick: Callable[[], None]) -> Sequence[Episode]:
        played: list[list[Episode]] = [[] for _ in self._shares]
        while any(
            len(done) < share for done, share in zip(played, self._shares, strict=True)
        ):
            tick()
            for lane, episode in loop.step():
                if len(played[lane]) < self._shares[lane]:
                    played[lane].append(episode)
        return [episode for lane in played for episode in lane]


class Lockstep:
    """Plays without end beside the training, with the newest parameters.

    An episode is played by all the policies that follow one another while it lasts.
    Raw returns, nothing stored.
    """

    def __init__(
        self,
        experiment: Experiment,
        agent: Agent,
        variables: Callable[[], Params],
        lanes: int,
    ):
        """Builds an evaluator that has not begun.

        Args:
            experiment: gives environment and seeds.
            agent: gives the policy.
            variables: returns the newest parameters.
            lanes: environments stepped together, at most `MAX_LANES` of them; as many
                as the actors have, to take decisions as fast.
        """
        self._experiment = experiment
        self._lanes = min(lanes, MAX_LANES)
        self._actor = Actor(agent.act, variables, seed=0, evaluation=True)
        self._environment: environments.VectorEnvironment | None = None

    def start(self, actor_steps: int) -> None:
        """Begins, `actor_steps` into the run; episodes under way are forgotten."""
        self.close()
        environment_seed, seed = self._experiment.seeds("evaluator", start=actor_steps)
        self._environment = environments.make(
            self._experiment.environment, self._lanes, environment_seed, evaluation=True
        )
        self._actor.reseed(seed, actor_steps)
        self._loop = Loop(self._environment, self._actor, actor_steps)

    def step(self) -> list[Episode]:
        """One decision in every lane; returns the episodes that ended."""
        return [episode for _, episode in self._loop.step()]

    def follow(
        self, actor_steps: int, seconds: float, tick: Callable[[], None]
    ) -> list[Episode]:
        """Takes the decisions that the actors are ahead; returns what ended.

        Args:
            actor_steps: of the run, so far.
            seconds: after which to return, though actors are still ahead.
            tick: called at every step, to show that it moves.
        """
        episodes, deadline = list[Episode](), time.monotonic() + seconds
        while self._loop.actor_steps < actor_steps and time.monotonic() < deadline:
            tick()
            episodes += self.step()
        return episodes

    def close(self) -> None:
        """Closes the environments."""
        if self._environment is not None:
            self._environment.close()


class EvaluatorRole:
    """The evaluator of a program.

    It measures the newest policy each time the run passes a point of the grid.
    """

    def __init__(self, run: Run, context: Context):
        """Connects to nobody yet.

        Args:
            run: what runs.
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
        agent = make_agent(experiment, spec)
        try:
            names = network_names(agent, spec)
            learner = self._context.peer("learner")
            with closing(Parameters(learner, names, self._stop)) as parameters:
                if experiment.evaluation.lockstep:
                    lanes = experiment.actors * experiment.environments
                    self._accompany(Lockstep(experiment, agent, parameters, lanes))
                else:
                    episodes = experiment.evaluation.episodes
                    self._evaluate(Evaluator(experiment, agent, episodes), parameters)
        except Stopped:
            pass  # a run that resumes repeats the evaluation that was under way
        finally:
            self._coordinator.close()

    def _evaluate(self, evaluator: Evaluator, parameters: Parameters) -> None:
        for counts, point in self._polls():
            if point is not None:
                params = parameters.fetch()
                counts = counts._replace(learner_steps=parameters.learner_step)
                episodes = evaluator.evaluate(params, point, self._tick)
                self._coordinator.report_evaluation(point, counts, _plain(episodes))

    def _accompany(self, lockstep: Lockstep) -> None:
        """Follows the actors; where they outrun it, it plays less than they do."""
        lockstep.start(self._run.start.actor_steps)
        with closing(lockstep):
            for counts, point in self._polls():
                episodes = lockstep.follow(
                    counts.actor_steps, _FOLLOW_SECONDS, self._tick
                )
                if episodes:
                    self._coordinator.report_evaluated(_plain(episodes))
                if point is not None:
                    self._coordinator.report_evaluation(point, counts, [])

    def _polls(self) -> Iterator[tuple[Counts, int | None]]:
        """Now and then, how far the run is and which point of the grid is due."""
        steps = self._run.experiment.steps
        done = last_evaluated_step(self._run.directory, self._run.start.clock)
        grid = Schedule(self._run.experiment.evaluation.period, steps, done)
        ended = False
        while not ended and not self._stop.wait(REPORT_SECONDS):
            ended = not self._coordinator.learning()
            counts = Counts(*self._coordinator.counts())
            point = steps if ended else grid.due(counts.clock)
            # The end of the budget is evaluated when its updates are done as well.
            yield counts, point if ended or point != steps else None
        if ended:
            self._coordinator.evaluator_ended()

    def _tick(self) -> None:
        """Shows the watchdog that the evaluation goes on; ends it with the program."""
        if self._stop.is_set():
            raise Stopped
        now = time.monotonic()
        if now - self._told > _TICK_SECONDS:
            self._told = now
            self._coordinator.moved("evaluator")


def _plain(episodes: Sequence[Episode]) -> list[tuple[float, int]]:
    """Episodes as they travel to the coordinator."""
    return [(episode.episode_return, episode.length) for episode in episodes]
