"""Which runs of a figure count as complete, and how the others are resumed."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from experiments import cli
from experiments.names import FIGURES
from experiments.verbs import train_arguments
from launch.runs import logs

NAME = "leverage/cartpole"
DQN, MDQN = f"{NAME}_dqn", f"{NAME}_mdqn"


def test_several_seeds_are_continued_and_a_single_run_starts_anew():
    for name in (DQN, "dqn/catch"):
        assert train_arguments.plan([name, "--seeds", "2"]).continued
        assert not train_arguments.plan([name]).continued


TINY = (
    "--seeds 1 --steps 9000 --evaluation.period 3000 --evaluation.episodes 2 "
    "--checkpoint.period 500 --agent.network.hidden 11"
).split()


# This process may have used JAX by now; a launcher never has.
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")
@pytest.mark.slow
def test_a_figure_is_resumed_after_a_kill(tmp_path, capsys):
    line = ["train", "munchausen/cartpole", *TINY, "--runs", str(tmp_path)]
    line += ["--parallel", "2"]
    launcher = subprocess.Popen(
        [sys.executable, "-m", "experiments.cli", *line],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 100
    # Both have begun, and neither comes near its end before the kill.
    saved = "munchausen/*/*/checkpoints/*/manifest.json"
    while len({path.parents[2] for path in tmp_path.glob(saved)}) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    launcher.send_signal(signal.SIGKILL)
    launcher.wait()
    begun = set(tmp_path.glob("munchausen/*/*"))
    time.sleep(3)  # for the runs to save themselves and end
    assert cli.main(line) == 0
    count = len(FIGURES["munchausen/cartpole"].experiments)
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"{count} runs: {count - 2} to start, 2 to resume"
    assert begun < set(tmp_path.glob("munchausen/*/*")) or count == 2
    for directory in tmp_path.glob("munchausen/*/seed*"):
        grid = [row.grid for row in logs.read_evaluations(directory)]
        np.testing.assert_array_equal(grid, [3000, 6000, 9000])
    assert cli.main(line) == 0
    assert capsys.readouterr().out.splitlines()[0] == (
        f"{count} runs: 0 to start, {count} complete"
    )
