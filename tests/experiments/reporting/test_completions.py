"""Completions that a report shows: the first ones, of one seed of each agent."""

from types import SimpleNamespace

from experiments.reporting import completions
from experiments.reporting.read_runs import Group
from launch.runs.logs import Sample


def run(seed, texts):
    samples = [Sample(f"ask {text}", text, 0.5, "right") for text in texts]
    return SimpleNamespace(experiment={"seed": seed}, samples=samples)


def test_the_first_run_of_each_agent_that_has_samples_is_shown():
    groups = [
        Group("dqn", [run(0, [])]),
        Group("sft", [run(3, []), run(5, ["one", "two"]), run(6, ["three"])]),
        Group("gkd", [run(7, ["four\nfive"])]),
    ]
    first, second = completions.shown(groups)
    assert (first.label, first.seed) == ("sft", 5)
    assert first.rows == [
        ("ask one", "one", "right", "0.500"),
        ("ask two", "two", "right", "0.500"),
    ]
    assert (second.label, second.seed) == ("gkd", 7)
    assert second.rows == [("ask four\\nfive", "four\\nfive", "right", "0.500")]


def test_at_most_so_many_are_shown():
    texts = [str(number) for number in range(completions.MOST + 3)]
    [shown] = completions.shown([Group("sft", [run(0, texts)])])
    assert [row[1] for row in shown.rows] == texts[: completions.MOST]


def test_agents_without_samples_have_no_completions():
    assert completions.shown([Group("dqn", [run(0, [])])]) == []
