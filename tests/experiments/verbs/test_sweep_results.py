"""The results of cells: which is the best, what the table and the file show."""

import csv
import math
from pathlib import Path

import pytest
from PIL import Image

from experiments.verbs import sweep_arguments, sweep_results
from experiments.verbs.sweep_results import Result
from experiments.verbs.sweep_values import Range
from launch.runs import logs, run_directory
from launch.runs.existing_runs import Entry

LINE = "mdqn/catch --agent.temperature 0.5,0.25,0.125 --steps 300"


def cells(seeds):
    return sweep_arguments.read([*LINE.split(), "--seeds", str(seeds)]).cells()


def results(*returns):
    """Results of cells with these returns, None for a run that is missing."""
    made = []
    for cell, values in zip(cells(len(returns[0])), returns, strict=True):
        entries = [
            Entry(experiment, state="missing" if value is None else "complete")
            for experiment, value in zip(cell.experiments, values, strict=True)
        ]
        made.append(Result(cell, entries, values))
    return made


@pytest.mark.parametrize(
    "returns, best",
    [
        ([(1.0, 4.0), (2.0, 3.0), (-7.0, 11.0)], [0, 1]),
        ([(1.0, 4.0), (9.0, None), (None, None)], [0]),
        ([(math.nan, 4.0), (-2.0, -3.0), (-2.0, -4.0)], [1]),
        ([(1.0, None), (9.0, None), (None, None)], []),
    ],
)
def test_the_best_cells_have_all_seeds_and_the_highest_mean(returns, best):
    found = results(*returns)
    assert sweep_results.best(found) == [found[rank] for rank in best]


def test_the_table_has_means_over_complete_seeds_and_names_the_others():
    found = results((1.0, 4.0), (9.0, None), (None, None))
    found[1].entries[1] = Entry(
        found[1].cell.experiments[1], Path("runs/a"), "cut short"
    )
    assert sweep_results.table(found).splitlines() == [
        "temperature  return  lowest  highest  seeds",
        "0.5          2.5     1       4        2 of 2  best",
        "0.25         9       9       9        1 of 2",
        "0.125        none    none    none     0 of 2",
        "return: mean return of the last evaluation, averaged over complete seeds",
        "without a return: temperature 0.25, seed 1: cut short, runs/a",
        "without a return: temperature 0.125, seed 0: missing",
        "without a return: temperature 0.125, seed 1: missing",
    ]


@pytest.mark.parametrize(
    "found, logarithmic",
    [
        (Range(0.001, 1.0, log=True), True),
        (Range(0.001, 1.0, log=False), False),
        ((0.001, 0.01, 0.1), True),
        ((1, 7), False),
        ((0.0, 1.0, 100.0), False),
        ((None, 100.0), False),
        (("huber", "squared"), False),
    ],
)
def test_values_of_different_magnitude_have_a_logarithmic_axis(found, logarithmic):
    assert sweep_results._is_logarithmic(found) is logarithmic


def test_a_search_is_drawn_with_a_panel_for_each_field(tmp_path):
    line = f"{LINE} --agent.munchausen 0:1 --optuna 2"
    sweep = sweep_arguments.read(line.split())
    found = [
        Result(
            sweep.cell({"agent.temperature": value, "agent.munchausen": value}),
            [],
            (value,),
        )
        for value in (0.5, 0.25)
    ]
    path = tmp_path / "a.png"
    sweep_results.write_picture(path, sweep, found)
    with Image.open(path) as image:
        assert image.format == "PNG" and image.width > 2 * image.height


def test_training_returns_are_averaged_over_steps_by_hand(tmp_path):
    """Ten episodes of 1 in 100 steps, then one of 30 in the next 300."""
    [cell, *_] = cells(1)
    directory = run_directory.create(tmp_path, cell.experiments[0])
    log = logs.EvaluationLog(directory)
    log.write(300, logs.Counts(300), [1000.0], [7])
    log.close()
    measure = sweep_results.MEASURES["training"]
    [read] = sweep_results.collect([cell], str(tmp_path), measure)
    assert read.returns == [None]  # the log has no training episode
    log = logs.MetricsLog(directory)
    for steps, episodes, value in ((100, 10, 1.0), (400, 11, 30.0)):
        counts = logs.Counts(steps, 4 * steps, steps // 4, episodes)
        log.write(counts, "actor", {"episode_return": value})
    log.close()
    [read] = sweep_results.collect([cell], str(tmp_path), measure)
    assert read.returns == [pytest.approx((100 * 1 + 300 * 30) / 400)]
    lines = sweep_results.table([read]).splitlines()
    assert lines[1].split()[:2] == ["0.5", "22.75"]
    assert lines[2] == (
        "return: mean training return over all steps, averaged over complete seeds"
    )


def test_only_complete_runs_count_and_their_last_evaluation(tmp_path):
    whole, short, _ = found = cells(1)
    for cell, grids in ((whole, (150, 300)), (short, (150,))):
        log = logs.EvaluationLog(run_directory.create(tmp_path, cell.experiments[0]))
        for grid in grids:
            log.write(grid, logs.Counts(grid), [grid / 10, grid / 30], [7, 5])
        log.close()
    read = sweep_results.collect(found, str(tmp_path))
    assert [result.returns for result in read] == [[20.0], [None], [None]]
    states = [result.entries[0].state for result in read]
    assert states == ["complete", "cut short", "missing"]
    path = tmp_path / "table.csv"
    sweep_results.write_csv(path, read)
    with path.open(newline="") as file:
        _, *written = csv.reader(file)
    assert [row[:4] for row in written] == [
        ["0.5", "0", "complete", "20"],
        ["0.25", "0", "cut short", ""],
        ["0.125", "0", "missing", ""],
    ]
