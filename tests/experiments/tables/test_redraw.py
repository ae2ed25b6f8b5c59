"""Pictures drawn from committed tables, whose runs are gone."""

import csv
from pathlib import Path

import numpy as np
import pytest

from experiments.tables import redraw
from experiments.verbs import train_names

RESULTS = Path(redraw.__file__).parents[1] / "results"
HEAD = ("experiment", "seed", "grid", "mean_return", "command")
TRAIN = "munchausen train"


def _table(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEAD)
        writer.writerows(rows)
    return path


def _is_table(path):
    with path.open() as file:
        return set(HEAD) <= set(next(csv.reader(file)))


def test_a_line_is_the_mean_over_seeds_and_its_label_has_changed_settings(tmp_path):
    plain, changed = f"{TRAIN} td3/hopper --seeds 2", "--agent.discount=0.9 --steps 9"
    table = _table(
        tmp_path / "table.csv",
        [
            ("td3/hopper", 0, 10, 3.0, plain),
            ("td3/hopper", 0, 5, 1.0, plain),
            ("td3/hopper", 1, 10, 6.0, f"XLA_FLAGS='--a --b' {plain}"),
            ("td3/hopper", 0, 5, 7.0, f"{TRAIN} td3/hopper {changed}"),
            ("sac/hopper", 0, 5, 8.0, f"{TRAIN} sac/hopper --agent.discount 0.99"),
            ("bc/hopper-expert", 0, 5, 9.0, f"{TRAIN} bc/hopper-expert"),
        ],
    )
    online, offline = redraw.read([table]).panels.items()
    assert online[0][1] == "actor steps" and "Hopper-v5" in online[0][0]
    assert offline[0][1] == "learner steps" and "expert" in offline[0][0]
    assert list(online[1]) == ["td3", "td3, discount 0.9", "sac"]
    curve = online[1]["td3"]
    np.testing.assert_array_equal(curve.x, [10])  # seed 1 begins there
    np.testing.assert_array_equal(curve.mean, [4.5])
    np.testing.assert_array_equal(curve.low, [3])
    np.testing.assert_array_equal(curve.high, [6])
    [(x, y)] = curve.apart
    assert x.tolist() == [5, 10] and y.tolist() == [1, 3]
    assert list(offline[1]["bc"].mean) == [9]


@pytest.mark.parametrize(
    "path",
    [*filter(_is_table, sorted(RESULTS.glob("*.csv")))],
    ids=lambda path: path.stem,
)
def test_todays_program_accepts_every_committed_command(path):
    with path.open() as file:
        for row in csv.DictReader(file):
            agent = redraw.line(row["experiment"], row["command"]).label.split(",")[0]
            named = train_names.find_named([row["experiment"]])
            assert agent == named.agent_name


def test_runs_with_the_same_command_and_seed_are_not_mixed(tmp_path):
    row = ("td3/hopper", 0, 5, 1.0, f"{TRAIN} td3/hopper")
    with pytest.raises(ValueError, match="5 steps twice"):
        redraw.read([_table(tmp_path / "table.csv", [row, row])])


def test_mistakes_are_one_line(tmp_path, capsys):
    picture = tmp_path / "picture.png"
    unknown = [("td3/hopper", 0, 5, 1.0, f"{TRAIN} td3/hopper --agent.beta 3")]
    for name, rows, words in (
        ("unknown.csv", unknown, "agent.beta"),
        ("empty.csv", [], "must be a table of evaluations"),
        ("other.csv", [("a/b", 0, 5, 1.0, f"{TRAIN} td3/hopper")], "a/b"),
    ):
        table = _table(tmp_path / name, rows)
        assert redraw.main([str(table), str(picture)]) == 2
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1
    assert redraw.main([str(tmp_path / "none.csv"), str(picture)]) == 2
    assert redraw.main([str(picture)]) == 2 and redraw.main([]) == 2
    assert not picture.exists()
    table = str(RESULTS / "asterix.csv")
    capsys.readouterr()
    assert redraw.main([table, str(tmp_path / "nowhere" / "picture.png")]) == 2
    error = capsys.readouterr().err
    assert "there is no directory" in error and error.count("\n") == 1


def test_the_picture_is_written(tmp_path, capsys):
    picture = tmp_path / "picture.svg"
    assert redraw.main([str(RESULTS / "asterix.csv"), str(picture)]) == 0
    assert b"<svg" in picture.read_bytes() and str(picture) in capsys.readouterr().out


def test_seeds_of_unequal_length_and_lost_rows_are_named(tmp_path, capsys):
    command = f"{TRAIN} td3/hopper"
    table = _table(
        tmp_path / "table.csv",
        [
            ("td3/hopper", 0, 5, 1.0, command),
            ("td3/hopper", 0, 10, "nan", command),
            ("td3/hopper", 1, 5, 3.0, command),
            ("td3/hopper", 1, 10, 4.0, command),
            ("td3/hopper", 1, 15, "", command),
            ("td3/hopper",),
        ],
    )
    assert redraw.main([str(table), str(tmp_path / "picture.svg")]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"redraw: {table}: left out 3 rows without a finite return",
        "redraw: td3 on Locomotion Hopper-v5: seed 0 ends at 5 of 10 steps",
    ]


def test_a_table_without_a_finite_return_is_one_line(tmp_path, capsys):
    row = ("td3/hopper", 0, 5, "inf", f"{TRAIN} td3/hopper")
    table = _table(tmp_path / "table.csv", [row])
    assert redraw.main([str(table), str(tmp_path / "picture.svg")]) == 2
    error = capsys.readouterr().err
    assert error == f"redraw: {table}: left out 1 row without a finite return\n"


def test_the_table_of_a_computed_figure_becomes_its_picture(tmp_path, monkeypatch):
    table = RESULTS / "conservative_garnet.csv"
    made, rows = redraw.computed([table])
    assert made.name == "cpi/garnet"
    assert isinstance(rows[0]["scheme"], str) and isinstance(rows[0]["iteration"], int)
    assert isinstance(rows[0]["standard_error"], float)
    drawn = []
    figure = made._replace(
        draw=lambda rows, path: (drawn.append(len(rows)), path.touch())
    )
    monkeypatch.setattr(redraw, "COMPUTATIONS", {made.name: figure})
    picture = tmp_path / "picture.png"
    assert redraw.main([str(table), str(table), str(picture)]) == 0
    assert drawn == [2 * len(rows)] and picture.is_file()
    assert redraw.computed([table, RESULTS / "pong.csv"]) is None
