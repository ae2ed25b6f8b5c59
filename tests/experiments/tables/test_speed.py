"""The picture and the page's table of measured speeds."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from pytest import approx

from experiments.tables import speed

HEADER = "figure,value,unit,limit,ratio,lowest,highest,turns,others,machine,started\n"
TABLE = f"""{HEADER}\
"SAC on Hopper / SBX",75.25,actor steps/s,50.5,1.49,1.25,1.75,3,0.01,"EPYC, 2 cores",\
2026-11-28T14:29:15+00:00
memory,7000,bytes,8000,0.875,,,1,,"EPYC, 2 cores",2026-11-28T14:29:15+00:00
share of a step,0.25,,0.5,0.5,0.4,0.6,3,,"EPYC, 2 cores",2026-11-28T14:29:15+00:00
fed by Reverb,1234.5,steps/s,2469,0.5,0.51,0.52,3,0.21,"EPYC, 2 cores",\
2026-11-28T14:29:15+00:00
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "speed.csv"
    path.write_text(TABLE)
    return path


def test_the_page_has_figures_of_turns_with_machine_and_date(table, capsys, tmp_path):
    assert speed.main([str(table), str(tmp_path / "speed.png")]) == 0
    head, _, sac, fed, _, where = capsys.readouterr().out.splitlines()
    assert head == "| figure | steps/s | limit | ratio | of turns |"
    assert sac == "| SAC on Hopper / SBX | 75.2 | 50.5 | 1.49 | 1.25-1.75 |"
    assert fed.startswith("| fed by Reverb (busy machine) | 1,234 | 2,469 |")
    assert where == "Measured on EPYC, 2 cores, 2026-11-28."
    assert (tmp_path / "speed.png").read_bytes()[:4] == b"\x89PNG"


def test_bars_are_ratios_and_whiskers_their_spread(table):
    axes = Figure().subplots()
    speed.draw(axes, speed.read(table))
    assert [bar.get_x() for bar in axes.patches] == [1, 1]
    assert [bar.get_width() for bar in axes.patches] == approx([0.49, -0.5])
    [whiskers] = axes.collections
    first, second = (path.vertices[:, 0] for path in whiskers.get_paths())
    assert first.tolist() == approx([1.25, 1.75])
    assert second.tolist() == approx([0.5, 0.52])  # no whisker of negative length
    assert [text.get_text() for text in axes.get_yticklabels()][1].startswith("fed")
    assert np.subtract(*axes.get_ylim()) > 0  # the first row is at the top


@pytest.mark.parametrize(
    "text, reason",
    [
        ("figure,value\na,1\n", "must be a table from munchausen bench --output"),
        (HEADER, "must be a table from munchausen bench"),
        (HEADER + "a,1,b,1,1,,,1,,m,d\n", "rates that were measured in turns"),
    ],
)
def test_another_table_is_refused_in_one_line(text, reason, tmp_path, capsys):
    (tmp_path / "other.csv").write_text(text)
    picture = tmp_path / "speed.png"
    assert speed.main([str(tmp_path / "other.csv"), str(picture)]) == 2
    err = capsys.readouterr().err
    assert reason in err and err.count("\n") == 1
    assert not picture.exists()


def test_a_wrong_picture_prints_the_usage(table, capsys):
    assert speed.main([str(table), "speed.jpg"]) == 2
    assert capsys.readouterr().err.startswith("usage: ")
