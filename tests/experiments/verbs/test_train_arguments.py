"""Plans that command lines of `train` describe."""

import pytest

from experiments.flags import OverrideError
from experiments.names import FIGURES
from experiments.verbs import train_arguments

NAME = "leverage/cartpole"


def test_a_figure_plans_every_variant_seed_by_seed():
    plan = train_arguments.plan([NAME, "--seeds", "2", "--steps", "700"])
    names = list(FIGURES[NAME].experiments)
    order = [(each.name, each.seed) for each in plan.experiments]
    assert order == [(name, seed) for seed in (0, 1) for name in names]
    assert {each.steps for each in plan.experiments} == {700}
    assert plan.continued


def test_a_figure_has_the_papers_number_of_seeds():
    plan = train_arguments.plan([NAME])
    assert {each.seed for each in plan.experiments} == set(range(10))
    one = train_arguments.plan([NAME, "--seed", "3"])
    assert {each.seed for each in one.experiments} == {3} and one.continued


def test_a_suite_plans_every_task_seed_by_seed_under_the_names_of_experiments():
    plan = train_arguments.plan("suite/minatar-5_mdqn --seeds 2 --steps 700".split())
    order = [(each.name, each.seed) for each in plan.experiments]
    games = ("asterix", "breakout", "freeway", "seaquest", "space-invaders")
    names = [f"mdqn/minatar-{game}" for game in games]
    assert order == [(name, seed) for seed in (0, 1) for name in names]
    assert {each.steps for each in plan.experiments} == {700} and plan.continued


@pytest.mark.parametrize(
    "line",
    [
        "suite/atari-26_dqn --environment.game pong",
        "suite/d4rl-locomotion_td3 --dataset x",
    ],
)
def test_what_makes_the_tasks_of_a_suite_differ_is_no_flag(line):
    with pytest.raises(OverrideError, match="unknown"):
        train_arguments.plan(line.split())


@pytest.mark.parametrize(
    "environment_id, name",
    [
        ("Pendulum-v1", "mdqn/pendulum-v1"),
        ("my_package:My/Env-v0", "mdqn/my_package-my-env-v0"),
        ("a.b:Inner.make", "mdqn/a.b-inner.make"),
        ("../..", "mdqn/gymnasium"),
        ("\u74b0\u5883:\u4e16\u754c", "mdqn/gymnasium"),
    ],
)
def test_a_run_is_named_after_the_environment(environment_id, name):
    flag = f"--environment.id={environment_id}"
    [experiment] = train_arguments.plan(["mdqn/gymnasium", flag]).experiments
    assert experiment.name == name and experiment.environment.id == environment_id


def test_keyword_arguments_of_an_environment_are_read():
    line = "mdqn/gymnasium --environment.id=a:b --environment.kwargs.size=7"
    line += " --environment.kwargs.deep=(1,'x') --environment.kwargs.on true"
    [experiment] = train_arguments.plan(line.split()).experiments
    assert experiment.environment.kwargs == {"size": 7, "deep": (1, "x"), "on": True}


@pytest.mark.parametrize(
    "line, said",
    [
        (
            "mdqn/cartpole --environment.name FrozenLake-v1",
            "got 'FrozenLake-v1'; for any environment of Gymnasium or of yours use "
            "mdqn/gymnasium --environment.id FrozenLake-v1",
        ),
        (
            "mdqn/gymnasium",
            "mdqn/gymnasium needs an environment, such as --environment.id CartPole-v1",
        ),
        (
            "sac/gymnasium",
            "sac/gymnasium needs an environment, such as --environment.id Pendulum-v1",
        ),
    ],
)
def test_a_users_environment_has_one_place(line, said):
    with pytest.raises(OverrideError) as caught:
        train_arguments.plan(line.split())
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "line, continued",
    [
        ("mdqn/catch", False),
        ("mdqn/catch --seed 3", False),
        ("mdqn/catch --seeds 1", True),
        ("mdqn/catch --seeds 3", True),
    ],
)
def test_several_seeds_of_an_experiment_continue_its_runs(line, continued):
    """A scheduler that starts the same command again must not lose their steps."""
    assert train_arguments.plan(line.split()).continued is continued


@pytest.mark.parametrize(
    "line, kind, other",
    [
        (
            "dqn/minatar-breakout --evaluation.episodes 3",
            "are played in lock-step with training",
            "lockstep false",
        ),
        (
            "dqn/cartpole --evaluation.steps 500 --evaluation.episodes=3",
            "are phases of a number of steps",
            "steps 0",
        ),
    ],
)
def test_a_number_of_episodes_without_effect_is_refused(line, kind, other):
    with pytest.raises(OverrideError) as caught:
        train_arguments.plan(line.split())
    assert str(caught.value) == (
        f"--evaluation.episodes has no effect on {line.split()[0]}, whose evaluations "
        f"{kind}: remove it, or add --evaluation.{other}"
    )


@pytest.mark.parametrize("name", ["capacity", "min_size", "samples_per_insert"])
def test_settings_of_a_replay_are_refused_where_there_is_none(name):
    line = f"td3/hopper --agent.storage.{name} 70000"
    with pytest.raises(OverrideError) as caught:
        train_arguments.plan([*line.split(), "--dataset", "d.npz"])
    assert str(caught.value) == (
        f"--agent.storage.{name} has no effect on a run that learns from a dataset and "
        "has no replay: remove it"
    )
    [experiment] = train_arguments.plan(line.split()).experiments
    assert getattr(experiment.agent.storage, name) == 70_000


@pytest.mark.parametrize("launch", ["local", "processes"])
def test_a_run_on_a_dataset_is_not_told_of_more_actors(launch):
    """The preflight refuses them, whatever --launch is; see its tests."""
    line = f"td3_bc/hopper --dataset d.npz --actors 4 --launch {launch}"
    [experiment] = train_arguments.plan(line.split()).experiments
    assert experiment.actors == 4
