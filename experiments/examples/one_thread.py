"""Munchausen DQN learns to catch a falling ball: one thread, every part in sight.

Run it with `python -m experiments.examples.one_thread`. Read it from `main` upwards: an
agent is three pure functions (`init`, `update`, `act`), and everything else here moves
experience between the environment and those functions. `munchausen train mdqn/catch`
does the same, plus checkpoints, logs, evaluation in a separate environment, and (with
`--launch processes`) Reverb and Launchpad.
"""

import argparse
from typing import NamedTuple

import environments
from agents import mdqn
from agents.parts import networks, sgd
from agents.parts.contract import Agent, Storage
from agents.parts.exploration import EpsilonGreedy
from environments.vector import VectorEnvironment
from launch.build import make_spec
from launch.replay.in_process import InProcess
from launch.roles.actor import Actor, Loop
from launch.roles.learner import Learner

ENVIRONMENTS = 5  # games played at once: one policy call decides in all of them

# Fields that are not set here keep the paper's values, such as alpha = 0.9, tau = 0.03.
AGENT = mdqn.Config(
    network=networks.Config("mlp", hidden=(64,)),
    optimizer=sgd.Optimizer(learning_rate=1e-3),
    target_update_period=25,
    exploration=EpsilonGreedy(final=0.1, start=0, decay_steps=3_000),
    storage=Storage(
        capacity=10_000,
        min_size=100,  # transitions in the replay before the first update
        batch_size=32,
        samples_per_insert=32.0,  # as many as a batch: an update for each transition
    ),
)


class Parts(NamedTuple):
    """Everything that a run in one thread consists of.

    Attributes:
        agent: the algorithm: `init`, `update`, `act`.
        environment: N games that are stepped together.
        replay: the transitions; it knows how many updates are due.
        learner: owns the parameters; samples batches and updates.
        loop: the actor plays the games and writes what happens to the replay.
    """

    agent: Agent
    environment: VectorEnvironment
    replay: InProcess
    learner: Learner
    loop: Loop


def build(seed: int) -> Parts:
    """Builds all parts; each draws its random numbers from a different seed."""
    environment = environments.make(environments.Catch(), ENVIRONMENTS, seed)
    spec = make_spec(environment)
    agent = mdqn.agent(AGENT, spec)
    replay = InProcess(
        agent.storage,
        spec,
        discount=agent.discount,
        frame_stack=1,
        num_environments=ENVIRONMENTS,
        seed=seed + 1,
    )
    learner = Learner(agent, seed + 2, replay)
    actor = Actor(agent.act, lambda: learner.params, seed + 3, adder=replay)
    return Parts(agent, environment, replay, learner, Loop(environment, actor))


def train(parts: Parts, actor_steps: int) -> None:
    """Acts and learns in turns; prints the mean return of every 200 episodes."""
    returns: list[float] = []
    while parts.loop.actor_steps < actor_steps:
        returns += [episode.episode_return for _, episode in parts.loop.step()]
        for _ in range(parts.replay.owed()):
            parts.learner.step()
        if len(returns) >= 200:
            loss = float(parts.learner.metrics.get("q_loss", float("nan")))
            print(
                f"{parts.loop.actor_steps:6} steps  mean return "
                f"{sum(returns) / len(returns):5.2f}  loss {loss:.4f}"
            )
            returns = []


def evaluate(parts: Parts, episodes: int, seed: int) -> float:
    """Mean return of the greedy policy in fresh games; nothing is stored."""
    environment = environments.make(environments.Catch(), ENVIRONMENTS, seed)
    player = Actor(parts.agent.act, lambda: parts.learner.params, seed, evaluation=True)
    loop, returns = Loop(environment, player), list[float]()
    while len(returns) < episodes:
        returns += [episode.episode_return for _, episode in loop.step()]
    environment.close()
    return sum(returns) / len(returns)


def main() -> None:
    """Trains, and prints the return before and after."""
    parser = argparse.ArgumentParser(description="M-DQN learns to play Catch.")
    parser.add_argument("--steps", type=int, default=6_000, help="actor steps")
    parser.add_argument("--seed", type=int, default=0, help="of everything random")
    options = parser.parse_args()
    parts = build(options.seed)
    print(f"before: {evaluate(parts, episodes=100, seed=options.seed + 4):.2f}")
    train(parts, options.steps)
    print(f"after:  {evaluate(parts, episodes=100, seed=options.seed + 5):.2f}")
    parts.environment.close()


if __name__ == "__main__":
    main()
