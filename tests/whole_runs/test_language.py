"""A run of language from the command line: the verbs that read a finished run."""

import json

import pytest

from experiments import cli
from launch.policies.evaluate import evaluate_run
from tests.launch.language_runs import sums
from tests.launch.local_runs import run_new


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return run_new(tmp_path_factory.mktemp("runs"), sums())


def test_a_run_is_evaluated_on_held_out_prompts(trained, capsys):
    returns = evaluate_run(trained, episodes=9, seed=3).returns
    assert len(returns) == 9 and set(returns) <= {0.0, 1.0}
    assert cli.main(["evaluate", str(trained), "--episodes", "9", "--seed", "3"]) == 0
    assert f"mean return {sum(returns) / 9:.4g} " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["record"], "Arithmetic is a language task and has no pictures"),
        (["collect", "--quality", "expert"], "whose actions are tokens"),
    ],
)
def test_what_needs_pictures_or_a_box_is_refused_in_one_line(
    arguments, message, trained, capsys
):
    verb, *flags = arguments
    before = sorted(trained.rglob("*"))
    assert cli.main([verb, str(trained), *flags]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert sorted(trained.rglob("*")) == before


def test_a_report_shows_completions(trained, capsys):
    assert cli.main(["report", str(trained)]) == 0
    page = (trained / "report.html").read_text()
    first = json.loads((trained / "samples.jsonl").read_text().splitlines()[-7])
    assert "<h3>Completions</h3>" in page
    assert f"<td>{first['prompt']}</td>" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mdqn/arithmetic"], "mdqn takes actions that are discrete, but those of"),
        (["sft/catch"], "sft takes actions that are tokens, but those of catch"),
        (
            ["sft/arithmetic", "--environment.digits=1", "--environment.prompts=99"],
            "environment.prompts must be at most ",
        ),
        (
            ["sft/arithmetic", "--agent.network.vocabulary", "9"],
            "network.vocabulary must be 0 or the size of the task's vocabulary, 16",
        ),
    ],
)
def test_impossible_runs_are_one_line(arguments, message, tmp_path, capsys):
    command = ["train", *arguments, "--runs", str(tmp_path)]
    assert cli.main(command) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())
