"""`train --run_directory DIR --resume auto`: the same command line is one run."""

import pytest

from experiments import cli
from experiments.verbs import train_directory
from launch.runs import checkpoint, checkpoint_files, logs, run_directory
from launch.runs.lock import locked

LINE = (
    "train dqn/catch --evaluation.period 40 --evaluation.episodes 2 "
    "--agent.network.hidden 8 --run-directory here"
)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "here"


@pytest.fixture
def launched(monkeypatch):
    """Notes what would run instead of running it."""
    ran = []

    def noted(experiment, directory, mode, ready, resume=None, *rest, **more):
        if ready.environment is not None:
            ready.environment.close()
        ran.append((experiment, directory, resume))

    monkeypatch.setattr(train_directory.launch_run, "run_experiment", noted)
    return ran


def command(words):
    return cli.main(LINE.split() + words.split())


def refused(capsys, words):
    """The message of a mistake."""
    assert command(words) == 2
    [said] = capsys.readouterr().err.splitlines()
    return said.removeprefix("munchausen: ")


def evaluated(directory):
    return [row.grid for row in logs.read_evaluations(directory)]


def test_the_same_line_starts_continues_and_finds_the_end(here, capsys):
    assert command("--steps 80 --resume auto") == 0
    assert evaluated(here) == [40, 80] and here.name in capsys.readouterr().out
    assert command("--steps 80 --resume auto") == 0
    assert capsys.readouterr().out == "here is complete: it has done 80 steps\n"
    assert command("--steps 60 --resume auto --stall_seconds 500") == 0
    assert capsys.readouterr().out == (
        "here is complete: it has done 80 steps; its --stall_seconds is 600.0, this "
        "command's 500.0 has no effect\n"
    )
    # A changed line is treated like `train --resume` with changed fields.
    assert command("--steps 120 --resume=auto --stall_seconds 500") == 0
    out = capsys.readouterr().out
    said = (
        "--stall_seconds 500.0 (before: 600.0): it does not change what the run learns"
    )
    assert said in out
    assert "here: from step 80" in out
    assert evaluated(here) == [40, 80, 120]
    said = refused(capsys, "--steps 120 --resume auto --seed 5")
    assert said.startswith("--seed cannot change when a run resumes: ")
    said = refused(capsys, "--steps 160 --resume auto --launch threads")
    assert said.startswith("--launch must be local for this run, got threads: ")
    config = run_directory.read_config(here)
    assert config["experiment"]["steps"] == 120 and len(config["resumed"]) == 1


def test_a_run_is_not_begun_twice_without_resume(here, launched, capsys):
    assert command("--steps 80") == 0
    assert "will learn nothing" in capsys.readouterr().err
    assert refused(capsys, "--steps 80") == (
        "--run_directory must hold no run yet, and here does: add --resume auto to "
        "continue that run"
    )


def test_a_run_that_saved_nothing_begins_again_with_an_empty_log(here, capsys):
    here.mkdir()
    assert command("--steps 80 --resume auto") == 0
    for step in checkpoint.kept(here):
        checkpoint_files.discard(here / checkpoint.DIRECTORY / str(step))
    before = (here / logs.EVALUATIONS).read_text()
    assert command("--steps 90 --resume auto") == 2  # its evaluations are complete
    assert "and has no checkpoint from which more could" in capsys.readouterr().err
    assert (here / logs.EVALUATIONS).read_text() == before
    assert command("--steps 80 --resume auto") == 0
    assert "is complete: it has done 80 steps" in capsys.readouterr().out
    [header, first, _] = before.splitlines(keepends=True)
    (here / logs.EVALUATIONS).write_text(header + first)
    assert command("--steps 80 --resume auto --seed 3") == 0
    assert evaluated(here) == [40, 80]
    assert run_directory.read_experiment(here).seed == 3


def test_a_directory_with_something_else_is_refused(here, launched, capsys):
    here.mkdir()
    (here / "thesis.tex").touch()
    assert refused(capsys, "--resume auto") == (
        "the directory of a run must be empty or hold that run, and here holds "
        "thesis.tex: choose another --run_directory"
    )
    (here / "thesis.tex").rename(here / ".config.yaml.draft")  # of a killed start
    assert command("--resume auto") == 0
    assert [each[1].name for each in launched] == ["here"]


def test_a_run_of_another_experiment_is_refused(here, launched, capsys):
    assert command("") == 0
    line = LINE.replace("dqn/catch", "mdqn/catch").split()
    assert cli.main([*line, "--resume", "auto"]) == 2
    assert capsys.readouterr().err == (
        "munchausen: here holds a run of dqn/catch, not of mdqn/catch: choose another "
        "--run_directory\n"
    )


def test_a_run_that_another_process_writes_is_refused(here, launched, capsys):
    assert command("") == 0
    with locked(here):
        said = refused(capsys, "--resume auto")
    assert said == "here is being written by another process"


@pytest.mark.parametrize(
    "words, said",
    [
        ("train dqn/catch --resume auto", "--resume auto needs the directory of the"),
        (f"{LINE} --seeds 2", "--run_directory is for one run: several runs, such as"),
        (
            LINE.replace("train", "sweep") + " --agent.discount 0.9,0.8",
            "--run_directory is for one run: several runs, such as",
        ),
        (f"{LINE} --restarts 2", "--restarts 2 is for programs, whose launcher"),
        (f"{LINE} --grace -1", "--grace must be at least 0, got -1"),
    ],
)
def test_flags_that_do_not_fit_are_refused(here, capsys, words, said):
    assert cli.main(words.split()) == 2
    assert capsys.readouterr().err.startswith(f"munchausen: {said}")
    assert not here.exists()
