"""The rate limiter: its tolerance, and who waits for whom."""

import pytest

from launch.replay import limiter


@pytest.mark.parametrize(
    ("missing_inserts", "missing_samples", "said"),
    [
        (5, 0, "the learner waits for 5 inserts"),
        (0, 3, "the actors wait for 3 samples"),
        (0, 0, "nobody waits for the rate limiter"),
    ],
)
def test_limiter_says_who_waits_for_whom(missing_inserts, missing_samples, said):
    state = limiter.LimiterState(11, 13, 17, missing_inserts, missing_samples)
    assert limiter.describe(state).endswith(said)
