"""Labels of agents: the settings in which they differ."""

from experiments.reporting import read_runs, setting_differences
from tests.experiments.run_directories import write

POINTS = {50: [0.0, 2.0], 100: [10.0, 12.0]}


def groups_of(*paths):
    """Label and runs of the only environment."""
    (groups,) = read_runs.read([str(path) for path in paths]).groups.values()
    return {group.label: group.runs for group in groups}


def test_runs_that_differ_in_a_setting_are_never_one_agent(tmp_path):
    for seed in (0, 1):
        write(tmp_path / "a", seed=seed, evaluations=POINTS, loss="huber")
        write(tmp_path / "b", seed=seed, evaluations=POINTS, loss="squared")
    found = groups_of(tmp_path / "a", tmp_path / "b")
    assert {label: len(runs) for label, runs in found.items()} == {
        "mdqn, loss huber": 2,
        "mdqn, loss squared": 2,
    }


def test_labels_are_as_short_as_they_can_be(tmp_path):
    write(tmp_path, "dqn/catch", evaluations=POINTS)
    write(tmp_path, "mdqn/catch", evaluations=POINTS)
    assert list(groups_of(tmp_path)) == ["dqn", "mdqn"]
    write(tmp_path, "mdqn/catch-fast", evaluations=POINTS)
    assert list(groups_of(tmp_path)) == ["dqn/catch", "mdqn/catch", "mdqn/catch-fast"]


def test_labels_have_the_fewest_fields_that_tell_runs_apart():
    flat = [
        {"a.hidden": "64", "a.period": "1", "b.period": "7", "steps": "50"},
        {"a.hidden": "64", "a.period": "1", "b.period": "7", "steps": "1000"},
        {"a.hidden": "8", "a.period": "2", "b.period": "9", "steps": "50"},
    ]
    telling = setting_differences.telling
    assert telling(flat) == ["a.hidden", "steps"]
    # Of fields that tell as much, the one of a command.
    assert telling(flat[1:]) == ["a.hidden"]
    assert telling(flat[1:], "train x --b.period 9") == ["b.period"]
    assert telling(flat, most=1) == ["a.hidden"]
    # A setting of the agent tells more than another, also if commands name the other.
    flat = [
        {"evaluation.period": str(period), "agent.rate": str(period)}
        for period in (5, 7)
    ]
    for command in ("", "train x --evaluation.period 5 --agent.rate 7"):
        assert telling(flat, command) == ["agent.rate"]


def test_a_field_is_shown_by_the_end_of_its_path_that_no_other_has():
    flat = [{"a.hidden": "8", "a.period": "2", "b.period": "9", "steps": "50"}]
    names = [setting_differences.short(path, flat[0]) for path in flat[0]]
    assert names == ["hidden", "a.period", "b.period", "steps"]


def test_a_label_names_the_setting_that_differs_from_a_similar_run(tmp_path):
    settings = {"loss": "huber", "discount": 0.9, "munchausen": 0.5, "temperature": 0.1}
    write(tmp_path / "a", evaluations=POINTS)
    write(tmp_path / "b", evaluations=POINTS, **settings)
    write(tmp_path / "c", evaluations=POINTS, **settings, log_policy_floor=-7.0)
    labels = list(groups_of(tmp_path / "a", tmp_path / "b", tmp_path / "c"))
    assert len(set(labels)) == 3 and not any("#" in label for label in labels)
    assert labels[2].endswith("log_policy_floor -7.0")


def test_flags_of_reading_a_dataset_count_only_if_they_are_set():
    old = {"steps": 7, "dataset": "a-v0"}
    new = old | {"dataset_reading": {"kind": "DatasetReading", "clip_actions": False}}
    set_ = old | {"dataset_reading": {"kind": "DatasetReading", "clip_actions": True}}
    assert setting_differences.flat(new) == setting_differences.flat(old)
    assert setting_differences.flat(set_) == {
        "steps": "7",
        "dataset": "a-v0",
        "dataset.clip_actions": "true",
    }
    assert setting_differences.flat(set_ | {"dataset": ""}) == {"steps": "7"}
