"""A run imports its own agent and environment only, and no report."""

import subprocess
import sys
from pathlib import Path

import pytest

RUN = """
import sys
from experiments import cli
line = "train mdqn/cartpole --steps 600 --evaluation.period 600 --evaluation.episodes 1"
assert cli.main([*line.split(), "--runs", sys.argv[1]]) == 0
ours = ("agents", "environments", "launch", "experiments")
for name, module in sorted(sys.modules.items()):
    if name.split(".")[0] in ours:
        print("imported", name, module.__file__)
"""


@pytest.mark.slow
def test_a_run_imports_little_more_than_it_needs(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = [
        line.split()[1:] for line in done.stdout.splitlines() if "imported" in line
    ]
    files = {name: Path(file) for name, file in found}
    assert {"agents.mdqn", "environments.classic"} <= files.keys()
    unused = {
        "agents.dqn",
        "environments.action_scaling",
        "environments.atari",
        "launch.datasets.load",
        "launch.reach",
        "launch.replay.relaid",
    }
    assert not unused & files.keys()
    assert not any(name.startswith("experiments.papers") for name in files)
    assert len(files) <= 88
    assert sum(len(file.read_text().splitlines()) for file in files.values()) <= 13_400


def test_a_mistake_is_reported_before_launch_is_imported():
    code = (
        "import sys; from experiments import cli; cli.main(['train', 'mdqn/pnog']);"
        "print({'optax', 'launch.run', 'agents.mdqn'} & sys.modules.keys() or 'none')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "none"
