"""Labels of a suite's agents: one on all tasks, and what makes two of one agent."""

import pytest

from experiments.catalogue.suites import SUITES
from experiments.reporting import formats, read_runs, suite_labels
from experiments.reporting.read_runs import Group
from tests.experiments.run_directories import write


def groups(root):
    """All groups of runs below a folder."""
    read = read_runs.read([str(root)]).groups
    return [group for members in read.values() for group in members]


def labels_of(root, tasks=("asterix", "breakout", "freeway")):
    """The labels of each task's groups, sorted."""
    own = groups(root)
    found = {
        task: [g for g in own if g.runs[0].experiment["environment"]["game"] == task]
        for task in tasks
    }
    labels = suite_labels.labels(found)
    return {
        task: sorted(labels[id(group)] for group in of_task)
        for task, of_task in found.items()
    }


def run(root, name, task, steps=100, **agent):
    write(
        root / f"{steps} {agent}",
        f"{name}/{task}",
        0,
        {100: [1.0]},
        environment={"kind": "MinAtar", "game": task},
        steps=steps,
        **agent,
    )


def test_agents_with_one_setting_on_each_task_have_their_names(tmp_path):
    run(tmp_path, "dqn", "asterix", steps=100)
    run(tmp_path, "dqn", "breakout", steps=300)
    run(tmp_path, "mdqn", "asterix", temperature=0.1)
    assert labels_of(tmp_path, ("asterix", "breakout")) == {
        "asterix": ["dqn", "mdqn"],
        "breakout": ["dqn"],
    }


def test_a_setting_of_the_agent_that_differs_between_tasks_tells(tmp_path):
    run(tmp_path, "mdqn", "asterix", temperature=0.1)
    run(tmp_path, "mdqn", "breakout", temperature=0.3)
    run(tmp_path, "mdqn", "freeway", temperature=0.1)
    run(tmp_path, "dqn", "freeway")
    assert labels_of(tmp_path) == {
        "asterix": ["mdqn, temperature 0.1"],
        "breakout": ["mdqn, temperature 0.3"],
        "freeway": ["dqn", "mdqn, temperature 0.1"],
    }


def test_few_of_many_settings_tell(tmp_path):
    """Two sets of settings that differ in three fields, as for a CPU and a GPU."""
    small = {"width": 7, "rate": 0.5, "capacity": 11}
    large = {"width": 13, "rate": 0.25, "capacity": 17}
    run(tmp_path, "dqn", "asterix", steps=100, **small)
    run(tmp_path, "dqn", "asterix", steps=300, **large)
    run(tmp_path, "dqn", "breakout", steps=300, **large)
    found = labels_of(tmp_path, ("asterix", "breakout"))
    assert found == {
        "asterix": ["dqn, width 13", "dqn, width 7"],
        "breakout": ["dqn, width 13"],
    }


def test_other_settings_tell_only_where_a_task_has_several_groups(tmp_path):
    run(tmp_path, "dqn", "asterix", steps=100)
    run(tmp_path, "dqn", "asterix", steps=300)
    run(tmp_path, "dqn", "breakout", steps=300)
    run(tmp_path, "mdqn", "breakout", steps=100)
    assert labels_of(tmp_path, ("asterix", "breakout")) == {
        "asterix": ["dqn, steps 100", "dqn, steps 300"],
        "breakout": ["dqn, steps 300", "mdqn"],
    }


def test_a_field_that_an_earlier_version_lacked_tells_only_on_the_same_task(tmp_path):
    run(tmp_path / "old", "dqn", "asterix")
    run(tmp_path / "new", "dqn", "breakout", padding=3)
    assert labels_of(tmp_path, ("asterix", "breakout")) == {
        "asterix": ["dqn"],
        "breakout": ["dqn"],
    }
    run(tmp_path / "new", "dqn", "asterix", padding=3)
    assert labels_of(tmp_path, ("asterix", "breakout"))["asterix"] == [
        "dqn, padding 3",
        f"dqn, padding {formats.NONE}",
    ]


def test_two_names_with_the_same_settings_are_told_by_the_names(tmp_path):
    run(tmp_path / "a", "dqn", "asterix")
    [one] = groups(tmp_path / "a")
    config = one.runs[0].config
    renamed = {**config, "experiment": {**config["experiment"], "name": "paper/dqn"}}
    other = Group("", [one.runs[0]._replace(config=renamed)])
    found = suite_labels.labels({"asterix": [one, other]})
    assert list(found.values()) == ["dqn, name dqn/asterix", "dqn, name paper/dqn"]


@pytest.mark.parametrize("name", SUITES)
def test_the_tasks_of_a_suite_give_agents_the_same_settings(name):
    """Labels rest on this: a setting that differs between tasks was chosen."""
    tasks = list(SUITES[name].tasks.values())
    given = [
        (task.settings, task.settings_by_actions, task.loss, task.fractions)
        for task in tasks
    ]
    assert all(each == given[0] for each in given)
