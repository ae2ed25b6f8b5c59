"""Seeds side by side: real processes, equal to runs alone, and their ends."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from experiments import cli
from experiments.catalogue.experiments import EXPERIMENTS
from launch import errors
from launch.engines import side_by_side
from launch.runs import run_directory
from launch.runs.existing_runs import Entry
from launch.runs.lock import locked

QUICK = (
    "--steps 600 --evaluation.period 300 --evaluation.episodes 2 "
    "--agent.network.hidden 11 --agent.storage.batch_size 7 --log_period 100"
).split()
ENDLESS = "--steps 1e8 --checkpoint.period 1e7 --agent.network.hidden 11".split()


def rows(path):
    """A CSV file without what differs between equal runs."""
    with path.open(newline="") as file:
        found = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if k != "wall_time"} for row in found]


def start(root, *arguments, **environment):
    command = [sys.executable, "-m", "experiments.cli", "train", *arguments]
    return subprocess.Popen(
        [*command, "--runs", str(root)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def two_have_learned(root):
    """Whether two runs have logged something, hence have something to save."""
    logs = list(root.glob("dqn/catch/*/metrics.jsonl"))
    return len(logs) == 2 and all(each.stat().st_size for each in logs)


@pytest.mark.parametrize(("threads", "at_once"), [("1", True), ("2", False)])
@pytest.mark.parametrize(
    "begin",
    [
        "launch_run.main([str(create(Path('runs'), EXPERIMENTS['dqn/catch']))])",
        "cli.main(['train', 'dqn/catch', '--seed', '0'])",
    ],
    ids=["child", "alone"],
)
def test_one_thread_computes_before_the_call_returns(tmp_path, begin, threads, at_once):
    code = f"""
from pathlib import Path
import jax
from experiments import cli
from experiments.catalogue.experiments import EXPERIMENTS
from launch import run as launch_run
from launch.runs.run_directory import create

def launch(*_, **__):
    product = jax.jit(lambda matrix: matrix @ matrix @ matrix)
    matrix = jax.numpy.ones((1_500, 1_500))
    product(matrix).block_until_ready()
    print("at once:", product(matrix).is_ready())

launch_run.run_experiment = launch
{begin}
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "NPROC": threads},
        capture_output=True,
        text=True,
    )
    assert f"at once: {at_once}\n" in done.stdout, done.stderr


@pytest.mark.slow
def test_a_seed_side_by_side_with_others_equals_the_seed_alone(tmp_path):
    line = ["dqn/catch", *QUICK]
    both = start(tmp_path / "both", *line, "--seeds", "2", "--parallel", "2")
    out = both.communicate(timeout=100)[0].splitlines()
    assert both.returncode == 0
    assert [row.split("  ")[0] for row in out[-3:]] == [
        "seed 0",
        "seed 1",
        "mean over 2 seeds",
    ]
    alone = start(tmp_path / "alone", *line, "--seed", "1", **side_by_side._ONE_THREAD)
    alone.communicate(timeout=60)
    assert alone.returncode == 0
    [beside] = (tmp_path / "both/dqn/catch").glob("seed1-*")
    [single] = (tmp_path / "alone/dqn/catch").glob("seed1-*")
    for name in ("metrics.csv", "evaluations.csv"):
        assert rows(beside / name) == rows(single / name)
    assert len(rows(beside / "evaluations.csv")) == 2
    assert "600/600 steps" in (beside / side_by_side.LOG).read_text()
    [other] = (tmp_path / "both/dqn/catch").glob("seed0-*")
    assert rows(other / "metrics.csv") != rows(beside / "metrics.csv")


def test_xla_makes_one_thread_only():
    code = """
import os, time, jax, jax.numpy as jnp
x = jnp.ones((1500, 1500))
f = jax.jit(lambda x: x @ x)
f(x).block_until_ready()
def used(thread):
    with open(f"/proc/self/task/{thread}/stat") as file:
        return int(file.read().rsplit(")", 1)[1].split()[11])
before = {thread: used(thread) for thread in os.listdir("/proc/self/task")}
start = time.process_time()
while time.process_time() - start < 1.5:
    f(x).block_until_ready()
spent = [used(thread) - ticks for thread, ticks in before.items()]
print(sum(spent) - max(spent), max(spent))
"""
    command = [sys.executable, "-c", code]
    env = {**os.environ, **side_by_side._ONE_THREAD}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    rest, most = map(int, done.stdout.split())
    assert rest < 0.1 * most, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_has_every_run_save_itself_once(number, tmp_path):
    launcher = start(tmp_path, "dqn/catch", *ENDLESS, "--seeds", "3", "--parallel", "2")
    wait_for(lambda: two_have_learned(tmp_path))
    launcher.send_signal(number)
    out, err = launcher.communicate(timeout=60)
    assert launcher.returncode == errors.exit_code(number)
    assert err.splitlines()[-1].endswith("; continue with the same command")
    overview, *lines = out.splitlines()
    assert overview == "3 runs: 3 to start"
    directories = [Path(line) for line in lines]
    assert len(directories) == 2  # the third never started
    for directory in directories:
        [checkpoint] = (directory / "checkpoints").iterdir()
        assert int(checkpoint.name) > 0
        log = (directory / side_by_side.LOG).read_text()
        assert log.count(f"stopped by {number.name}") == 1


@pytest.mark.slow
def test_a_killed_launcher_leaves_no_orphan(tmp_path):
    launcher = start(tmp_path, "dqn/catch", *ENDLESS, "--seeds", "2", "--parallel", "2")
    wait_for(lambda: two_have_learned(tmp_path))
    children = psutil.Process(launcher.pid).children()
    assert len(children) == 2
    launcher.kill()
    launcher.communicate()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    assert len(list(tmp_path.glob("dqn/catch/*/checkpoints/*"))) == 2  # they saved


# This process has used JAX by now; a launcher never has.
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")
def test_a_run_that_fails_is_named_and_the_others_end(tmp_path, monkeypatch, capfd):
    command = side_by_side.Child.__init__

    def spoilt(self, entry, directory, *rest):
        if entry.experiment.seed == 0:
            (directory / "config.yaml").write_text("experiment: {agent_name: spoilt}")
        command(self, entry, directory, *rest)

    monkeypatch.setattr(side_by_side.Child, "__init__", spoilt)
    line = ["train", "dqn/catch", *QUICK, "--runs", str(tmp_path), "--seeds", "2"]
    assert cli.main(line) == 1
    err = capfd.readouterr().err
    assert "dqn/catch seed 0 failed (exit code 2); its last lines, from " in err
    assert "there is no agent 'spoilt'" in err
    assert err.splitlines()[-1] == ("munchausen: 1 of 2 runs failed: dqn/catch seed 0")
    [finished] = tmp_path.glob("dqn/catch/seed1-*")
    assert len(rows(finished / "evaluations.csv")) == 2


@pytest.mark.parametrize(
    "environment, files, alone",
    [
        ({}, [], False),
        ({}, ["nvidiactl"], False),
        ({}, ["nvidiactl", "nvidia0"], True),
        ({"JAX_PLATFORMS": "cpu"}, ["nvidia0"], False),
        ({"CUDA_VISIBLE_DEVICES": ""}, ["nvidia0"], False),
        ({"CUDA_VISIBLE_DEVICES": "1"}, ["nvidia0", "nvidia1"], True),
        ({}, ["accel0"], True),
    ],
)
def test_runs_share_cores_but_no_accelerator(environment, files, alone, tmp_path):
    for name in files:
        (tmp_path / name).touch()
    cores = len(os.sched_getaffinity(0))
    expected = 1 if alone else cores
    assert side_by_side.default_parallel(environment, tmp_path) == expected


def test_runs_at_once_are_at_most_all_runs():
    assert side_by_side.at_once(5, 3) == 3
    assert side_by_side.at_once(2, 3) == 2


def test_a_run_that_another_process_took_since_the_plan_is_left_to_it(tmp_path, capsys):
    directory = run_directory.create(tmp_path, EXPERIMENTS["dqn/catch"])
    before = (directory / "config.yaml").read_bytes()
    entry = Entry(EXPERIMENTS["dqn/catch"], state="missing")
    told = []
    with locked(directory):
        found = side_by_side.run(
            [entry], str(tmp_path), 1, ended=lambda *each: told.append(each)
        )
    assert found == {entry: directory}
    assert told == [(entry, directory, False)]
    assert capsys.readouterr().out == f"{directory}  held by another process\n"
    assert (directory / "config.yaml").read_bytes() == before
    assert sorted(path.name for path in directory.iterdir()) == [".lock", "config.yaml"]


@pytest.mark.slow
def test_the_same_command_twice_at_once_shares_the_runs(tmp_path):
    short = [each.replace("600", "60").replace("300", "60") for each in QUICK]
    line = ["sweep", "dqn/catch", *short, "--agent.discount", "0.5,0.9,0.99"]
    line += ["--seeds", "2", "--parallel", "1", "--runs", str(tmp_path)]
    command = [sys.executable, "-m", "experiments.cli", *line]
    launchers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    outputs = [launcher.communicate(timeout=240)[0] for launcher in launchers]
    assert [launcher.returncode for launcher in launchers] == [0, 0]
    runs = list(tmp_path.glob("dqn/catch/seed*"))
    assert len(runs) == 6
    for directory in runs:
        [evaluation] = rows(directory / "evaluations.csv")
        assert evaluation["grid"] == "60"
        # One of the launchers ran it, and the other one has passed it over.
        lines = [
            line
            for output in outputs
            for line in output.splitlines()
            if line.split("  ")[0] == str(directory)
        ]
        ran = [each for each in lines if not each.endswith(("complete", "process"))]
        assert len(ran) == 1 and len(lines) <= 2
