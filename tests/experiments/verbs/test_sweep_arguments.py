"""The cells that command lines of `sweep` describe, and the mistakes in them."""

import pytest

from experiments import cli
from experiments.verbs import sweep_arguments

NAME = "mdqn/catch"


def cells(line):
    return sweep_arguments.read(line.split()).cells()


def test_a_cell_is_what_train_runs_with_its_values():
    found = cells(
        f"{NAME} --agent.temperature 0.01,0.03 --agent.munchausen=0:1:0.5 --steps 700 "
        "--agent.network.hidden 13,11 --seeds 2"
    )
    assert [cell.label for cell in found] == [
        f"temperature {temperature}, munchausen {munchausen}"
        for temperature in ("0.01", "0.03")
        for munchausen in ("0", "0.5", "1")
    ]
    agents = [cell.experiments[0].agent for cell in found]
    assert [(each.temperature, each.munchausen) for each in agents] == [
        (temperature, munchausen)
        for temperature in (0.01, 0.03)
        for munchausen in (0.0, 0.5, 1.0)
    ]
    for cell in found:
        assert [each.seed for each in cell.experiments] == [0, 1]
        assert {each.steps for each in cell.experiments} == {700}
        assert {each.agent.network.hidden for each in cell.experiments} == {(13, 11)}


def test_lists_texts_choices_and_names_of_games_can_be_swept():
    found = cells(f"{NAME} --agent.network.hidden 7;13,11 --agent.loss huber,squared")
    assert [
        (cell.experiments[0].agent.network.hidden, cell.experiments[0].agent.loss)
        for cell in found
    ] == [
        ((7,), "huber"),
        ((7,), "squared"),
        ((13, 11), "huber"),
        ((13, 11), "squared"),
    ]
    games = cells("mdqn/atari --environment.game breakout,seaquest")
    assert [cell.experiments[0].name for cell in games] == [
        "mdqn/breakout",
        "mdqn/seaquest",
    ]
    variants = cells("leverage/cartpole_dqn --agent.discount 0.9,0.99")
    assert {cell.experiments[0].name for cell in variants} == {"leverage/cartpole_dqn"}


def test_fields_with_the_same_last_name_have_their_whole_names():
    paths = ["agent.network.seed", "agent.discount", "agent.storage.seed"]
    assert sweep_arguments.short_names(paths) == [
        "agent.network.seed",
        "discount",
        "agent.storage.seed",
    ]


HUNDREDS = "--agent.temperature 0:1:0.01 --agent.munchausen 0:1:0.1"


@pytest.mark.parametrize(
    "line, message",
    [
        ("", "name an experiment first, such as mdqn/cartpole"),
        (NAME, "no field has several values to sweep: give one, such as"),
        (f"{NAME} --agent.discount 0.9", "no field has several values to sweep"),
        (
            f"{NAME} --agent.network.hidden 16,32",
            "--agent.network.hidden 16,32 is one value, since the field is a list; "
            "semicolons separate lists: --agent.network.hidden '16;32'",
        ),
        (f"{NAME} --agent.tmperature 1,2", "unknown field --agent.tmperature; did you"),
        (
            f"{NAME} --agent.temperature 1,x",
            "--agent.temperature must be a number, got",
        ),
        (f"{NAME} --agent.temperature 1,1", "must list each value once, got 1.0 twice"),
        (f"{NAME} --agent.temperature 1:2", "--agent.temperature must have a step"),
        (
            f"{NAME} --agent.temperature 1 --agent.temperature 1,2",
            "--agent.temperature is given twice",
        ),
        (
            f"{NAME} --agent.munchausen 0.5,2",
            "cell munchausen 2: --agent.munchausen must be between 0 and 1, got 2",
        ),
        (
            f"{NAME} --agent.munchausen 2,0.5",
            "cell munchausen 2: --agent.munchausen must be between 0 and 1, got 2",
        ),
        (
            f"{NAME} --agent.munchausen 0,1 --agent.discount 7",
            "munchausen: --agent.discount must be between 0 and 1, got 7",
        ),
        (f"{NAME} {HUNDREDS}", "a sweep must have at most 1,000 cells, got 1,111"),
        (f"{NAME} --seed 0,1", "--seed must have one value: --seeds N runs the seeds"),
        (
            f"{NAME} --log_period 1,2",
            "--log_period must have one value: it changes no result, so the cells",
        ),
        (f"{NAME} --checkpoint.keep 1:3:1", "--checkpoint.keep must have one value"),
        (f"{NAME} --steps 100,200", "--steps must have one value: a longer run has"),
        (
            "leverage/cartpole --agent.discount 0,1",
            "leverage/cartpole is a figure of 8",
        ),
        ("leverage/garnet --seed 1,2", "leverage/garnet is a computed figure"),
        (f"{NAME} --agent.discount 0,1 --optuna 0", "--optuna must be at least 1, got"),
        (f"{NAME} --agent.discount 0,1 --output a.txt", "--output must end in .csv"),
        (
            f"{NAME} --agent.discount 0,1 --resume x",
            "--resume must be one of auto",
        ),
        (f"{NAME} dqn/catch --agent.discount 0,1", "one experiment at a time"),
    ],
)
def test_a_mistake_is_one_line_before_anything_starts(
    line, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["sweep", *line.split()]) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
