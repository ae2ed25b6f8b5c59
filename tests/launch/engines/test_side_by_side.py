"""Local runs side by side, each in a process: their progress, failures and end."""

import signal
import sys
from pathlib import Path
from types import MappingProxyType

import pytest

from launch.engines import side_by_side
from launch.engines.signals import Caught
from launch.errors import RunFailed
from launch.runs import lock, logs, run_directory
from launch.runs.existing_runs import Entry

# This process has used JAX by now; a launcher never has.
pytestmark = pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")


@pytest.fixture
def child(catch, tmp_path, monkeypatch):
    """Starts a script in the place of a run."""
    popen = side_by_side.subprocess.Popen

    def start(script, seed=0, settings=MappingProxyType({})):
        def instead(command, **options):
            return popen([sys.executable, "-c", script], **options)

        monkeypatch.setattr(side_by_side.subprocess, "Popen", instead)
        experiment = catch({"seed": seed})
        directory = run_directory.create(tmp_path, experiment)
        entry = Entry(experiment)
        with lock.take(directory) as file:
            return side_by_side.Child(entry, directory, "off", file, settings)

    return start


def test_the_newest_progress_line_of_a_run_is_shown(child):
    script = "print('mdqn/catch seed 0  1/9'); print('mdqn/catch seed 0  2/9'); print()"
    made = child(script)
    assert made.entry.title == "mdqn/catch seed 0"
    assert made.process.wait(20) == 0
    assert made.progress() == "mdqn/catch seed 0  2/9"
    silent = child("pass", seed=3)
    silent.process.wait(20)
    assert silent.progress() == "mdqn/catch seed 3  starting"


def test_a_label_tells_runs_of_the_same_seed_apart(child):
    made = child("print('mdqn/catch seed 0  1/9'); exit(3)")
    made.process.wait(20)
    made.entry = made.entry._replace(label="temperature 0.5")
    assert made.progress() == "mdqn/catch seed 0 (temperature 0.5)  1/9"
    said = "mdqn/catch seed 0 (temperature 0.5) failed (exit code 3); its last lines"
    assert side_by_side._epitaph(made).startswith(said)


def test_the_next_run_is_taken_when_one_has_ended(catch, tmp_path, monkeypatch, capsys):
    popen = side_by_side.subprocess.Popen

    def instead(command, **options):
        code = 0 if any("seed0-" in each for each in command) else 3
        return popen([sys.executable, "-c", f"exit({code})"], **options)

    monkeypatch.setattr(side_by_side.subprocess, "Popen", instead)
    events = []

    def entries():
        for seed in (0, 1):
            events.append(f"seed {seed} taken")
            yield Entry(catch({"seed": seed}), label=f"cell {seed}")

    def ended(entry, directory, succeeded):
        assert directory.name.startswith(f"seed{entry.experiment.seed}-")
        events.append((entry.label, succeeded))

    failed = r"1 of 2 runs failed: mdqn/catch seed 1 \(cell 1\)$"
    with pytest.raises(RunFailed, match=failed):
        side_by_side.run(entries(), str(tmp_path), 1, total=2, ended=ended)
    order = ["seed 0 taken", ("cell 0", True), "seed 1 taken", ("cell 1", False)]
    assert events == order
    assert capsys.readouterr().out.splitlines()[0].endswith("  cell 0")


def test_a_run_side_by_side_with_others_has_one_thread(child):
    names = ("NPROC", "OMP_NUM_THREADS", "XLA_PYTHON_CLIENT_PREALLOCATE")
    script = f"import os; print(*(os.environ.get(name, '-') for name in {names}))"
    with side_by_side._sharing(limit=2, total=1) as settings:
        made = child(script, settings=settings)
        made.process.wait(20)
        assert made.lines() == ["1 1 false"]
    with side_by_side._sharing(limit=1, total=1) as settings:
        assert settings == {}


@pytest.mark.parametrize(
    "seeds, users, shared",
    [((0, 1), None, True), ((0,), None, False), ((0, 1), "/of/the/user", False)],
)
def test_several_runs_share_what_is_compiled_while_they_last(
    seeds, users, shared, catch, tmp_path, monkeypatch
):
    popen, variable = side_by_side.subprocess.Popen, "JAX_COMPILATION_CACHE_DIR"
    monkeypatch.delenv(variable)
    if users is not None:
        monkeypatch.setenv(variable, users)
    script = f"""
import os, pathlib
folder = os.environ.get("{variable}")
if {shared}:
    pathlib.Path(folder, str(os.getpid())).touch()
    print(len(os.listdir(folder)))
print(folder)
"""
    monkeypatch.setattr(
        side_by_side.subprocess,
        "Popen",
        lambda command, **options: popen([sys.executable, "-c", script], **options),
    )
    entries = [Entry(catch({"seed": seed})) for seed in seeds]
    places = side_by_side.run(entries, str(tmp_path), 1).values()
    logs = [(place / side_by_side.LOG).read_text().split() for place in places]
    if shared:
        (first, folder), second = logs
        assert (first, second) == ("1", ["2", folder])
        assert Path(folder).name.startswith("munchausen-compiled-")
        assert not Path(folder).exists()
    else:
        assert logs == [[str(users)]] * len(seeds)


def test_without_room_for_temporary_files_each_run_compiles_for_itself(monkeypatch):
    def full(**options):
        raise OSError(28, "No space left on device")

    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    monkeypatch.setattr(side_by_side.tempfile, "TemporaryDirectory", full)
    with side_by_side._sharing(limit=1, total=2) as settings:
        assert settings == {}


@pytest.mark.parametrize(
    "script, how",
    [
        ("print('why'); exit(3)", "exit code 3"),
        ("print('why', flush=True); import os; os.kill(os.getpid(), 9)", "signal 9"),
    ],
)
def test_a_run_that_failed_is_named_with_its_last_lines(child, script, how):
    made = child(script)
    made.process.wait(20)
    assert side_by_side._epitaph(made) == (
        f"mdqn/catch seed 0 failed ({how}); its last lines, from {made.log}:\n  why"
    )


SAVING = """
import signal, time
def end(number, frame):
    print(number.real, flush=True)
    raise SystemExit
signal.signal(signal.SIGINT, end)
signal.signal(signal.SIGTERM, end)
# In one write, so that no signal comes before the line's end.
print("ready\\n", end="", flush=True)
time.sleep(60)
"""


def ready(made):
    while made.lines() != ["ready"]:
        assert made.process.poll() is None


def caught(*numbers):
    signals = Caught()
    for number in numbers:
        # They come slowly.
        signals._came = [(moment - 1, each) for moment, each in signals._came]
        signals.note(number)
    return signals


@pytest.mark.parametrize("number, heard", [(2, 2), (1, 2), (15, 15), (10, 15)])
def test_runs_are_asked_once_to_save_themselves_and_hurry_after_a_notice(
    child, number, heard
):
    made = child(SAVING)
    ready(made)
    side_by_side._end([made], caught(number))
    assert made.process.returncode == 0 and made.lines() == ["ready", str(heard)]


def test_runs_that_do_not_end_are_killed_by_a_second_signal(child):
    stubborn = child(SAVING.replace("raise SystemExit", "time.sleep(60)"))
    ready(stubborn)
    side_by_side._end([stubborn], caught(signal.SIGINT, signal.SIGINT))
    assert stubborn.process.returncode == -signal.SIGKILL


def test_a_failed_run_does_not_end_the_others(catch, tmp_path, monkeypatch, capsys):
    create = run_directory.create

    def spoil(root, experiment):
        directory = create(root, experiment)
        if experiment.seed == 0:
            (directory / run_directory.CONFIG).write_text("experiment: {}")
        return directory

    monkeypatch.setattr(run_directory, "create", spoil)
    experiments = [catch({"seed": seed, "steps": 20}) for seed in (0, 1)]
    with pytest.raises(RunFailed, match="1 of 2 runs failed: mdqn/catch seed 0"):
        side_by_side.run([Entry(each) for each in experiments], str(tmp_path), 2)
    assert "mdqn/catch seed 0 failed (exit code 2)" in capsys.readouterr().err
    [other] = tmp_path.glob("mdqn/catch/seed1-*")
    assert logs.read_evaluations(other)[-1].grid == 20


def test_a_run_is_extended_in_its_directory_with_the_new_length(catch, tmp_path):
    directory = run_directory.create(tmp_path, catch({"steps": 20}))
    entry = Entry(catch({"steps": 40}), state="missing")
    assert side_by_side.run([entry], str(tmp_path), 1) == {entry: directory}
    assert [row.grid for row in logs.read_evaluations(directory)] == [40]
    assert len(run_directory.read_config(directory)["resumed"]) == 1


def test_a_run_is_locked_from_its_beginning_to_the_end_of_its_process(child):
    waiting = child("import time; time.sleep(60)")
    assert lock.is_held(waiting.directory)
    waiting.process.kill()
    waiting.process.wait()
    assert not lock.is_held(waiting.directory)
