"""Suites: the sets of tasks over which papers aggregate their results, as data.

`train suite/<suite>_<agent>` trains an agent on all tasks of a suite, and
`train <agent>/<task>` on one of them; `report --suite` aggregates over the tasks. The
runs have the names of single experiments, so that a run of `mdqn/breakout` is one of
`suite/atari-57_mdqn` as well.
"""

from collections.abc import Mapping
from typing import NamedTuple

import agents
from agents import Recipe
from experiments import flags
from experiments.catalogue import user_agents
from experiments.catalogue.experiments import Named
from experiments.catalogue.figure import Figure
from experiments.catalogue.tasks import (
    MINATAR_GAMES,
    PONG_CPU,
    TASKS,
    Task,
    atari,
    continuous,
)
from experiments.flags import OverrideError
from launch.datasets.d4rl_scores import DEMONSTRATIONS, QUALITIES
from launch.experiment import Experiment

PREFIX = "suite/"


class Suite(NamedTuple):
    """Tasks with one kind of actions.

    Attributes:
        description: one line for `munchausen list`.
        source: where this set of tasks comes from.
        tasks: by the name that they have in the names of experiments.
        seeds: number of seeds, unless the command line gives one.
    """

    description: str
    source: str
    tasks: Mapping[str, Task]
    seeds: int = 5


# The games of Dopamine's baselines.
ATARI_60 = """
air_raid alien amidar assault asterix asteroids atlantis bank_heist battle_zone
beam_rider berzerk bowling boxing breakout carnival centipede chopper_command
crazy_climber demon_attack double_dunk elevator_action enduro fishing_derby freeway
frostbite gopher gravitar hero ice_hockey jamesbond journey_escape kangaroo krull
kung_fu_master montezuma_revenge ms_pacman name_this_game phoenix pitfall pong pooyan
private_eye qbert riverraid road_runner robotank seaquest skiing solaris space_invaders
star_gunner tennis time_pilot tutankham up_n_down venture video_pinball wizard_of_wor
yars_revenge zaxxon
""".split()

_NO_HUMAN = ("air_raid", "carnival", "elevator_action", "journey_escape", "pooyan")
ATARI_57 = sorted({*ATARI_60, "defender", "surround"} - {*_NO_HUMAN})

ATARI_26 = """
alien amidar assault asterix bank_heist battle_zone boxing breakout chopper_command
crazy_climber demon_attack freeway frostbite gopher hero jamesbond kangaroo krull
kung_fu_master ms_pacman pong private_eye qbert road_runner seaquest up_n_down
""".split()

# The tasks that the suite's own package calls benchmarks.
CONTROL = """
acrobot-swingup acrobot-swingup_sparse ball_in_cup-catch cartpole-balance
cartpole-balance_sparse cartpole-swingup cartpole-swingup_sparse cheetah-run finger-spin
finger-turn_easy finger-turn_hard fish-upright fish-swim hopper-stand hopper-hop
humanoid-stand humanoid-walk humanoid-run manipulator-bring_ball pendulum-swingup
point_mass-easy reacher-easy reacher-hard swimmer-swimmer6 swimmer-swimmer15
walker-stand walker-walk walker-run
""".split()


def _atari(games: list[str]) -> dict[str, Task]:
    return {
        game: TASKS.get(game)
        or atari(
            f"Atari {game.replace('_', ' ').title()} in the paper's settings", game
        )
        for game in games
    }


def _atari_cpu(games: list[str]) -> dict[str, Task]:
    """The games with the small network and the short schedule of Pong on a CPU."""
    return {
        f"{game}-cpu": TASKS["pong-cpu"]._replace(
            description=f"Atari {game} on a computer without GPU",
            environment=task.environment,
            settings=PONG_CPU,
        )
        for game, task in _atari(games).items()
    }


def _tasks(*names: str) -> dict[str, Task]:
    return {name: TASKS[name] for name in names}


SUITES: dict[str, Suite] = {
    "atari-57": Suite(
        "the 57 Atari games that have human scores",
        "Wang et al., Dueling Network Architectures, 2016",
        _atari(ATARI_57),
    ),
    "atari-60": Suite(
        "the 60 Atari games of Dopamine and of Munchausen RL",
        "Vieillard et al., Munchausen Reinforcement Learning, 2020",
        _atari(ATARI_60),
    ),
    "atari-26": Suite(
        "26 Atari games, in the paper's settings",
        "Kaiser et al., Model-Based Reinforcement Learning for Atari, 2020",
        _atari(ATARI_26),
    ),
    "atari-26-cpu": Suite(
        "the same 26 games with a small network and a short schedule",
        "Kaiser et al., Model-Based Reinforcement Learning for Atari, 2020",
        _atari_cpu(ATARI_26),
    ),
    "minatar-5": Suite(
        "the five games of MinAtar",
        "Young and Tian, MinAtar, 2019",
        _tasks(*(f"minatar-{game.replace('_', '-')}" for game in MINATAR_GAMES)),
    ),
    "locomotion": Suite(
        "the five MuJoCo tasks of SAC's figures, in Gymnasium",
        "Haarnoja et al., Soft Actor-Critic, 2018",
        _tasks("hopper", "halfcheetah", "walker2d", "ant", "humanoid"),
    ),
    "control-suite": Suite(
        "the 28 benchmark tasks of the DeepMind control suite",
        "Tassa et al., DeepMind Control Suite, 2018",
        {
            name: TASKS.get(name)
            or continuous(f"{name}; at best 1,000", "ControlSuite", name)
            for name in CONTROL
        },
    ),
    "d4rl-locomotion": Suite(
        "three locomotion tasks with the five qualities of D4RL's datasets",
        "Fu et al., D4RL, 2020",
        _tasks(
            *(
                f"{name}-{quality}"
                for quality in QUALITIES
                for name in ("halfcheetah", "hopper", "walker2d")
            )
        ),
    ),
    "d4rl-adroit": Suite(
        "the four tasks of the Adroit hand with D4RL's human and cloned data",
        "Fu et al., D4RL, 2020",
        _tasks(
            *(
                f"adroit-{name}-{quality}"
                for quality in DEMONSTRATIONS
                for name in ("pen", "door", "hammer", "relocate")
            )
        ),
    ),
    "adroit": Suite(
        "the four tasks of the Adroit hand",
        "Rajeswaran et al., Learning Complex Dexterous Manipulation, 2018",
        _tasks("adroit-pen", "adroit-door", "adroit-hammer", "adroit-relocate"),
    ),
}


def find(name: str) -> Figure:
    """The runs of `suite/<suite>_<agent>`; none of them is built yet.

    Raises:
        OverrideError: the suite or the agent is unknown, or they do not fit.
    """
    suite_name, _, agent_name = name.removeprefix(PREFIX).partition("_")
    suite = look_up(suite_name)
    known = _agents()
    fitting = [each for each, recipe in known.items() if fits(recipe, suite)]
    if agent_name not in known:
        others = f"one of {', '.join(fitting)}"
        hint = flags.did_you_mean(agent_name, fitting, others) if agent_name else ""
        raise OverrideError(
            f"{PREFIX}{suite_name}_<agent> needs an agent, got {agent_name!r}"
            + (hint or f"; {others}")
        )
    if agent_name not in fitting:
        raise OverrideError(
            f"{agent_name} does not fit the tasks of suite {suite_name}; agents for "
            f"it: {', '.join(fitting)}"
        )
    users = user_agents.known()
    full = users[agent_name].agent_name if agent_name in users else agent_name
    variants = {
        f"{agent_name}/{task_name}": Named(f"{agent_name}/{task_name}", full, task)
        for task_name, task in suite.tasks.items()
    }
    steps = max(task.steps for task in suite.tasks.values())
    return Figure(name, suite.description, steps, variants, suite.seeds)


def experiment(name: str) -> Experiment | None:
    """The experiment of an agent on a task that only suites have; None without one.

    Args:
        name: `<agent>/<task>`, such as `sac/finger-spin`.
    """
    agent_name, _, task_name = name.partition("/")
    recipe = _agents().get(agent_name)
    for suite_name, suite in SUITES.items():
        if recipe and task_name in suite.tasks and fits(recipe, suite):
            return find(f"{PREFIX}{suite_name}_{agent_name}").experiments[name]
    return None


def look_up(suite_name: str) -> Suite:
    """The suite of a name.

    Raises:
        OverrideError: there is none.
    """
    if suite_name not in SUITES:
        others = f"one of {', '.join(SUITES)}"
        hint = flags.did_you_mean(suite_name, SUITES, others)
        raise OverrideError(f"unknown suite {suite_name!r}{hint}")
    return SUITES[suite_name]


def fits(recipe: Recipe, suite: Suite) -> bool:
    """Whether an agent can be trained on all tasks of a suite without more flags."""
    tasks = suite.tasks.values()
    return all(
        task.actions == recipe.actions and (task.dataset or recipe.dataset is None)
        for task in tasks
    )


def _agents() -> dict[str, Recipe]:
    users = {name: one.recipe for name, one in user_agents.known().items()}
    return {**agents.REGISTRY, **users}
