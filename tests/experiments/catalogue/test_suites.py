"""Suites: which games they have, and which agents are trained on them."""

import csv

import pytest

from environments.atari_games import games
from experiments.catalogue import suites
from experiments.catalogue.suites import SUITES
from experiments.catalogue.tasks import TASKS, Task
from experiments.flags import OverrideError
from experiments.reporting import scales


def test_the_atari_suites_are_the_games_with_reference_scores():
    with (scales.NORMALISATION / "atari.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    human = [row["task"] for row in rows if row["human"]]
    assert list(SUITES["atari-57"].tasks) == human
    assert list(SUITES["atari-60"].tasks) == [row["task"] for row in rows if row["dqn"]]
    assert set(SUITES["atari-26"].tasks) < set(human)
    assert set(SUITES["atari-60"].tasks) | set(human) <= set(games())


def test_sizes_and_tasks():
    sizes = [len(suite.tasks) for suite in SUITES.values()]
    assert sizes == [57, 60, 26, 26, 5, 5, 28, 15, 8, 4]
    assert SUITES["atari-57"].tasks["breakout"] is TASKS["breakout"]
    control = SUITES["control-suite"].tasks
    assert [task.environment.settings["name"] for task in control.values()] == [
        *control
    ]
    small = SUITES["atari-26-cpu"].tasks["alien-cpu"]
    assert small.environment.settings == {"game": "alien"}
    assert small.settings == TASKS["pong-cpu"].settings


def test_a_name_is_one_task_wherever_it_is_found():
    """Else a suite's run and the single run of the same name have other settings."""
    places = [TASKS, *(suite.tasks for suite in SUITES.values())]
    found: dict[str, list[Task]] = {}
    for tasks in places:
        for name, task in tasks.items():
            found.setdefault(name, []).append(task._replace(description=""))
    differing = {
        name for name, same in found.items() if same.count(same[0]) < len(same)
    }
    assert not differing


def test_a_suite_of_an_agent_is_the_single_experiments():
    found = suites.find("suite/minatar-5_dvw_dqn")
    assert next(iter(found.variants)) == "dvw_dqn/minatar-asterix"
    assert (len(found.variants), found.seeds, found.steps) == (5, 5, 10_000_000)
    from experiments.names import EXPERIMENTS

    for name, experiment in found.experiments.items():
        assert experiment == EXPERIMENTS[name]


def test_names_of_games_are_those_that_the_flag_of_the_game_gives():
    from experiments.verbs import train_arguments

    line = ["mdqn/atari", "--environment.game", "space_invaders"]
    [single] = train_arguments.plan(line).experiments
    found = suites.find("suite/atari-60_mdqn").experiments["mdqn/space_invaders"]
    assert single.name == found.name and single.environment == found.environment


@pytest.mark.parametrize(
    "name, settings",
    [
        ("sac/finger-spin", {"name": "finger-spin"}),
        ("mdqn/alien", {"game": "alien"}),
        ("mdqn/alien-cpu", {"game": "alien"}),
    ],
)
def test_one_task_of_a_suite_is_an_experiment_by_its_name(name, settings):
    from experiments.verbs import train_arguments

    [single] = train_arguments.plan([name, "--seed", "3"]).experiments
    assert (single.name, single.seed) == (name, 3)
    for field, value in settings.items():
        assert getattr(single.environment, field) == value


def test_the_experiment_of_a_task_is_the_one_of_its_suite():
    found = suites.find("suite/atari-26-cpu_iqn").experiments["iqn/alien-cpu"]
    assert suites.experiment("iqn/alien-cpu") == found
    assert suites.experiment("sac/alien-cpu") is None
    assert suites.experiment("nobody/alien-cpu") is None
    assert suites.experiment("iqn/nothing") is None


@pytest.mark.parametrize(
    "name, said",
    [
        ("suite/minatar5_dqn", "unknown suite 'minatar5'; did you mean 'minatar-5'?"),
        ("suite/minatar-5_mdnq", "got 'mdnq'; did you mean 'mdqn'?"),
        ("suite/minatar-5", "needs an agent, got ''; one of dqn, "),
        (
            "suite/minatar-5_sac",
            "sac does not fit the tasks of suite minatar-5; agents",
        ),
        ("suite/locomotion_bc", "agents for it: "),  # its tasks have no datasets
    ],
)
def test_unknown_suites_and_agents_that_do_not_fit(name, said):
    with pytest.raises(OverrideError) as caught:
        suites.find(name)
    assert said in str(caught.value)


def test_agents_that_learn_from_datasets_have_the_suite_with_datasets():
    datasets = {
        each.task.dataset
        for each in suites.find("suite/d4rl-locomotion_td3_bc").variants.values()
    }
    assert len(datasets) == 15 and "munchausen/walker2d/expert-v0" in datasets
    hand = [
        each.task.dataset
        for each in suites.find("suite/d4rl-adroit_bc").variants.values()
    ]
    assert len(hand) == 8 and hand[:2] == ["D4RL/pen/human-v2", "D4RL/door/human-v2"]
    assert hand[-1] == "D4RL/relocate/cloned-v2"
