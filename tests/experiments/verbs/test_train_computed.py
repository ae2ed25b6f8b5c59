"""Computed figures: their files, and the verbs that skip or refuse them."""

import csv
import dataclasses
import glob
import re

import pytest
import yaml

from experiments import cli, names
from experiments.catalogue.computation import PICTURE, ROWS, UNFINISHED, Computation
from experiments.reporting import read_runs
from experiments.tables import from_runs
from experiments.verbs import train_computed
from tests.experiments import run_directories


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def computation(monkeypatch):
    def compute(seed):
        return [
            {"scheme": scheme, "iteration": iteration, "error": seed / iteration}
            for scheme in ("VI", "MoVI")
            for iteration in (1, 2, 4)
        ]

    def draw(rows, path):
        path.write_bytes(f"{len(rows)} rows".encode())

    made = Computation("toy/figure", "errors of a toy", compute, draw)
    known = {**names.COMPUTATIONS, made.name: made}
    monkeypatch.setattr(names, "COMPUTATIONS", known)
    return made


@dataclasses.dataclass(frozen=True)
class Lengths:
    """Settings of a toy.

    Attributes:
        most: number of iterations.
    """

    most: int = 4

    def __post_init__(self):
        if self.most < 1:
            raise ValueError(f"must be at least 1, got {self.most}")


@pytest.fixture
def with_settings(monkeypatch):
    """A computation that breaks after its third iteration."""

    def compute(seed, settings):
        for iteration in range(1, settings.most + 1):
            if iteration == 4:
                raise RuntimeError("it broke")
            yield {"iteration": iteration, "error": seed / iteration}

    made = Computation(
        "toy/settings",
        "errors of a toy",
        compute,
        lambda rows, path: path.write_bytes(f"{len(rows)} rows".encode()),
        Lengths(),
    )
    monkeypatch.setattr(names, "COMPUTATIONS", {**names.COMPUTATIONS, made.name: made})


def test_flags_change_a_computations_settings(with_settings, capsys, elsewhere):
    assert cli.main("train toy/settings --most 2 --seed 3".split()) == 0
    [directory] = (elsewhere / "runs/toy/settings").iterdir()
    assert (directory / ROWS).read_text() == "iteration,error\n1,3.0\n2,1.5\n"
    assert (directory / PICTURE).read_bytes() == b"2 rows"
    config = yaml.safe_load((directory / "config.yaml").read_text())
    assert config["experiment"]["settings"] == {"most": 2}
    assert cli.main("train toy/settings --help".split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "--most int 4 number of iterations.".split() in map(str.split, lines)
    assert cli.main("train toy/settings --most 0".split()) == 2
    assert "--most must be at least 1, got 0" in capsys.readouterr().err


def test_rows_are_written_as_they_come(with_settings, elsewhere):
    with pytest.raises(RuntimeError, match="it broke"):
        train_computed.main("toy/settings --seed 6".split())
    [directory] = (elsewhere / "runs/toy/settings").iterdir()
    lines = (directory / ROWS).read_text().splitlines()
    assert lines == ["iteration,error", "1,6.0", "2,3.0", "3,2.0"]


def test_rows_picture_and_provenance_are_written(computation, capsys, elsewhere):
    assert cli.main("train toy/figure --seed 3 --runs here".split()) == 0
    [directory] = (elsewhere / "here/toy/figure").glob("seed3-*")
    with (directory / ROWS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert rows[1] == {"scheme": "VI", "iteration": "2", "error": "1.5"}
    assert (directory / PICTURE).read_bytes() == b"6 rows"
    config = yaml.safe_load((directory / "config.yaml").read_text())
    assert config["experiment"]["name"] == "toy/figure"
    assert config["experiment"]["seed"] == 3
    assert config["versions"]["python"] and config["started"]
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == [str(directory.relative_to(elsewhere))]
    assert lines[1:4] == [
        ["scheme", "iteration", "error"],
        ["VI", "4", "0.75"],
        ["MoVI", "4", "0.75"],
    ]


@pytest.mark.parametrize(
    "line, message",
    [
        ("train toy/figure --steps 5", "unknown field --steps"),
        ("train toy/figure --seed -1", "--seed must be at least 0"),
        ("train toy/figure dqn/catch", "one experiment at a time"),
        ("train toy/figur", "did you mean 'toy/figure'"),
    ],
)
def test_a_mistake_is_a_one_line_error(line, message, computation, capsys, elsewhere):
    assert cli.main(line.split()) == 2
    err = capsys.readouterr().err
    assert re.search(message, err) and err.count("\n") == 1
    assert not list(elsewhere.iterdir())


def test_help_and_list_show_a_computation(computation, capsys):
    assert cli.main(["train", "toy/figure", "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: munchausen train toy/figure")
    assert computation.description in out
    assert cli.main(["list", "toy"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[0] == "toy/figure"


def test_reports_and_tables_skip_a_computation(computation, elsewhere, capsys):
    cli.main("train toy/figure".split())
    rows = [
        run_directories.metrics_row(60, "actor", 1.0, 3, episode_return=1.0),
        run_directories.metrics_row(100, "actor", 2.0, 4, episode_return=11.0),
    ]
    points = {60: [2.0], 100: [1.0]}
    run = run_directories.write(elsewhere / "runs", "mdqn/catch", 0, points, rows)
    [[group]] = read_runs.read(["runs"]).groups.values()
    assert [each.directory.name for each in group.runs] == [run.name]
    assert from_runs.main(["runs", "table.csv"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 rows: table.csv"
    with open("table.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["whole_run_by_episode"] for row in table] == ["1", "3.5"]
    assert [row["whole_run_by_step"] for row in table] == ["1", "5"]


@pytest.mark.parametrize("verb", ["evaluate", "record"])
def test_verbs_that_need_an_agent_refuse_a_computation(verb, computation, capsys):
    cli.main("train toy/figure --runs here".split())
    [directory] = glob.glob("here/toy/figure/*")
    assert cli.main([*verb.split(), directory]) == 2
    err = capsys.readouterr().err
    assert f"{directory} is a computed figure" in err and err.count("\n") == 1


@pytest.mark.parametrize("path", ["here", "here/toy/figure/*"])
def test_a_report_of_only_a_computation_names_its_files(path, computation, capsys):
    cli.main("train toy/figure --runs here".split())
    [named], [directory] = glob.glob(path), glob.glob("here/toy/figure/*")
    assert cli.main(["report", named]) == 2
    err = capsys.readouterr().err
    assert f"{directory} is a computed figure" in err and err.count("\n") == 1
    assert "figure.png and rows.csv there" in err


def test_a_table_of_a_computation_has_rows_and_provenance(computation, capsys):
    cli.main("train toy/figure --seed 2".split())
    assert from_runs.main(["runs", "toy.csv"]) == 0
    with open("toy.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["error"] for row in table] == ["2.0", "1.0", "0.5"] * 2
    assert {row["seed"] for row in table} == {"2"}
    assert all(row["machine"] and row["started"] and row["command"] for row in table)


@dataclasses.dataclass(frozen=True)
class Runs:
    """Settings of a toy of several runs.

    Attributes:
        schemes: names of the runs.
        points: of each run.
    """

    schemes: tuple[str, ...] = ("VI", "MoVI", "CPI")
    points: int = 2


@pytest.fixture
def of_runs(monkeypatch):
    """A computation of three runs: the points it has computed, those that break it."""
    computed, breaking = [], []

    def compute(seed, settings, done, unfinished):
        known = {row["scheme"] for row in done}
        for scheme in settings.schemes:
            if scheme in known:
                continue
            earlier = unfinished.load(scheme, ())
            errors = [] if earlier is None else earlier.values.tolist()
            for point in range(settings.points):
                if len(errors) == point:
                    if (scheme, point) in breaking:
                        raise KeyboardInterrupt
                    computed.append((scheme, point))
                    errors.append((seed + point) / 3)
                    unfinished.save(scheme, errors, ())
                yield {"scheme": scheme, "point": point, "error": errors[point]}

    def finished(settings, rows):
        names = [row["scheme"] for row in rows]
        return [r for r in rows if names.count(r["scheme"]) == settings.points]

    made = Computation(
        "toy/runs",
        "errors of a toy",
        compute,
        lambda rows, path: path.write_text("".join(r["scheme"][0] for r in rows)),
        Runs(),
        finished,
    )
    monkeypatch.setattr(names, "COMPUTATIONS", {**names.COMPUTATIONS, made.name: made})
    return computed, breaking


def test_an_interrupted_computation_goes_on_after_its_last_point(
    of_runs, elsewhere, capsys
):
    computed, breaking = of_runs
    assert cli.main("train toy/runs --seed 4 --runs whole".split()) == 0
    [whole] = elsewhere.glob("whole/toy/runs/*")
    breaking.append(("MoVI", 1))
    assert cli.main("train toy/runs --seed 4 --runs cut".split()) == 130
    [cut] = elsewhere.glob("cut/toy/runs/*")
    said = f"munchausen train --resume {cut.relative_to(elsewhere)}"
    assert said in capsys.readouterr().out
    with (cut / ROWS).open("a") as file:
        file.write("MoVI,1,1.6")  # the process was killed while it wrote this row
    computed.clear()
    breaking.clear()
    assert cli.main(["train", "--resume", f"{cut.relative_to(elsewhere)}/"]) == 0
    assert computed == [("MoVI", 1), ("CPI", 0), ("CPI", 1)]
    assert "keeps 2 rows of complete runs; an incomplete" in capsys.readouterr().out
    assert not (cut / UNFINISHED).exists() and not (whole / UNFINISHED).exists()
    assert (cut / ROWS).read_text() == (whole / ROWS).read_text()
    assert (cut / PICTURE).read_text() == "VVMMCC"
    config = yaml.safe_load((cut / "config.yaml").read_text())
    assert [each["rows"] for each in config["resumed"]] == [2]
    assert config["experiment"] == {
        "kind": "Computed",
        "name": "toy/runs",
        "seed": 4,
        "settings": {"schemes": ["VI", "MoVI", "CPI"], "points": 2},
    }
    assert from_runs.main(["cut", "toy.csv"]) == 0
    with open("toy.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == 6 and all(row["resumed"] for row in table)


def test_a_computation_that_ended_before_its_first_row_goes_on(of_runs, elsewhere):
    computed, breaking = of_runs
    breaking.append(("VI", 0))
    assert cli.main("train toy/runs --points 1".split()) == 130
    [directory] = elsewhere.glob("runs/toy/runs/*")
    breaking.clear()
    assert cli.main(["train", f"--resume={directory}"]) == 0
    assert computed == [("VI", 0), ("MoVI", 0), ("CPI", 0)]


@pytest.mark.parametrize(
    "more, edit, said",
    [
        ("--seed 3", {}, "no other argument for a computed figure; remove --seed"),
        ("", {"points": None}, "which differs in the setting points: start the figure"),
        ("", {"depth": 3}, "which differs in the setting depth"),
        ("", {"points": {"kind": "Runs"}}, "config.yaml has unusable settings: "),
    ],
)
def test_what_cannot_continue_is_said_in_one_line(
    more, edit, said, of_runs, elsewhere, capsys
):
    _, breaking = of_runs
    breaking.append(("CPI", 1))
    cli.main("train toy/runs".split())
    [directory] = elsewhere.glob("runs/toy/runs/*")
    path = directory / "config.yaml"
    config = yaml.safe_load(path.read_text())
    settings = config["experiment"]["settings"] | edit
    config["experiment"]["settings"] = {
        name: value for name, value in settings.items() if value is not None
    }
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    rows = (directory / ROWS).read_bytes()
    capsys.readouterr()
    assert cli.main(["train", "--resume", str(directory), *more.split()]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
    assert (directory / ROWS).read_bytes() == rows


def test_a_complete_figure_and_one_without_parts_do_not_resume(
    of_runs, with_settings, elsewhere, capsys, monkeypatch
):
    assert cli.main("train toy/settings --most 2".split()) == 0
    [directory] = elsewhere.glob("runs/toy/settings/*")
    assert cli.main(["train", "--resume", str(directory)]) == 2
    assert "start it again with munchausen train toy/set" in capsys.readouterr().err
    assert cli.main("train toy/runs".split()) == 0
    [directory] = elsewhere.glob("runs/toy/runs/*")
    assert cli.main(["train", "--resume", str(directory)]) == 2
    assert "the figure is complete" in capsys.readouterr().err


@pytest.mark.parametrize("row", ["CPI", "CPI,1,2.0,3"])
def test_a_damaged_row_is_named_and_the_file_is_kept(row, of_runs, elsewhere, capsys):
    _, breaking = of_runs
    breaking.append(("CPI", 1))
    cli.main("train toy/runs".split())
    [directory] = elsewhere.glob("runs/toy/runs/*")
    with (directory / ROWS).open("a") as file:
        file.write(f"{row}\n")
    before = (directory / ROWS).read_text()
    assert cli.main(["train", "--resume", str(directory)]) == 2
    err = capsys.readouterr().err
    assert f"cannot read {directory / ROWS}: " in err and err.count("\n") == 2
    assert (directory / ROWS).read_text() == before


def test_a_picture_that_was_not_finished_is_drawn_again(
    of_runs, elsewhere, monkeypatch
):
    computed, _ = of_runs
    whole = names.COMPUTATIONS["toy/runs"]

    def draw(rows, path):
        path.write_text("half")
        raise KeyboardInterrupt

    known = {**names.COMPUTATIONS, "toy/runs": whole._replace(draw=draw)}
    with monkeypatch.context() as patched:
        patched.setattr(names, "COMPUTATIONS", known)
        assert cli.main("train toy/runs --points 1".split()) == 130
    [directory] = elsewhere.glob("runs/toy/runs/*")
    assert not (directory / PICTURE).exists()
    computed.clear()
    assert cli.main(["train", "--resume", str(directory)]) == 0
    assert not computed and (directory / PICTURE).read_text() == "VMC"
