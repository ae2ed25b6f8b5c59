"""Every verb, given every kind of bad input: one line, exit code 2, nothing written."""

import json
import re
import shutil
import subprocess

import pytest
import yaml

from experiments import cli
from launch import run as launch_run
from launch.runs import run_directory
from tests.experiments.run_directories import write

# Faults of a run directory, and the message for each; {} is the directory's path.
DAMAGE = {
    "missing": r"{} (is not a directory|does not exist)",
    "a file": r"{}.* (is not a directory|is a file)",
    "below a file": r"{}",
    "empty": r"{} is (no|not a) run directory",
    "foreign": r"{}/config.yaml describes no experiment",
    "no yaml": r"cannot read {}/config.yaml",
    "binary": r"cannot read {}/config.yaml",
    "a folder for config": r"cannot read {}/config.yaml",
    "an unknown agent": r"{}/config.yaml",
    "an agent that is not installed": r"{}/config.yaml names an agent: Python must fin",
    "an agent that is gone": r"{}/config.yaml names an agent: agents.REGISTRY has ",
    "an unknown field": r"{}/config.yaml",
    "a wrong type": r"{}/config.yaml",
    "no checkpoint": r"{} holds no checkpoint: a run saves one every checkpoint.per",
    "a file for checkpoints": r"{} holds no checkpoint: ",
    "a damaged checkpoint": r"all checkpoints of {} are damaged",
    "a foreign checkpoint": r"{}",
}


def damaged(root, kind):
    """A run directory with that fault, below its own folder."""
    path = root / "bad" / "seed0"
    if kind == "missing":
        return path
    if kind in ("a file", "below a file"):
        path.parent.mkdir()
        path.write_text("no run")
        return path if kind == "a file" else path / "run"
    if kind == "empty":
        path.mkdir(parents=True)
        return path
    from experiments.catalogue.experiments import EXPERIMENTS

    made = run_directory.create(root / "made", EXPERIMENTS["mdqn/catch"])
    path.parent.mkdir()
    shutil.move(made, path)
    shutil.rmtree(root / "made")
    DAMAGERS[kind](path)
    return path


def edit(change):
    def damage(path):
        config = yaml.safe_load((path / "config.yaml").read_text())
        change(config["experiment"])
        (path / "config.yaml").write_text(yaml.safe_dump(config))

    return damage


def checkpoint_with(manifest):
    def damage(path):
        saved = path / "checkpoints" / "200"
        saved.mkdir(parents=True)
        (saved / "manifest.json").write_text(manifest)

    return damage


def folder_for_config(path):
    (path / "config.yaml").unlink()
    (path / "config.yaml").mkdir()


COUNTS = {"actor_steps": 200, "frames": 200, "learner_steps": 9, "episodes": 20}
LOST = {"counts": COUNTS, "extra": {}, "files": {"state/_METADATA": [7, 7]}}
FOREIGN = {"counts": COUNTS, "extra": {}, "files": {}}
DAMAGERS = {
    "foreign": lambda path: (path / "config.yaml").write_text("learning_rate: 1"),
    "no yaml": lambda path: (path / "config.yaml").write_text("a: [1,"),
    "binary": lambda path: (path / "config.yaml").write_bytes(b"\xff\xfe\x00\x80"),
    "a folder for config": folder_for_config,
    "an unknown agent": edit(lambda e: e.update(agent_name="nobody")),
    "an agent that is not installed": edit(lambda e: e.update(agent_name="gone_pkg:x")),
    "an agent that is gone": edit(lambda e: e.update(agent_name="agents:gone")),
    "an unknown field": edit(lambda e: e.update(colour="red")),
    "a wrong type": edit(lambda e: e.update(steps="many", environment=[1])),
    "no checkpoint": lambda path: None,
    "a file for checkpoints": lambda path: (path / "checkpoints").write_text("none"),
    "a damaged checkpoint": checkpoint_with(json.dumps(LOST)),
    "a foreign checkpoint": checkpoint_with(json.dumps(FOREIGN)),
}
# Faults that a report does not notice.
UNNEEDED = (
    "an unknown agent",
    "an agent that is not installed",
    "an agent that is gone",
    "an unknown field",
    *(kind for kind in DAMAGE if "checkpoint" in kind),
)
READERS = {
    "train --resume": "train --resume {}",
    "evaluate": "evaluate {}",
    "record": "record {}",
    "report": "report {}",
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """The working directory; nothing is ever trained."""
    monkeypatch.chdir(tmp_path)

    def started(*arguments, **_):
        raise AssertionError(f"{arguments} was started")

    monkeypatch.setattr(launch_run, "run_experiment", started)
    return tmp_path


def snapshot(root):
    """Every file with its content, except the lock that reading a run leaves."""
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in root.rglob("*")
        if path.name != ".lock"
    }


def refused(line, capsys, root):
    """Runs a command line that must be refused; returns its message."""
    before = snapshot(root)
    assert cli.main(line.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    *named, said = err.splitlines()
    assert all("trying the previous one" in line for line in named), err
    assert said.startswith("munchausen: ")
    assert snapshot(root) == before
    return said


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("verb", READERS)
def test_a_bad_run_directory_is_a_one_line_error(verb, kind, capsys, elsewhere):
    path = damaged(elsewhere, kind)
    said = refused(READERS[verb].format(path), capsys, elsewhere)
    if verb == "report" and kind in UNNEEDED:
        assert f"{path} has no evaluation yet" in said
    else:
        assert re.search(DAMAGE[kind].format(re.escape(str(path))), said), said


@pytest.fixture
def run(elsewhere):
    return write(elsewhere / "runs", evaluations={50: [0.0], 100: [1.0]})


def below_a_file(root):
    (root / "file").write_text("mine")
    return root / "file" / "below"


def read_only(root):
    path = root / "sealed"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=4k", "tmpfs", str(path)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"nothing can be mounted: {done.stderr.strip()}")
    return path / "new"


@pytest.fixture(params=[below_a_file, read_only], ids=["below a file", "read-only"])
def closed(request, elsewhere):
    """A path at which nothing can be written."""
    yield request.param(elsewhere)
    if request.param is read_only:
        subprocess.run(["umount", str(elsewhere / "sealed")], check=True)


WRITERS = {
    "train": "train mdqn/catch --runs {closed}",
    "record": "record {run} --output {closed}.mp4",
    "report": "report {run} --output {closed}.html",
    "report a picture": "report {run} --picture {closed}.png",
    "bench": "bench --output {closed}.json",
}


@pytest.mark.parametrize("verb", WRITERS)
def test_output_that_cannot_be_written_is_a_one_line_error(
    verb, run, closed, capsys, elsewhere
):
    line = WRITERS[verb].format(run=run, closed=closed)
    assert "cannot write" in refused(line, capsys, elsewhere)


@pytest.mark.parametrize("name", ["report.html", "policy.mp4"])
def test_a_folder_in_the_way_of_the_output_is_a_one_line_error(
    name, run, capsys, elsewhere
):
    (run / name).mkdir()
    verb = "report" if name == "report.html" else "record"
    assert "it is a directory" in refused(f"{verb} {run}", capsys, elsewhere)


@pytest.mark.parametrize("name", ["evaluations.csv", "metrics.jsonl"])
@pytest.mark.parametrize("content", [None, b"\xff\xfe\x80", b"not,a,log\n1,2,3\n"])
def test_a_damaged_log_is_a_one_line_error(name, content, run, capsys, elsewhere):
    path = run / name
    path.unlink(missing_ok=True)
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    if content is not None and name == "metrics.jsonl":
        # A line that cannot be used costs a point; the evaluations are drawn.
        assert cli.main(["report", str(run)]) == 0
        assert f"{name} (" in capsys.readouterr().err
        return
    said = f"cannot read {path}"
    if content == b"\xff\xfe\x80":  # a first line without an end
        said = f"{run} has no evaluation that can be used: left out"
    assert said in refused(f"report {run}", capsys, elsewhere)


@pytest.mark.parametrize(
    "line", ["list x{}", "doctor {}", "bench {}", "train {}", "train --resume"]
)
def test_an_unexpected_directory_is_a_one_line_error(line, run, capsys, elsewhere):
    refused(line.format(run), capsys, elsewhere)
