"""Evaluating a saved policy: equal seeds give equal returns, episodes are new."""

from launch.policies.evaluate import evaluate_run
from launch.runs import logs


def test_a_saved_policy_is_evaluated_reproducibly(finished):
    run = finished[0]
    returns = evaluate_run(run, episodes=20, seed=3).returns
    assert len(returns) == 20 and set(returns) <= {-1.0, 1.0}
    assert returns == evaluate_run(run, episodes=20, seed=3).returns
    assert returns != evaluate_run(run, episodes=20, seed=4).returns


def test_with_the_runs_own_seed_episodes_differ_from_its_last_evaluation(finished):
    run = finished[0]
    last = logs.read_evaluations(run)[-1]
    assert evaluate_run(run, episodes=20, seed=0).returns != last.returns
