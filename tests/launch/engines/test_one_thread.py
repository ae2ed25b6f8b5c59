"""Whole runs in one thread: reproducible, exact, free of servers, and they learn."""

import pytest

from launch.runs import logs, run_directory
from launch.runs.logs import read_evaluations
from tests.launch.local_runs import run_local


def test_equal_seeds_give_equal_logs_and_other_seeds_do_not(finished, untimed):
    first, second, other = map(untimed, finished)
    assert first == second
    for log in first:
        assert first[log] and first[log] != other[log]


def test_evaluations_lie_on_the_grid(finished):
    for directory in finished:
        rows = read_evaluations(directory)
        assert [row.grid for row in rows] == [100, 200, 300]
        for row in rows:
            assert 0 <= row.counts.actor_steps - row.grid < 3, "lanes step together"
            assert row.counts.frames == row.counts.actor_steps
            assert (len(row.returns), row.lengths) == (20, [9] * 20)


def test_samples_per_insert_is_exact(finished, untimed):
    for directory in finished:
        counts = [row.counts for row in read_evaluations(directory)]
        counts += [
            logs.Counts(*(row[name] for name in logs.Counts._fields))
            for row in untimed(directory)["metrics.jsonl"]
        ]
        assert len(counts) > 6
        for now in counts:
            samples = 3.5 * max(now.actor_steps - 120, 0)
            assert now.learner_steps == samples // 32


def test_every_role_reports(finished, untimed):
    rows = untimed(finished[0])["metrics.jsonl"]
    assert {row["role"] for row in rows} == {"actor", "learner", "evaluator"}
    expected = {"episode_return", "q_loss", "discounted_return"}
    assert all(expected & row.keys() for row in rows)


def test_mdqn_learns_catch_to_the_optimum(catch, tmp_path):
    settings = {
        "steps": 4_000,
        "evaluation.period": 4_000,
        "evaluation.episodes": 30,
        "agent.network.hidden": (64,),
    }
    experiment = catch(settings)
    directory = run_directory.create(tmp_path, experiment)
    returns = run_local(experiment, directory)
    assert returns == read_evaluations(directory)[-1].returns
    assert returns == [1.0] * 30


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", ["dqn/catch", "mdqn/catch"])
def test_catch_is_learnt_from_any_seed(catch, tmp_path, name, seed):
    settings = {"steps": 10_000, "seed": seed, "agent.network.hidden": (64,)}
    settings |= {"evaluation.episodes": 30, "evaluation.period": 2_000}
    experiment = catch(settings, name)
    directory = run_directory.create(tmp_path, experiment)
    returns = run_local(experiment, directory)
    assert returns == [1.0] * 30
