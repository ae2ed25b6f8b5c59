"""Aggregates of runs, against numbers worked out by hand."""

import numpy as np
import pytest

from experiments.reporting import formats, read_runs, statistics
from tests.experiments.run_directories import metrics_row, write

POINTS = {50: [0.0, 2.0], 100: [10.0, 12.0]}


def groups_of(*paths):
    """Label and runs of the only environment."""
    (groups,) = read_runs.read([str(path) for path in paths]).groups.values()
    return {group.label: group.runs for group in groups}


def test_the_curve_is_the_mean_over_seeds_and_the_band_their_range(tmp_path):
    write(tmp_path, seed=0, evaluations=POINTS)
    write(tmp_path, seed=1, evaluations={50: [4.0], 100: [20.0]})
    write(tmp_path, seed=2, evaluations={50: [7.0], 100: [6.0]})
    curve = statistics.evaluation_curve(groups_of(tmp_path)["mdqn"])
    np.testing.assert_allclose(curve.x, [50, 100])
    np.testing.assert_allclose(curve.mean, [4.0, 37 / 3])
    np.testing.assert_allclose(curve.low, [1.0, 6.0])
    np.testing.assert_allclose(curve.high, [7.0, 20.0])


def test_a_skipped_point_is_interpolated_and_a_missing_end_is_drawn_apart():
    full = np.array([0.0, 10.0, 20.0, 30.0])
    curve = statistics.aggregate(
        [(full, np.array([0.0, 1.0, 2.0, 3.0])), (full[[0, 2]], np.array([4.0, 8.0]))]
    )
    np.testing.assert_allclose(curve.x, [0.0, 10.0, 20.0])
    np.testing.assert_allclose(curve.mean, [2.0, 3.5, 5.0])
    np.testing.assert_allclose(curve.high, [4.0, 6.0, 8.0])
    [(x, y)] = curve.apart
    assert x.tolist() == [20.0, 30.0] and y.tolist() == [2.0, 3.0]


def test_before_a_late_start_and_after_an_early_end_the_others_are_apart():
    long = (np.array([1.0, 2.0, 7.0]), np.array([10.0, 20.0, 70.0]))
    short = (np.array([3.0, 5.0]), np.array([0.0, 8.0]))
    curve = statistics.aggregate([long, short])
    # `long` is 30 at 3 and 50 at 5.
    np.testing.assert_allclose(curve.x, [3.0, 5.0])
    np.testing.assert_allclose(curve.mean, [15.0, 29.0])
    np.testing.assert_allclose(curve.low, [0.0, 8.0])
    (x0, y0), (x1, y1) = curve.apart
    assert x0.tolist() == [1.0, 2.0, 3.0] and y0.tolist() == [10.0, 20.0, 30.0]
    assert x1.tolist() == [5.0, 7.0] and y1.tolist() == [50.0, 70.0]


def test_runs_that_share_no_step_have_no_mean():
    pairs = [
        (np.array([1.0, 2.0]), np.array([5.0, 6.0])),
        (np.array([3.0]), np.array([9.0])),
    ]
    curve = statistics.aggregate(pairs)
    assert curve.x.size == curve.mean.size == curve.low.size == 0
    assert [x.tolist() for x, _ in curve.apart] == [[1.0, 2.0], [3.0]]


def test_a_metric_of_the_learner_is_averaged_in_bins_of_steps(tmp_path):
    rows = [
        metrics_row(10, "actor", 1.0, episode_return=0.0),
        metrics_row(10, "learner", 1.0, action_gap=0.25),
        metrics_row(99, "learner", 2.0, action_gap=float("nan")),
        metrics_row(100, "learner", 2.0, action_gap=2.0),
        metrics_row(100, "learner", 2.0, action_gap=7.0),
    ]
    write(tmp_path, seed=0, evaluations=POINTS, metrics=rows)
    other = [metrics_row(step, "learner", 1.0, action_gap=1.0) for step in (10, 100)]
    write(tmp_path, seed=1, evaluations=POINTS, metrics=other)
    runs = groups_of(tmp_path)["mdqn"]
    curve = statistics.metric_curve(runs, "action_gap")
    np.testing.assert_allclose(curve.x, [9.5, 99.5])
    # 0.25 and the mean of 2 and 7; seed 1 has 1 at both.
    np.testing.assert_allclose(curve.mean, [(0.25 + 1) / 2, (4.5 + 1) / 2])
    np.testing.assert_allclose(curve.high, [1.0, 4.5])
    assert statistics.metric_curve(runs, "entropy") is None


def test_training_returns_are_weighted_by_episodes(tmp_path):
    rows = [
        metrics_row(10, "actor", 1.0, episodes=1, episode_return=0.0),
        metrics_row(100, "actor", 2.0, episodes=4, episode_return=8.0),
        metrics_row(100, "learner", 2.0, episodes=4, q_loss=None),
    ]
    path = write(tmp_path, evaluations=POINTS, metrics=rows)
    (run,) = groups_of(path)["mdqn"]
    # 1 episode of return 0 and 3 of return 8, all within the last 400 frames.
    assert statistics.training_return(run, frames=400, window=400) == pytest.approx(6.0)
    assert statistics.training_return(run, frames=400, window=100) == pytest.approx(8.0)
    assert statistics.training_return(run, frames=401, window=400) is None
    curve = statistics.training_curve([run])
    np.testing.assert_allclose(curve.x, [9.5, 99.5])
    np.testing.assert_allclose(curve.mean, [0.0, 8.0])


def test_rates_are_steps_over_wall_time(tmp_path):
    rows = [metrics_row(steps, "learner", steps / 20) for steps in (20, 60, 100)]
    path = write(tmp_path, evaluations=POINTS, metrics=rows)
    (run,) = groups_of(path)["mdqn"]
    assert statistics.mean_rate(run, "actor_steps") == pytest.approx(20)
    assert statistics.mean_rate(run, "learner_steps") == pytest.approx(5)
    seconds, rate = statistics.rate(run, "actor_steps")
    np.testing.assert_allclose(seconds, [2.0, 4.0])
    np.testing.assert_allclose(rate, [20.0, 20.0])


def test_waiting_is_the_mean_share_of_each_role(tmp_path):
    rows = [
        metrics_row(10, "learner", 1.0, waiting_share=0.5),
        metrics_row(20, "learner", 2.0, learner_waiting_share=0.3),
        metrics_row(20, "actor", 2.0, insert_waiting_share=0.2),
        metrics_row(30, "actor", 3.0, insert_waiting_share=None),
    ]
    path = write(tmp_path, evaluations=POINTS, metrics=rows)
    found = statistics.waiting(groups_of(path)["mdqn"])
    assert found == pytest.approx({"learner": 0.4, "insert": 0.2})


def test_the_final_interval_is_students_over_seeds(tmp_path):
    for seed, value in enumerate([1.0, 2.0, 3.0]):
        write(tmp_path, seed=seed, evaluations={100: [value, value]})
    final = statistics.final_estimate(groups_of(tmp_path)["mdqn"])
    half = 4.302652729911275 / 3**0.5  # quantile for 2 degrees; deviation 1
    assert final == pytest.approx((2.0, 2.0 - half, 2.0 + half))


def test_the_interval_of_one_seed_is_over_its_episodes(tmp_path):
    write(tmp_path, evaluations={50: [9.0], 100: [1.0, 2.0, 3.0]})
    final = statistics.final_estimate(groups_of(tmp_path)["mdqn"])
    assert final.high - final.low == pytest.approx(2 * 4.302652729911275 / 3**0.5)


def test_huge_and_zero_returns_have_an_interval():
    half = 4.302652729911275 / 3**0.5
    huge = statistics.estimate([1e300, 2e300, 3e300])
    assert huge == pytest.approx((2e300, (2 - half) * 1e300, (2 + half) * 1e300))
    assert statistics.estimate([0.0, -0.0, 0.0]) == (0.0, 0.0, 0.0)


def test_one_value_has_no_interval():
    assert statistics.estimate([3.0]) == (3.0, None, None)
    assert formats.interval(statistics.estimate([3.0])) == formats.NONE


def test_final_numbers_are_at_the_last_step_that_all_runs_reach(tmp_path):
    write(tmp_path, seed=0, evaluations=POINTS)
    write(tmp_path, seed=1, evaluations={50: [100.0]})
    write(tmp_path, seed=2, evaluations={100: [7.0]})
    runs = groups_of(tmp_path)["mdqn"]
    assert statistics.final_returns(runs[:2]).tolist() == [1.0, 100.0]
    assert statistics.whole_run_return(runs[:2]) == pytest.approx(50.5)
    assert statistics.final_returns(runs[:1]).tolist() == [11.0]
    assert statistics.whole_run_return(runs[:1]) == pytest.approx(6.0)
    # Seed 2 has no evaluation up to step 50.
    assert statistics.final_returns(runs).tolist() == [1.0, 100.0]


def test_a_lost_return_costs_its_own_episodes_and_steps_only():
    metrics = [
        metrics_row(100, "actor", 1.0, 10, episode_return=1.0),
        metrics_row(200, "actor", 2.0, 17, episode_return=None),
        metrics_row(500, "actor", 3.0, 20, episode_return=30.0),
    ]
    average = statistics.training_average(metrics)
    assert average.by_episode == pytest.approx((10 * 1 + 3 * 30) / 13)
    assert average.by_step == pytest.approx((100 * 1 + 300 * 30) / 400)


def test_the_return_of_a_whole_run_by_episode_and_by_step(tmp_path):
    # 10 episodes of 1 in 100 steps, 2 of 50 in 100 steps, 1 of 300 in 300 steps.
    metrics = [
        metrics_row(100, "actor", 1.0, 10, episode_return=1.0),
        metrics_row(100, "learner", 1.0, 10, q_loss=9.0),
        metrics_row(200, "actor", 2.0, 12, episode_return=50.0),
        metrics_row(500, "actor", 3.0, 13, episode_return=300.0),
    ]
    whole = statistics.training_average(metrics)
    assert whole.by_episode == pytest.approx((10 * 1 + 2 * 50 + 300) / 13)
    assert whole.by_step == pytest.approx((100 * 1 + 100 * 50 + 300 * 300) / 500)
    part = statistics.training_average(metrics, 200)
    assert part.by_episode == pytest.approx(110 / 12)
    assert part.by_step == pytest.approx((100 * 1 + 100 * 50) / 200)
    assert statistics.training_average(metrics, 99) is None
    assert statistics.training_average(metrics[1:2]) is None


def test_evaluations_are_selected_by_the_frames_of_their_grid_point(tmp_path):
    # 4 frames a step: grid points 50 and 100 lie at 200 and 400 frames.
    write(tmp_path, evaluations={50: [1.0, 2.0], 100: [7.0]})
    [run] = groups_of(tmp_path)["mdqn"]
    assert statistics.evaluation_return(run, 400, 200) == 7.0
    assert statistics.evaluation_return(run, 400, 201) == pytest.approx((1.5 + 7.0) / 2)
    assert statistics.evaluation_return(run, 199, 100) is None


def test_the_window_of_training_returns_begins_after_its_first_frame(tmp_path):
    # 4 frames a step: rows at 40 and 400 frames; (40, 400] holds the second only.
    rows = [
        metrics_row(10, "actor", 1.0, episodes=1, episode_return=0.0),
        metrics_row(100, "actor", 2.0, episodes=4, episode_return=8.0),
    ]
    [run] = groups_of(write(tmp_path, evaluations=POINTS, metrics=rows))["mdqn"]
    assert statistics.training_return(run, frames=400, window=360) == 8.0
    assert statistics.training_return(run, frames=400, window=361) == 6.0
