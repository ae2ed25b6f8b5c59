"""Figures of a distillation run."""

import pytest

from experiments.benchmarks.gkd_in_trl import Moment, figures


def test_first_updates_count_for_no_rate_and_generation_is_told_apart():
    # Two of five updates are skipped; the other three take 9 s, 3.6 of them generating.
    ends = [Moment(7, 2), Moment(40, 20), Moment(42, 21), Moment(46, 24)]
    ends += [Moment(47, 25), Moment(51, 30)]
    found = figures(
        {"skipped": 2}, ends, [30.0, 1.0, 2.0, 0.6, 1.0], [900, 900, 100, 60, 20]
    )
    assert found.pop("peak_megabytes") > 10
    assert found == pytest.approx(
        {
            "updates_per_second": 3 / 9,
            "tokens_per_second": 180 / 3.6,
            "seconds_of_an_update_alone": (9 - 3.6) / 3,
            "cpu_seconds_of_generation_and_update": 9 / 3,
            "seconds_to_first_update": 40,
            "cpu_seconds_to_first_update": 20,
            "tokens": 180,
        }
    )


def test_a_moment_counts_from_the_start_of_the_process():
    first, second = Moment.now(), Moment.now()
    assert 0 < first.wall <= second.wall
    assert 0 < first.cpu <= second.cpu
