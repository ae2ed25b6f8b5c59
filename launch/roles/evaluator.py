"""Evaluation in a separate environment: of one policy, or in step with training."""

import time
from collections.abc import Callable, Sequence

import environments
from agents.parts.contract import Agent, Params
from environments.checks import EnvironmentFailed
from environments.vector import VectorEnvironment
from launch.experiment import Experiment
from launch.roles.actor import Actor, Loop
from launch.roles.notes import Notes
from launch.runs.logs import Episode, Evaluated

# Steps of evaluation in which at least one episode must end; Atari's have 27,000.
_LONGEST_EPISODE = 200_000

# More lanes would only cost memory: the policy call is amortised long before.
MAX_LANES = 32
# In a phase of a number of steps: with more lanes, the episodes under way at its end
# would be a large part of it.
STEPS_PER_LANE = 10_000


Watched = Callable[[VectorEnvironment], VectorEnvironment]


def _unwatched(environment: VectorEnvironment) -> VectorEnvironment:
    return environment


class Evaluator:
    """Plays a number of episodes, or of steps; raw returns, nothing stored.

    Every lane plays its own share of the episodes. Taking the first episodes to end
    instead would favour the short ones. For the same reason, a phase of a number of
    steps plays each episode that it began. Each evaluation draws new seeds, so that
    it does not depend on earlier evaluations.
    """

    def __init__(
        self,
        experiment: Experiment,
        agent: Agent,
        episodes: int,
        steps: int = 0,
        watched: Watched = _unwatched,
    ):
        """Builds an evaluator.

        Args:
            experiment: gives environment and seeds.
            agent: gives the policy.
            episodes: played at each call.
            steps: if not 0, no matter how many episodes, decisions of all lanes
                together after which no episode begins.
            watched: returns an environment whose hanging is noticed.
        """
        self._watched = watched
        lanes = min(-(-steps // STEPS_PER_LANE) or episodes, MAX_LANES)
        self._experiment = experiment
        self._steps = steps
        self._shares = [len(range(lane, episodes, lanes)) for lane in range(lanes)]
        self._params: Params = {}
        self._notes = Notes(agent)
        self._actor = Actor(
            agent.act,
            lambda: self._params,
            seed=0,
            adder=self._notes,
            evaluation=True,
        )

    def evaluate(
        self, params: Params, point: int, tick: Callable[[], None] = lambda: None
    ) -> Evaluated:
        """Plays the episodes with these parameters.

        Args:
            params: of all networks.
            point: actor steps of the run; evaluations at other points draw other seeds.
            tick: called at every step, as a sign of life.

        Returns:
            The episodes, lane after lane, and what `Notes` found.
        """
        self._params = params
        environment_seed, seed = self._experiment.seeds("evaluator", start=point)
        environment = self._watched(
            environments.make(
                self._experiment.environment,
                len(self._shares),
                environment_seed,
                evaluation=True,
            )
        )
        try:
            self._actor.reseed(seed, actor_steps=point)
            self._notes.begin(environment, params, seed)
            played = self._play(Loop(environment, self._actor, point), tick)
            measures = self._notes.measures([len(lane) for lane in played])
            episodes = [episode for lane in played for episode in lane]
            return Evaluated(episodes, self._notes.samples, measures)
        finally:
            environment.close()
            self._params = {}  # the learner replaces them: they need memory

    def _play(self, loop: Loop, tick: Callable[[], None]) -> list[list[Episode]]:
        """Plays the episodes of each lane."""
        if self._steps:
            return self._play_steps(loop, tick)
        played: list[list[Episode]] = [[] for _ in self._shares]
        while any(
            len(done) < share for done, share in zip(played, self._shares, strict=True)
        ):
            for lane, episode in self._next_ends(loop, tick):
                if len(played[lane]) < self._shares[lane]:
                    played[lane].append(episode)
        return played

    def _play_steps(self, loop: Loop, tick: Callable[[], None]) -> list[list[Episode]]:
        """Plays each episode that begins before the lanes have taken all steps."""
        played: list[list[Episode]] = [[] for _ in self._shares]
        playing = set(range(len(played)))  # the lanes whose episode counts
        end = loop.actor_steps + self._steps
        while playing:
            for lane, episode in self._next_ends(loop, tick):
                if lane in playing:
                    played[lane].append(episode)
                    if loop.actor_steps >= end:
                        playing.remove(lane)
        return played

    def _next_ends(
        self, loop: Loop, tick: Callable[[], None]
    ) -> Sequence[tuple[int, Episode]]:
        """Steps until an episode ends; returns `(lane, episode)` of those that did.

        Raises:
            EnvironmentFailed: none ends.
        """
        for _ in range(_LONGEST_EPISODE):
            tick()
            ended = loop.step()
            if ended:
                return ended
        raise EnvironmentFailed(
            f"no episode has ended within {_LONGEST_EPISODE:,} steps of evaluation: an "
            "environment must end its episodes, or get a limit with "
            "--environment.episode_steps"
        )


class Lockstep:
    """Plays continuously while the agent learns, with the newest parameters.

    The policy therefore changes within an episode. Raw returns, nothing stored.
    """

    def __init__(
        self,
        experiment: Experiment,
        agent: Agent,
        variables: Callable[[], Params],
        lanes: int,
        watched: Watched = _unwatched,
    ):
        """Builds an evaluator; `start` begins to play.

        Args:
            experiment: gives environment and seeds.
            agent: gives the policy.
            variables: returns the newest parameters.
            lanes: number of environments stepped together, reduced to `MAX_LANES`; as
                many as the actors have, to take decisions as fast.
            watched: returns an environment whose hanging is noticed.
        """
        self._watched = watched
        self._experiment = experiment
        self._lanes = min(lanes, MAX_LANES)
        self._actor = Actor(agent.act, variables, seed=0, evaluation=True)
        self._environment: VectorEnvironment | None = None

    def start(self, actor_steps: int, life: int = 0) -> None:
        """Begins, `actor_steps` into the run; unfinished episodes are discarded.

        Args:
            actor_steps: of the run.
            life: how often the evaluator was started again after it died.
        """
        self.close()
        environment_seed, seed = self._experiment.seeds(
            "evaluator", start=actor_steps, life=life
        )
        self._environment = self._watched(
            environments.make(
                self._experiment.environment,
                self._lanes,
                environment_seed,
                evaluation=True,
            )
        )
        self._actor.reseed(seed, actor_steps)
        self._loop = Loop(self._environment, self._actor, actor_steps)

    def step(self) -> list[Episode]:
        """Takes a decision in every lane; returns the episodes that ended."""
        return [episode for _, episode in self._loop.step()]

    def follow(
        self, actor_steps: int, seconds: float, tick: Callable[[], None]
    ) -> list[Episode]:
        """Catches up with the actors' decisions; returns the episodes that ended.

        Args:
            actor_steps: actor steps of the run so far.
            seconds: time limit, even if the actors are still ahead.
            tick: called at every step, as a sign of life.
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
