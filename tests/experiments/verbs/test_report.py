"""`munchausen report`: the page, the picture, and its error messages."""

import re
import subprocess
import sys

import pytest

from experiments.reporting import bootstrap
from tests.experiments.report_pages import ATARI, POINTS, ROWS, report, text_of
from tests.experiments.run_directories import write


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """The working directory; runs lie below it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bootstrap, "REPETITIONS", 100)
    return tmp_path


def snapshot(root):
    """Every file with its content."""
    return {
        path: path.read_bytes() if path.is_file() else None for path in root.rglob("*")
    }


def test_one_run_is_reported_in_its_directory(elsewhere, capsys):
    path = write(elsewhere / "runs", evaluations=POINTS, metrics=ROWS)
    assert report(path) == 0
    assert capsys.readouterr().out == f"{path / 'report.html'}\n"
    page = (path / "report.html").read_text()
    text = text_of(page)
    for part in (
        "mdqn/catch, seed 0",
        "Catch rows 10 columns 5",
        "final return 11.00",
        "[-1.71, 23.71]",  # Student, two episodes
        "actor steps per second 20.00",
        "learner 12.5 %",
        "agent.discount 0.99",
        "code 0123456789ab",
        "dm-acme unknown",
        "munchausen train mdqn/catch --seed 0",
        "complete 100 of 100",
    ):
        assert part in text, part
    assert "Comparison" not in text and "published" not in text
    assert "NaN" not in page and "nan" not in re.sub(r"<style>.*</style>", "", text)


def test_a_run_in_progress_is_reported(elsewhere):
    path = write(elsewhere, evaluations={50: [1.0]}, steps=400)
    assert report(path) == 0
    text = text_of((path / "report.html").read_text())
    assert "50 of 400" in text and "12%" in text
    assert "actor steps per second none" in text


@pytest.mark.parametrize(
    "name, start",
    [("p.png", b"\x89PNG\r\n"), ("p.svg", b"<?xml"), ("P.PNG", b"\x89PNG")],
)
def test_a_picture_without_a_page(elsewhere, name, start, capsys):
    write(elsewhere / "runs", "mdqn/catch", 0, POINTS, ROWS)
    write(elsewhere / "runs", "mdqn/pong", 0, POINTS, ROWS, environment=ATARI)
    assert report("runs", "--picture", name) == 0
    assert capsys.readouterr().out == f"{name}\n"
    first = (elsewhere / name).read_bytes()
    assert first.startswith(start)
    assert sorted(path.name for path in elsewhere.iterdir()) == [name, "runs"]
    assert report("runs", "--picture", name) == 0
    assert (elsewhere / name).read_bytes() == first


def test_page_and_picture_together(elsewhere):
    path = write(elsewhere / "runs", evaluations=POINTS)
    assert report(path, "--output", "a.HTML", "--picture", "a.SVG") == 0
    assert (elsewhere / "a.HTML").exists() and (elsewhere / "a.SVG").exists()
    assert not (path / "report.html").exists()


def _damage(path, name, content):
    target = path / name
    if content is None:
        target.unlink(missing_ok=True)
        target.mkdir()
    else:
        target.write_bytes(content)


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("config.yaml", b"{", "cannot read run/config.yaml"),
        ("config.yaml", b"\xff\xfe", "cannot read run/config.yaml"),
        ("config.yaml", b"a: 1", "run/config.yaml describes no experiment"),
        ("config.yaml", b"experiment: 5", "config.yaml describes no experiment"),
        ("config.yaml", b"experiment: {name: a}", "the experiment has no agent_name"),
        ("config.yaml", None, "cannot read run/config.yaml"),
        ("evaluations.csv", b"nonsense\n1\n", "evaluations.csv: it has no column grid"),
        ("evaluations.csv", b"\xff\xfe\n\x00", "cannot read run/evaluations.csv"),
        ("evaluations.csv", None, "cannot read run/evaluations.csv"),
        ("metrics.jsonl", None, "cannot read run/metrics.jsonl"),
    ],
)
def test_a_damaged_run_is_a_one_line_error(name, content, message, elsewhere, capsys):
    write(elsewhere, evaluations=POINTS, metrics=ROWS).rename(elsewhere / "run")
    _damage(elsewhere / "run", name, content)
    _assert_refused(["run"], message, elsewhere, capsys)


def test_returns_that_are_not_finite_are_a_one_line_error(elsewhere, capsys):
    path = write(elsewhere, evaluations={100: [float("nan")]})
    message = (
        r"has no evaluation that can be used: left out 1 point of evaluations\.csv "
        r"\(not finite in line 2\)"
    )
    _assert_refused([path], message, elsewhere, capsys)


@pytest.mark.parametrize(
    "line, message",
    [
        ("", "name a run directory"),
        ("nowhere", "nowhere does not exist"),
        ("file", "file is a file: name a run directory"),
        ("file/x", "cannot read file/x: Not a directory"),
        ("foreign", "foreign is not a run directory or a folder of run directories"),
        ("new", "new has no evaluation yet"),
        ("run nowhere", "nowhere does not exist"),
        ("run --output file", "--output must end in .html or .htm, got file"),
        ("run --output folder.html", "folder.html: it is a directory"),
        ("run --output none/a.html", "there is no directory none"),
        ("run --output " + "a" * 300 + ".html", "File name too long"),
        ("run --output file/a.html", "cannot write file/a.html"),
        ("run --output", "--output needs a value"),
        ("run --out a.html", "unknown field --out; did you mean --output"),
        ("run --picture a.gif", "must end in .png or .svg, got a.gif"),
        ("run --output a.html --picture none/a.png", "there is no directory none"),
    ],
)
def test_a_mistake_is_a_one_line_error(line, message, elsewhere, capsys):
    write(elsewhere, evaluations=POINTS).rename(elsewhere / "run")
    write(elsewhere, seed=1).rename(elsewhere / "new")
    for folder in ("foreign", "folder.html"):
        (elsewhere / folder).mkdir()
    (elsewhere / "file").write_text("mine")
    _assert_refused(line.split(), message, elsewhere, capsys)


def _assert_refused(arguments, message, root, capsys):
    before = snapshot(root)
    assert report(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("munchausen: ") and err.count("\n") == 1, err
    assert re.search(message, err), err
    assert snapshot(root) == before


def test_a_full_disk_keeps_the_old_report(elsewhere, monkeypatch, capsys):
    path = write(elsewhere, evaluations=POINTS)
    (path / "report.html").write_text("old")

    def fail(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", fail)
    _assert_refused([path], "No space left on device", elsewhere, capsys)


def test_help_names_the_options(capsys):
    assert report("--help") == 0
    out = capsys.readouterr().out
    assert "--output" in out and "--picture" in out


def test_nothing_heavy_is_imported(elsewhere):
    for name in ("mdqn/catch", "dqn/catch"):
        write(elsewhere / "runs", name, 0, POINTS, ROWS)
    heavy = ("jax", "tensorflow", "reverb", "launchpad", "acme", "gymnasium")
    code = f"""
import sys
sys.addaudithook(lambda event, args: event == "import" and args[0] in {heavy!r}
                 and sys.exit(f"imported {{args[0]}}"))
from experiments.cli import main
sys.exit(main(["report", "runs", "--picture", "p.png", "--output", "p.html"]))
"""
    command = [sys.executable, "-W", "error::FutureWarning", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
