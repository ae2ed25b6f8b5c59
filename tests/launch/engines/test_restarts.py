"""The budget of restarts, on a made-up clock without jitter."""

import pytest

from launch.engines.restarts import Budget, NoRestart, Restarts

LONGEST = 0.999999  # so that a wait is as long as it can be


def restarts(**budget):
    return Restarts(Budget(**budget), jitter=lambda: LONGEST)


def waits(record, times, *, lived=30.0, life=5):
    return [
        round(record.wait(now, life=life, lived=lived, reported=True), 3)
        for now in times
    ]


def test_each_wait_is_twice_the_one_before_up_to_a_minute():
    assert waits(restarts(), range(0, 900, 100)) == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_jitter_takes_away_up_to_half_of_a_wait():
    record = Restarts(Budget(first_wait=3.0), jitter=lambda: 0.0)
    assert waits(record, [0, 1]) == [1.5, 3.0]


def test_a_healthy_life_starts_the_waiting_again():
    record = restarts()
    assert waits(record, [0, 50, 100]) == [1, 2, 4]
    assert waits(record, [800], lived=600.0) == [1]
    assert waits(record, [830]) == [2]


def test_the_eleventh_death_within_an_hour_is_the_last():
    record = restarts()
    waits(record, range(0, 3000, 300))
    with pytest.raises(NoRestart, match=r"^it died 11 times in 60 minutes$") as caught:
        waits(record, [3600])
    assert not caught.value.misconfigured


def test_restarts_of_more_than_an_hour_ago_do_not_count():
    record = restarts()
    waits(record, range(0, 3000, 300))
    assert waits(record, [3601])


@pytest.mark.parametrize("silent", [2, 3])
def test_a_role_that_never_reports_is_taken_as_misconfigured(silent):
    record = restarts(silent_lives=silent)
    for life in range(silent - 1):
        record.wait(life, life=life, lived=1.0, reported=False)
    said = rf"^it died {silent} times before its first report$"
    with pytest.raises(NoRestart, match=said) as caught:
        record.wait(9, life=silent - 1, lived=1.0, reported=False)
    assert caught.value.misconfigured


def test_one_report_in_any_life_shows_that_the_settings_are_right():
    record = restarts()
    record.wait(0, life=0, lived=1.0, reported=True)
    for life in range(1, 6):
        record.wait(life, life=life, lived=1.0, reported=False)
