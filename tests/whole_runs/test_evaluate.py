"""`munchausen evaluate` prints the mean return of the policy of a run."""

import numpy as np

from experiments import cli
from launch.policies.evaluate import evaluate_run
from tests.launch.local_runs import run_new


def test_the_command_line_evaluates_as_the_function_does(catch, tmp_path, capsys):
    run = run_new(tmp_path, catch({"environments": 3, "checkpoint.period": 150}))
    returns = evaluate_run(run, episodes=20, seed=3).returns
    assert cli.main(["evaluate", str(run), "--episodes", "20", "--seed", "3"]) == 0
    assert f"mean return {np.mean(returns):.4g} " in capsys.readouterr().out
