"""`munchausen bench`: its table, its file and its errors; speed is not tested."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import cli
from experiments.benchmarks import measure, peers
from experiments.benchmarks.measure import BenchFailed
from experiments.verbs import bench
from launch import surroundings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Ratios of 0.4, 0.5 and 0.6.
RATES = [{"a": 2469.0 * ratio, "b": 4938.0 * 0.5} for ratio in (0.4, 0.5, 0.6)]
TURNS = measure.Turns(RATES, others=0.25)


@pytest.fixture
def figures(monkeypatch):
    """Replaces all measurements by two figures each; lists the requested parts."""
    asked = []

    def make(part):
        def measured():
            asked.append(part)
            return [
                measure.compared(f"{part} speed", TURNS, "a", "b", "steps/s", 0.9),
                measure.cost(f"{part} size", 1.0, 8.0, "s"),
            ]

        return measured

    monkeypatch.setattr(
        bench, "_measurers", lambda seconds: {part: make(part) for part in bench.PARTS}
    )
    monkeypatch.setattr(surroundings, "DISTRIBUTED", sys.version_info[:2])
    return asked


def test_the_table_shows_figure_limit_and_verdict(figures, capsys, elsewhere):
    assert cli.main(["bench", "--only", "storage,actor"]) == 0
    assert figures == ["actor", "storage"]
    out, err = capsys.readouterr()
    assert err == "measuring: actor\nmeasuring: storage\n"
    machine, header, *rows = out.splitlines()
    assert "cores" in machine and "load" in machine
    assert header.split() == ("figure value limit ratio of turns others wanted".split())
    assert rows[0].split() == (
        "actor speed 1,234 steps/s 2,469 0.50 0.40-0.60 of 3 0.25 busy "
        "at least 0.9 NO".split()
    )
    assert rows[1].split() == "actor size 1 s 8 0.12 at most 1 yes".split()
    assert not os.listdir(elsewhere)


def test_the_file_has_the_same_figures_and_the_machine(figures):
    assert cli.main(["bench", "--seconds", "0.5", "--output", "b.json"]) == 0
    with open("b.json") as file:
        read = json.load(file)
    assert figures == list(bench.PARTS)
    assert {"machine", "versions", "code", "started", "load", "seconds"} <= set(read)
    assert read["seconds"] == 0.5
    assert len(read["measurements"]) == 2 * len(bench.PARTS)
    assert read["measurements"][0] == {
        "name": "learner speed",
        "value": pytest.approx(1234.5),
        "limit": 2469.0,
        "ratio": pytest.approx(0.5),
        "unit": "steps/s",
        "least": 0.9,
        "most": None,
        "lowest": 0.4,
        "highest": 0.6,
        "turns": 3,
        "others": 0.25,
        "met": False,
    }


def test_a_csv_file_has_the_circumstances_in_each_row(figures):
    assert cli.main(["bench", "--only", "actor", "--output", "b.csv"]) == 0
    rows = list(csv.DictReader(Path("b.csv").read_text().splitlines()))
    speed, size = rows
    assert speed["figure"] == "actor speed" and size["figure"] == "actor size"
    assert speed["value"] == "1234" or speed["value"] == "1235"
    assert [speed[name] for name in ("lowest", "highest")] == ["0.4", "0.6"]
    assert [speed[name] for name in ("turns", "others")] == ["3", "0.25"]
    assert [size[name] for name in ("lowest", "turns", "others")] == ["", "1", ""]
    for row in rows:
        assert "cores" in row["machine"] and row["started"][:2] == "20"
        assert row["command"] and row["code"]


@pytest.mark.parametrize("line, parts", [([], []), (["--only", "actor"], ["actor"])])
def test_peers_are_compared_alone_or_after_the_named_parts(
    figures, line, parts, monkeypatch, capsys
):
    def compare(seconds, folder):
        figures.append((seconds, folder))
        return [measure.compared("TD3 / SBX", TURNS, "a", "b", "actor steps/s")]

    monkeypatch.setattr(peers, "compare", compare)
    folder = Path("elsewhere")
    given = ["--peers", "--peers-folder", str(folder), "--seconds", "7"]
    assert cli.main(["bench", *line, *given]) == 0
    assert figures == [*parts, (7.0, folder)]
    assert "TD3 / SBX" in capsys.readouterr().out


PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
OTHERS = ["dispatch", "actor", "minatar", "locomotion", "offline", "imports"]


def test_without_reverb_the_parts_that_need_it_are_left_out(
    figures, monkeypatch, capsys
):
    monkeypatch.setattr(surroundings, "DISTRIBUTED", (3, 1))
    assert cli.main(["bench"]) == 0
    assert figures == OTHERS
    assert capsys.readouterr().err.startswith(
        "left out: learner, runs, storage, start, footprint, scaling, language, which "
        f"need Reverb, hence CPython 3.10; this is {PYTHON}\nmeasuring: dispatch\n"
    )


def test_without_reverb_a_named_part_that_needs_it_is_refused(
    figures, monkeypatch, capsys
):
    monkeypatch.setattr(surroundings, "DISTRIBUTED", (3, 1))
    assert cli.main(["bench", "--only", "offline,storage"]) == 2
    out, err = capsys.readouterr()
    assert not figures and not out
    assert err == (
        "munchausen: --only storage needs Reverb, hence CPython 3.10; this is "
        f"{PYTHON}; choose from {', '.join(OTHERS)}\n"
    )


@pytest.mark.usefixtures("figures")
def test_a_signal_ends_the_command_with_a_line(monkeypatch, capsys, elsewhere):
    def measured():
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(
        bench, "_measurers", lambda seconds: dict.fromkeys(bench.PARTS, measured)
    )
    assert cli.main(["bench", "--output", "b.csv"]) == 75
    assert capsys.readouterr().err.endswith("munchausen: stopped by SIGTERM\n")
    assert not os.listdir(elsewhere)


@pytest.mark.usefixtures("figures")
def test_a_failed_measurement_prints_no_traceback(monkeypatch, capsys, elsewhere):
    def failed():
        raise BenchFailed("the run ended")

    monkeypatch.setattr(
        bench, "_measurers", lambda seconds: dict.fromkeys(bench.PARTS, failed)
    )
    assert cli.main(["bench", "--output", "b.json"]) == 1
    assert capsys.readouterr().err.endswith("munchausen: the run ended\n")
    assert not os.listdir(elsewhere)


@pytest.mark.parametrize(
    "line, message",
    [
        ("dqn/pong", "bench takes no arguments, got 'dqn/pong'"),
        ("--seconds 0", "--seconds must be more than 0"),
        ("--only", "--only needs a value: learner|actor"),
        ("--only storage,actro", "must be one of .*'actro'; .*'actor'"),
        ("--only=", "--only needs a value: learner|actor"),
        ("--only=()", "--only must have at least one of learner, dispatch, actor"),
        ("--output bench.txt", "must end in .json or .csv, got bench.txt"),
        ("--output missing/bench.json", "there is no directory missing"),
        ("--second 3", "unknown field --second; did you mean --seconds"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(line, message, capsys, elsewhere):
    assert cli.main(["bench", *line.split()]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("munchausen: ") and err.count("\n") == 1
    assert re.search(message, err), err
    assert not os.listdir(elsewhere)


def test_a_mistake_is_reported_before_jax_is_imported(elsewhere):
    code = (
        "import sys; from experiments import cli; cli.main(['bench', '--only', 'x']);"
        "cli.main(['record', 'nowhere']); print('jax' in sys.modules)"
    )
    # Of JAX's variables, only JAX itself can check the values.
    plain = {name: text for name, text in os.environ.items() if name[:4] != "JAX_"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=plain
    )
    assert done.stdout == "False\n"
