"""Measures how well IQ's state value foresees what its policy gets, and its falls.

`python -m experiments.tables.foresight RUN... TABLE.csv` plays ten episodes of each
run, or of a policy of the zoo. It compares V(s) with the discounted return that
follows, at states counted from the start of an episode, and, if the episode terminates,
at states counted from its end. V(s) holds the entropy bonus too, the return does not.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import environments
from agents import implicit_q
from agents.parts.contract import Params, Spec
from experiments import flags, output_files
from launch import errors, output
from launch.build import spec_of
from launch.policies import saved_policy, zoo
from launch.roles.actor import Actor
from launch.runs import provenance, run_directory

EPISODES = 10
SEED = 0  # of environments
# Steps from the start, of which all episodes that are long enough have a part.
FROM_START = (0, 50, 100, 200, 300, 500, 700, 900)
# Steps before the last one of an episode that terminates.
FROM_END = (200, 120, 80, 50, 30, 20, 10, 5, 2, 0)
AHEAD = 20  # steps over which a row's reward is averaged
_OF_THE_RUN = ("command", "code", "machine")
USAGE = "usage: python -m experiments.tables.foresight RUN... TABLE.csv"

# (params, observation [1, ...]) -> [1]
Value = Callable[[Params, Any], jax.Array]


class Episode(NamedTuple):
    """An episode of T steps.

    Attributes:
        values: `[T]` V of the state before each step.
        rewards: `[T]`.
        last: V of the state after the last step; 0 if the episode terminated.
        terminated: whether it terminated, and was not truncated.
    """

    values: np.ndarray
    rewards: np.ndarray
    last: float
    terminated: bool


def discounted(rewards: np.ndarray, last: float, discount: float) -> np.ndarray:
    """Discounted returns `[T]` from each step on.

    Args:
        rewards: `[T]`.
        last: value of the state after them.
        discount: gamma.
    """
    found = np.empty(len(rewards))
    for step in reversed(range(len(rewards))):
        last = found[step] = rewards[step] + discount * last
    return found


def rows(episodes: Sequence[Episode], discount: float) -> Iterator[dict[str, Any]]:
    """Means over episodes at each step of `FROM_START` and `FROM_END`.

    Args:
        episodes: those that are too short for a step have no part in its row.
        discount: gamma.

    Yields:
        counted_from, step, value, discounted_return, reward (mean over the next `AHEAD`
        steps) and episodes.
    """
    falls = [each for each in episodes if each.terminated]
    counts = [("start", step, step, episodes) for step in FROM_START]
    counts += [("end", step, -1 - step, falls) for step in FROM_END]
    returns = {id(e): discounted(e.rewards, e.last, discount) for e in episodes}
    for counted_from, step, index, chosen in counts:
        found = [
            (e.values[index], returns[id(e)][index], e.rewards[index:][:AHEAD].mean())
            for e in chosen
            if len(e.rewards) > step
        ]
        if found:
            value, following, reward = np.mean(found, axis=0)
            yield {
                "counted_from": counted_from,
                "step": step,
                "value": f"{value:.5g}",
                "discounted_return": f"{following:.5g}",
                "reward": f"{reward:.4g}",
                "episodes": len(found),
            }


def value_of(agent: str, config: Any, spec: Spec) -> Value:
    """The state value of IQ, the least of its networks'.

    Raises:
        ValueError: the agent is another one.
    """
    if not isinstance(config, implicit_q.Config):
        raise ValueError(f"the agent must be iq, which has a state value, got {agent}")
    network = implicit_q.make_network(config, spec)

    def value(params: Params, observation: Any) -> jax.Array:
        tau = jnp.exp(params["q"]["log_temperature"])
        values = network.apply(params["q"]["network"], observation, tau)[1]
        return jnp.min(values, axis=0)

    return jax.jit(value)


def play(
    environment: environments.VectorEnvironment,
    actor: Actor,
    value: Callable[[Any], jax.Array],
) -> Iterator[Episode]:
    """Yields the episodes of an actor in one environment, without end."""
    timestep = environment.reset()
    values: list[float] = []
    rewards: list[float] = []
    while True:
        values.append(float(value(timestep.observation)[0]))
        timestep = environment.step(actor.select_action(timestep.observation))
        rewards.append(float(timestep.reward[0]))
        if not timestep.last()[0]:
            continue
        ended = timestep.discount[0] == 0
        last = 0.0 if ended else float(value(timestep.observation)[0])
        yield Episode(np.array(values), np.array(rewards), last, bool(ended))
        values, rewards = [], []
        timestep = environment.step(actor.select_action(timestep.observation))


def table(directory: Path) -> list[dict[str, Any]]:
    """The rows of a run, with the command and code to reproduce it.

    Raises:
        RunDirectoryError: the directory is not a run, or has no checkpoint.
        ValueError: the agent has no state value.
    """
    found = zoo.find(directory)
    experiment, agent, params = saved_policy.load(found)
    value = value_of(experiment.agent_name, experiment.agent, spec_of(experiment))
    actor = Actor(agent.act, lambda: params, SEED, evaluation=True)
    environment = environments.make(experiment.environment, 1, SEED, evaluation=True)
    try:
        played = play(environment, actor, lambda seen: value(params, seen))
        episodes = [next(played) for _ in range(EPISODES)]
    finally:
        environment.close()
    written = run_directory.read_config(found)
    ends = {
        "return": f"{np.mean([each.rewards.sum() for each in episodes]):.5g}",
        "terminated": sum(each.terminated for each in episodes),
    }
    return [
        {
            "policy": str(directory),
            **ends,
            **row,
            **{name: written[name] for name in _OF_THE_RUN},
            "measured_with": provenance.code_version(),
        }
        for row in rows(episodes, experiment.agent.discount)
    ]


def main(arguments: Sequence[str]) -> int:
    """Writes the rows of all runs into one table, and prints them."""
    if len(arguments) < 2 or not arguments[-1].endswith(".csv"):
        print(USAGE, file=sys.stderr)
        return 2
    *directories, path = map(Path, arguments)
    try:
        output_files.check_writable(path)
        found = [row for each in directories for row in table(each)]
        output_files.write_table(path, list(found[0]), found)
    except (errors.RunDirectoryError, ValueError) as error:
        print(f"foresight: {error}", file=sys.stderr)
        return 2
    shown = [name for name in found[0] if name not in _OF_THE_RUN]
    cells = [tuple(str(row[name]) for name in shown) for row in found]
    print("\n".join(flags.align([tuple(shown), *cells])))
    return 0


if __name__ == "__main__":
    output.guard()
    sys.exit(main(sys.argv[1:]))
