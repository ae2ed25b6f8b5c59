"""Runs of each kind that begin with the weights of an experiment trained first."""

import pytest


@pytest.mark.slow
@pytest.mark.timeout(500)
@pytest.mark.parametrize("launch", ["local", "threads", "processes"])
def test_a_run_begins_with_a_policy_that_has_learned(launch, command):
    """Catch is solved by the first weights; a new network needs thousands of steps."""
    line = "train mdqn/catch --initial.q dqn/catch --steps 400 --evaluation.period 200"
    command.munchausen(f"{line} --launch {launch}")
    code, out, err = command.wait(400)
    assert code == 0, err
    last = out.splitlines()[-1]
    assert last.startswith("seed 0  final evaluation return ")
    assert float(last.split()[5]) >= 0.8
