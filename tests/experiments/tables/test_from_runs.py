"""Tables of runs: provenance, also of resumed runs, and refused input."""

import csv
import json
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from experiments.reporting import page, read_runs
from experiments.tables import from_runs, redraw
from experiments.verbs import train_arguments
from launch.errors import RunDirectoryError
from launch.runs import logs, run_directory
from tests.experiments import run_directories
from tests.experiments.user_packages import write_module


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(elsewhere):
    return run_directories.write(elsewhere / "runs", evaluations={50: [1.0, 3.0]})


def change(run, **fields):
    path = run / "config.yaml"
    config = yaml.safe_load(path.read_text()) | fields
    kept = {name: value for name, value in config.items() if value is not None}
    path.write_text(yaml.safe_dump(kept))


def table():
    with open("table.csv", newline="") as file:
        return list(csv.DictReader(file))


STARTS = [
    {
        "command": f"munchausen train --resume here --steps {steps}",
        "code": code,
        "machine": "another computer",
        "started": "2025-01-03T03:04:05+00:00",
        "versions": {"jax": "0.6.3"},
    }
    for steps, code in ((200, "feed"), (300, "beef"))
]


def test_a_resumed_run_lists_each_command_with_its_code(run):
    change(run, resumed=STARTS)
    assert from_runs.main(["runs", "table.csv"]) == 0
    [row] = table()
    assert row["command"] == "munchausen train mdqn/catch --seed 0"
    assert row["code"] == "0123456789abcdef"
    assert row["resumed"] == (
        "munchausen train --resume here --steps 200 (feed); "
        "munchausen train --resume here --steps 300 (beef)"
    )


@pytest.mark.parametrize(
    "name, command",
    [
        ("mdqn/catch", "sweep mdqn/catch --agent.discount 0.5,0.9"),
        (
            "mdqn/alien-cpu",
            "sweep mdqn/alien-cpu --agent.discount 0.5,0.9",
        ),  # a suite's
        ("mdqn/catch", "train leverage/cartpole_grid --steps 1_300"),
        ("mdqn/catch", "sweep mdqn/catch --log_period 70 --agent.discount 0.5,0.9"),
        (
            "mdqn/gymnasium",  # its runs have the name of the environment
            "sweep mdqn/gymnasium --environment.id CartPole-v1 --agent.discount 0.5,1",
        ),
        ("slow/catch", "sweep slow/catch --plugin tables_agents --agent.discount 0.5"),
    ],
)
def test_a_run_of_a_sweep_has_the_command_that_trains_it_alone(
    elsewhere, name, command, monkeypatch
):
    monkeypatch.syspath_prepend(str(elsewhere))
    write_module(
        elsewhere,
        "tables_agents",
        "from agents import Recipe\nREGISTRY = {'slow': Recipe('agents.mdqn')}\n",
    )
    line = [name, "--seed=7", "--agent.discount=0.5", "--steps=1_300"]
    for flag in ("--log_period", "--plugin", "--environment.id"):
        if flag in command:
            line += [flag, command.split(f"{flag} ")[1].split()[0]]
    [experiment] = train_arguments.plan(line).experiments
    run = run_directory.create("runs", experiment)
    change(run, command=f"munchausen {command}")
    log = logs.EvaluationLog(run)
    log.write(1_300, logs.Counts(1_300), [1.0], [9])
    log.close()
    assert from_runs.main(["runs", "table.csv"]) == 0
    [row] = table()
    _, _, arguments = row["command"].partition("munchausen train ")
    assert train_arguments.plan(shlex.split(arguments)).experiments == [experiment]
    label = redraw.line(experiment.name, row["command"]).label
    assert label == f"{experiment.agent_name}, discount 0.5"


def test_a_run_of_a_sweep_whose_experiment_is_gone_is_named(run, capsys):
    change(run, command="munchausen sweep mdqn/catch --agent.discount 0.5,0.9")
    assert from_runs.main(["runs", "table.csv"]) == 2
    assert str(run.name) in capsys.readouterr().err


def test_a_report_of_a_resumed_run_lists_each_command_and_version(run):
    change(run, resumed=STARTS)
    context = page._context(read_runs.read(["runs"]), None)
    assert [command for _, command in context["commands"]] == [
        "munchausen train mdqn/catch --seed 0",
        "munchausen train --resume here --steps 200",
        "munchausen train --resume here --steps 300",
    ]
    versions = dict(context["versions"])
    assert versions["code"] == ["0123456789ab", "feed", "beef"]
    assert versions["jax"] == ["0.6.2", "0.6.3"]


@pytest.mark.parametrize("resumed", ["often", ["once"], [{"versions": "new"}]])
def test_a_report_refuses_a_malformed_list_of_resumptions(run, resumed):
    change(run, resumed=resumed)
    with pytest.raises(RunDirectoryError, match=r"config\.yaml: "):
        read_runs.read(["runs"])


def test_a_run_that_was_never_resumed_lists_no_resumption(run):
    from_runs.main(["runs", "table.csv"])
    assert [row["resumed"] for row in table()] == [""]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["run", "table.csv"], "run does not exist"),
        (["runs", "run", "table.csv"], "run does not exist"),
        (["empty", "table.csv"], "empty is not a run directory or a folder of run"),
        (["runs", "nowhere/table.csv"], "cannot write nowhere/table.csv"),
    ],
)
def test_a_mistake_is_one_line_and_keeps_the_table(run, arguments, message, capsys):
    Path("empty").mkdir()
    from_runs.main(["runs", "table.csv"])
    before = table()
    capsys.readouterr()
    assert from_runs.main(arguments) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1
    assert before and table() == before


def test_copies_and_bad_rows_cost_only_themselves_and_are_named(run, capsys):
    shutil.copytree(run, "runs/best")
    other = run_directories.write(
        Path("runs"), seed=1, evaluations={50: [7.0], 100: [float("nan")]}
    )
    broken = run_directories.write(Path("runs"), seed=2, evaluations={50: [1.0]})
    (broken / "config.yaml").write_text("{")
    bare = run_directories.write(Path("runs"), seed=3, evaluations={100: [1.0]})
    change(bare, code=None)
    run_directories.write(Path("runs/best"), "pretraining", evaluations={50: [9.0]})
    assert from_runs.main(["runs", "table.csv"]) == 0
    assert [(row["seed"], row["grid"]) for row in table()] == [("0", "50"), ("1", "50")]
    out, err = capsys.readouterr()
    assert out == "2 rows: table.csv\n"
    lines = err.splitlines()
    assert lines[0].startswith(f"results: cannot read {broken}/config.yaml")
    assert lines[1:] == [
        f"results: {run.relative_to(Path.cwd())} has the same experiment, seed and "
        "start as runs/best",
        f"results: {bare}/config.yaml has no code",
        "results: runs/best ended early: evaluated to 50 of 100 steps",
        f"results: {other}: left out 1 point of evaluations.csv (not finite in line 3)",
    ]


@pytest.mark.parametrize("name", ["code", "machine"])
def test_a_run_without_provenance_is_refused(run, name, capsys):
    change(run, **{name: None})
    assert from_runs.main(["runs", "table.csv"]) == 2
    assert f"has no {name}" in capsys.readouterr().err


def test_computations_of_different_columns_are_not_mixed(elsewhere, capsys):
    for name, column in (("first", "error"), ("second", "gap")):
        path = run_directories.write(elsewhere / "computed", name)
        config = yaml.safe_load((path / "config.yaml").read_text())
        config["experiment"] = {"kind": "Computed", "name": name, "seed": 0}
        text = yaml.safe_dump({"experiment": config.pop("experiment")})
        (path / "config.yaml").write_text(text + yaml.safe_dump(config))
        (path / "rows.csv").write_text(f"scheme,{column}\nVI,1\n")
    assert from_runs.main(["computed", "table.csv"]) == 2
    assert "different columns" in capsys.readouterr().err
    assert from_runs.main(["computed/first", "table.csv"]) == 0
    assert [row["error"] for row in table()] == ["1"]


def test_a_computation_that_cannot_be_read_is_named(elsewhere, run, capsys):
    paths = [run_directories.write(elsewhere / "computed", name) for name in "ab"]
    for path in paths:
        text = "experiment:\n  kind: Computed\n  name: toy\n  seed: 0\n"
        text += "command: c\ncode: d\nmachine: e\nstarted: f\n"
        (path / "config.yaml").write_text(text)
    (paths[1] / "rows.csv").write_text("scheme,error\nVI,1\n")
    assert from_runs.main(["computed", "table.csv"]) == 0
    assert [row["error"] for row in table()] == ["1"]
    missing = f"computed/a/{paths[0].name}/rows.csv"
    error = f"results: cannot read {missing}: No such file or directory\n"
    assert capsys.readouterr().err == error
    assert from_runs.main(["computed", "runs", "table.csv"]) == 0
    assert "left out 2 computed figures\n" in capsys.readouterr().err
    (paths[1] / "rows.csv").unlink()
    assert from_runs.main(["computed", "table.csv"]) == 2
    assert "no run can be shown" in capsys.readouterr().err


def test_measures_of_the_agent_have_a_column_each(elsewhere):
    rows = [
        run_directories.metrics_row(50, "evaluator", 1.0, 5, forward_kl=0.25),
        run_directories.metrics_row(50, "evaluator", 1.0, 5, waiting_share=0.5),
        run_directories.metrics_row(50, "learner", 1.0, 5, policy_loss=9.0),
        run_directories.metrics_row(100, "evaluator", 2.0, 10, forward_kl=0.125),
    ]
    points = {50: [1.0, 3.0], 100: [2.0, 2.0]}
    run_directories.write(elsewhere / "measured", "gkd/facts", 0, points, rows)
    run_directories.write(elsewhere / "measured", evaluations={50: [1.0, 3.0]})
    assert from_runs.main(["measured", "table.csv"]) == 0
    found = [(row["experiment"], row["grid"], row["forward_kl"]) for row in table()]
    assert sorted(found) == [
        ("gkd/facts", "100", "0.125"),
        ("gkd/facts", "50", "0.25"),
        ("mdqn/catch", "50", ""),
    ]
    assert "waiting_share" not in table()[0] and "policy_loss" not in table()[0]


def test_returns_of_very_many_episodes_are_left_to_their_mean(elsewhere):
    points = {50: [0.5] * 200, 100: [0.5] * 201}
    run_directories.write(elsewhere / "many", evaluations=points)
    assert from_runs.main(["many", "table.csv"]) == 0
    few, many = sorted(table(), key=lambda row: int(row["grid"]))
    assert few["returns"] == " ".join(["0.5"] * 200) and many["returns"] == ""
    assert few["mean_return"] == many["mean_return"] == "0.5"


def test_text_metrics_are_those_of_the_last_evaluation(elsewhere, capsys):
    points = {50: [0.0, 0.0], 100: [1.0, 1.0]}
    one = run_directories.write(
        elsewhere / "texts", "gkd/facts", 0, points, environment={"kind": "Facts"}
    )
    run_directories.write(elsewhere / "texts", "gkd/facts", 1, points)  # no samples
    pairs = {50: ("z", "z"), 100: ("a b c d", "e f g h i j")}
    samples = [
        {"grid": grid, "prompt": "p", "completion": text, "reward": 1.0}
        | {"reference": "a b c d"}
        for grid, texts in pairs.items()
        for text in texts
    ]
    lines = "".join(json.dumps(sample) + "\n" for sample in samples)
    (one / "samples.jsonl").write_text(lines)
    assert from_runs.main(["--texts", "texts", "table.csv"]) == 0
    found = {(row["seed"], row["grid"]): row for row in table()}
    last = found.pop(("0", "100"))
    assert (float(last["ROUGE-1"]), float(last["Self-BLEU"])) == pytest.approx((50, 0))
    assert float(last["length"]) == 5
    assert float(last["ungrammatical"]) == 100 and float(last["entailed"]) == 0
    assert {row["Self-BLEU"] for row in found.values()} == {""}
    assert from_runs.main(["texts", "table.csv"]) == 0
    assert "Self-BLEU" not in table()[0]
    assert from_runs.main(["--texts", "table.csv"]) == 2
    assert "usage:" in capsys.readouterr().err
