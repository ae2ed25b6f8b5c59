"""The tasks, by name, as data.

A task describes an environment, a budget and the settings that replace an agent's
defaults (on Atari, these are the paper's). Each task is written once, for all agents.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import environments
from launch.datasets.d4rl_scores import DEMONSTRATIONS, QUALITIES
from launch.experiment import Evaluation

Actions = Literal["discrete", "continuous", "tokens", "any"]
Loss = Literal["", "huber", "squared"]

_KINDS = {"any": ("discrete", "continuous")}


class Environment(NamedTuple):
    """An environment's config as data; its module is imported when the config is made.

    Attributes:
        kind: key of `environments.KINDS`.
        settings: values that replace the config's defaults.
    """

    kind: str
    settings: Mapping[str, Any] = {}

    def config(self) -> environments.Config:
        """Builds the config."""
        return environments.config_class(self.kind)(**self.settings)


class Task(NamedTuple):
    """An environment with a budget and with settings for its agents.

    Attributes:
        description: one line for `munchausen list`.
        environment: which one.
        steps: actor steps.
        evaluation: when and how the policy is evaluated.
        settings: values that replace every agent's defaults, by path.
        loss: loss of the agents whose paper leaves the choice; empty: their default.
        fractions: quantile fractions, online and target each, of agents that learn
            quantiles; 0: their default.
        actions: which actions the environment takes; any: discrete or continuous ones,
            which is only known once it is made.
        settings_by_actions: values that replace the defaults of agents that act and
            take such actions, by path.
        environments: environments that an actor steps together.
        dataset: id of the dataset to learn from instead of acting; then steps are the
            learner's.
        act_under_update: whether local runs act while the learner computes, which
            speeds up acting agents, see `Experiment`.
    """

    description: str
    environment: Environment
    steps: int
    evaluation: Evaluation
    settings: Mapping[str, Any] = {}
    loss: Loss = ""
    fractions: int = 0
    actions: Actions = "discrete"
    settings_by_actions: Mapping[str, Mapping[str, Any]] = {}
    environments: int = 1
    dataset: str = ""
    act_under_update: bool = True

    def may_take(self, actions: str) -> bool:
        """Whether the environment takes, or may take, this kind of actions."""
        return actions in _KINDS.get(self.actions, (self.actions,))


# Quantile networks on small tasks: an eighth of the papers' 64, and of the cost.
FEW_FRACTIONS = 8

# Ours, chosen on CartPole-v1. Dopamine's settings for it (two layers of 512, rate
# 1e-3, a target copy every 100 steps, epsilon 0.01 throughout) are made for 500,000
# steps and for inputs scaled to [-1, 1]; within 100,000 steps of raw inputs the action
# values of both DQN and M-DQN diverged with them.
CONTROL: dict[str, Any] = {
    "network.torso": "mlp",
    "network.hidden": (128, 128),
    "optimizer.learning_rate": 7e-4,
    "optimizer.epsilon": 0.01 / 32,
    "target_update_period": 125,  # 500 agent steps
    "exploration.initial": 1.0,
    "exploration.final": 0.05,
    "exploration.start": 500,
    "exploration.decay_steps": 10_000,
    "exploration.evaluation": 0.0,
    "storage.capacity": 50_000,
    "storage.min_size": 500,
    "storage.batch_size": 128,
    "storage.samples_per_insert": 32.0,  # an update every 4 agent steps
}

# 2,500 agent steps, as in "Leverage the Average" (appendix E).
LUNAR_LANDER = CONTROL | {"target_update_period": 625}

CATCH = CONTROL | {
    "network.hidden": (64,),
    "optimizer.learning_rate": 1e-3,
    "target_update_period": 25,
    "exploration.final": 0.1,
    "exploration.start": 0,
    "exploration.decay_steps": 6_000,
    "storage.capacity": 10_000,
    "storage.min_size": 100,
    "storage.batch_size": 32,
    "storage.samples_per_insert": 32.0,  # an update at every step
}

# Settings of "Deep Variance Weighting" (Kitamura et al. 2023) as released. Its M-DQN
# has our constants: KL coefficient .027 and entropy coefficient .003 are alpha .9 and
# tau .03. Epsilon decays over the first 1,000,000 of 10,000,000 steps, also in a
# shorter run.
MINATAR = {
    "network.torso": "minatar",
    "network.hidden": (128,),
    "optimizer.learning_rate": 2.5e-4,
    "optimizer.epsilon": 1e-8,
    "target_update_period": 250,  # 1,000 agent steps
    "exploration.initial": 1.0,
    "exploration.final": 0.1,
    "exploration.start": 0,
    "exploration.decay_steps": 1_000_000,
    "exploration.evaluation": 0.0,
    "storage.capacity": 100_000,
    "storage.min_size": 10_000,
    "storage.batch_size": 32,
    "storage.samples_per_insert": 8.0,  # an update every 4 agent steps
}

# Network, rate and gamma of "Deep Variance Weighting" in its maze; its authors update
# on all states at once, so replay and exploration are ours.
MAZE = CONTROL | {
    "discount": 0.995,
    "optimizer.learning_rate": 1e-3,
    "optimizer.epsilon": 1e-8,
    "target_update_period": 100,
    "exploration.final": 0.1,
    "exploration.decay_steps": 100_000,
}

# Small enough for two CPU cores: the network of 2013 and a short schedule.
PONG_CPU = {
    "network.torso": "dqn2013",
    "network.hidden": (256,),
    "optimizer.learning_rate": 2.5e-4,
    "target_update_period": 500,  # 1,000 agent steps
    "exploration.start": 5_000,
    "exploration.decay_steps": 50_000,
    "storage.n_step": 3,
    "storage.capacity": 200_000,
    "storage.min_size": 5_000,
    "storage.samples_per_insert": 16.0,  # an update every 2 agent steps
}

# For `make demo`: the return in Boxing rises within minutes. The first evaluation is of
# the policy before the first update.
BOXING_DEMO = PONG_CPU | {
    "optimizer.learning_rate": 5e-4,
    "target_update_period": 250,
    "exploration.start": 4_000,
    "exploration.decay_steps": 8_000,
    "storage.capacity": 100_000,
    "storage.min_size": 4_000,
}

PAPER_GRID = Evaluation(period=250_000, episodes=10)
CONTROL_GRID = Evaluation(period=5_000, episodes=10)
MINATAR_GRID = Evaluation(period=100_000, lockstep=True)
LOCOMOTION_GRID = Evaluation(period=5_000, episodes=10)

MINATAR_GAMES = ("asterix", "breakout", "freeway", "seaquest", "space_invaders")


def atari(description: str, game: str) -> Task:
    """An Atari game with the paper's settings, which are the agents' defaults."""
    return Task(
        description, Environment("Atari", {"game": game}), 50_000_000, PAPER_GRID
    )


def _classic(description: str, name: str, settings: Mapping[str, Any]) -> Task:
    return Task(
        description,
        Environment("Classic", {"name": name}),
        100_000,
        CONTROL_GRID,
        settings,
        fractions=FEW_FRACTIONS,
    )


TASKS: dict[str, Task] = {
    "pong": atari("Atari Pong in the paper's settings", "pong"),
    "pong-cpu": Task(
        "Atari Pong on a computer without GPU: small network, short schedule",
        Environment("Atari", {"game": "pong"}),
        1_000_000,
        Evaluation(period=50_000, episodes=10),
        PONG_CPU,
        environments=8,
    ),
    "boxing-demo": Task(
        "Atari Boxing for `make demo`: the return rises within minutes, without a GPU",
        Environment("Atari", {"game": "boxing"}),
        100_000,
        Evaluation(period=4_000, episodes=4),
        BOXING_DEMO,
        environments=8,
    ),
    "breakout": atari("Atari Breakout in the paper's settings", "breakout"),
    "atari": atari(
        "any Atari game, named by --environment.game, in the paper's settings", "pong"
    ),
    "cartpole": _classic(
        "balance a pole on a cart; at best 500", "CartPole-v1", CONTROL
    ),
    "acrobot": _classic(
        "swing up a double pendulum; -1 a step, about -80 is good",
        "Acrobot-v1",
        CONTROL,
    ),
    "mountaincar": _classic(
        "leave a valley by gathering speed; -1 a step, about -110 is good",
        "MountainCar-v0",
        CONTROL,
    ),
    "lunarlander": _classic(
        "land softly between two flags; 200 is solved", "LunarLander-v3", LUNAR_LANDER
    ),
    "catch": Task(
        "catch a falling ball; the optimal return is 1",
        Environment("Catch"),
        20_000,
        Evaluation(period=2_000, episodes=10),
        CATCH,
        fractions=FEW_FRACTIONS,
        act_under_update=False,  # for first steps, and under a debugger
    ),
    "maze": Task(
        "reach the goal of a maze with pitfalls, seen as random vectors; at best 1",
        Environment("Maze"),
        500_000,
        Evaluation(period=25_000, episodes=10),
        MAZE,
        loss="squared",
        fractions=FEW_FRACTIONS,
    ),
}

TASKS |= {
    f"minatar-{game.replace('_', '-')}": Task(
        f"MinAtar {game.replace('_', ' ').title()} as in Deep Variance Weighting",
        Environment("MinAtar", {"game": game}),
        10_000_000,
        MINATAR_GRID,
        MINATAR,
        loss="squared",
        fractions=FEW_FRACTIONS,
    )
    for game in MINATAR_GAMES
}


def continuous(description: str, kind: str, name: str, steps: int = 1_000_000) -> Task:
    """A task with continuous actions; its agents' defaults are made for such tasks."""
    environment = Environment(kind, {"name": name})
    return Task(description, environment, steps, LOCOMOTION_GRID, actions="continuous")


TASKS |= {
    "hopper": continuous("hop forward on one leg", "Locomotion", "Hopper-v5"),
    "halfcheetah": continuous("run on two legs", "Locomotion", "HalfCheetah-v5"),
    "walker2d": continuous("walk on two legs", "Locomotion", "Walker2d-v5"),
    "ant": continuous("walk on four legs", "Locomotion", "Ant-v5", 3_000_000),
    "humanoid": continuous("walk upright", "Locomotion", "Humanoid-v5", 3_000_000),
    "cheetah-run": continuous("run; at best 1,000", "ControlSuite", "cheetah-run"),
    "walker-walk": continuous("walk; at best 1,000", "ControlSuite", "walker-walk"),
    "walker-run": continuous("run; at best 1,000", "ControlSuite", "walker-run"),
    "hopper-hop": continuous("hop; at best 1,000", "ControlSuite", "hopper-hop"),
    "adroit-pen": continuous("turn a pen in the hand", "Adroit", "pen"),
    "adroit-door": continuous("open a door", "Adroit", "door"),
    "adroit-hammer": continuous("drive in a nail", "Adroit", "hammer"),
    "adroit-relocate": continuous("carry a ball to a target", "Adroit", "relocate"),
}

# Datasets in D4RL's qualities, made by `munchausen collect`, under Minari ids.
TASKS |= {
    f"{name}-{quality}": TASKS[name]._replace(
        description=f"{TASKS[name].description}, from a dataset: {quality}",
        steps=1_000_000,
        dataset=f"munchausen/{name}/{quality}-v0",
    )
    for name in ("hopper", "halfcheetah", "walker2d", "adroit-pen")
    for quality in QUALITIES
}

# D4RL's own datasets of the hand, as Minari copied them.
TASKS |= {
    f"adroit-{name}-{quality}": TASKS[f"adroit-{name}"]._replace(
        description=f"the hand's {name} task, from D4RL's {quality} data",
        steps=1_000_000,
        dataset=f"D4RL/{name}/{quality}-v2",
    )
    for name in ("pen", "door", "hammer", "relocate")
    for quality in DEMONSTRATIONS
}

# Environments of users. Agents with discrete actions have CartPole's settings, agents
# with continuous actions their paper's; the observations choose the convolutions.
TASKS["gymnasium"] = Task(
    "any environment of Gymnasium or dm_env, named by --environment.id, also yours",
    Environment("Gymnasium"),
    100_000,
    CONTROL_GRID,
    fractions=FEW_FRACTIONS,
    actions="any",
    settings_by_actions={
        "discrete": CONTROL | {"network.torso": "auto"},
        "continuous": {"network.torso": "auto"},
    },
)

# Ours: settings that learn within minutes on two CPU cores.
SMALL_DECODER: dict[str, Any] = {"network.width": 64, "network.layers": 2}
# The score of a sample: the most likely tokens score higher than the chain itself.
SAMPLED = SMALL_DECODER | {"evaluation_temperature": 1.0}


def _language(description: str, kind: str, settings: Mapping[str, Any]) -> Task:
    """A language task; a run counts completions, and a batch of 32 is one update."""
    return Task(
        description,
        Environment(kind),
        96_000,
        Evaluation(period=9_600, episodes=256),
        settings,
        actions="tokens",
        environments=32,
        act_under_update=False,  # agents learn from tokens of the newest parameters
    )


TASKS |= {
    "arithmetic": _language(
        "sums of two numbers with 2 digits; the score is 1 if the answer is right",
        "Arithmetic",
        SMALL_DECODER | {"optimizer.learning_rate": 3e-3},
    )._replace(
        # With 3 digits one seed of three stays at a tenth right for 9,000 updates.
        environment=Environment("Arithmetic", {"digits": 2}),
        steps=128_000,
        evaluation=Evaluation(period=12_800, episodes=512),
    ),
    "facts": _language(
        "summarise the facts about a subject; the score is the share of true claims",
        "Facts",
        SMALL_DECODER,
    ),
    "markov": _language(
        "continue a Markov chain; the score is a token's log-probability under it",
        "Markov",
        SAMPLED | {"optimizer.learning_rate": 3e-3},  # 1e-3 learns half as fast
    ),
    "preferences": _language(
        "continue a Markov chain; the score is a golden reward of neighbouring tokens",
        "Preferences",
        SAMPLED,
    ),
    "text": _language(
        "continue CPython's manual; the score is the share of tokens as in the manual",
        "Text",
        SMALL_DECODER,
    ),
}

# Tasks that need a flag before they can run, with an example of its value for agents
# with actions of each kind.
NEEDS = {
    "atari": ("environment.game", "a game", {"discrete": "seaquest"}),
    "gymnasium": (
        "environment.id",
        "an environment",
        {"discrete": "CartPole-v1", "continuous": "Pendulum-v1"},
    ),
}
