"""The rate limiter: its tolerance, and which side it holds up."""

from types import SimpleNamespace

import pytest

from agents.parts.contract import Storage
from launch.replay import limiter


@pytest.mark.parametrize(
    ("missing_inserts", "missing_samples", "said"),
    [
        (5, 0, "the learner waits for 5 inserts"),
        (0, 3, "the actors wait for 3 samples"),
        (0, 0, "no role waits for the rate limiter"),
    ],
)
def test_description_names_the_side_that_waits(missing_inserts, missing_samples, said):
    state = limiter.LimiterState(11, 13, 17, missing_inserts, missing_samples)
    assert limiter.describe(state).endswith(said)


@pytest.mark.parametrize(
    "min_size, spi, batch_size, samples",
    [
        (1_000, 8.0, 32, 800.0),  # a tenth of 8,000 samples
        (100, 0.5, 32, 64.0),  # two batches
        (5, 300.0, 32, 600.0),  # two inserts' worth
    ],
)
def test_the_tolerance_lets_neither_side_starve(min_size, spi, batch_size, samples):
    storage = Storage(min_size=min_size, samples_per_insert=spi, batch_size=batch_size)
    assert limiter.error_buffer(storage) == samples


class Client:
    """Stands in for the client of a server with this table."""

    def __init__(self, size, inserted, sampled, spi, error):
        self._table = SimpleNamespace(
            current_size=size,
            rate_limiter_info=SimpleNamespace(
                samples_per_insert=spi,
                min_size_to_sample=20,
                min_diff=spi * 20 - error,
                max_diff=spi * 20 + error,
                insert_stats=SimpleNamespace(completed=inserted),
                sample_stats=SimpleNamespace(completed=sampled),
            ),
        )

    def server_info(self, timeout):
        return {limiter.TABLE: self._table}


@pytest.mark.parametrize(
    "size, inserted, sampled, missing",
    [
        (7, 7, 0, (13, 0)),  # 20 are wanted before the first sample
        (20, 20, 0, (0, 0)),
        # 2 samples an insert, 10 of tolerance: 2 * 30 - 40 = 20 is between 30 and 50.
        (30, 30, 40, (10 // 2 + 1, 0)),
        (30, 30, 12, (0, 0)),
        (30, 30, 5, (0, 7)),  # 60 - 5 + 2 is 7 above 50
    ],
)
def test_the_side_ahead_waits_for_missing_items(size, inserted, sampled, missing):
    client = Client(size, inserted, sampled, spi=2.0, error=10.0)
    state = limiter.limiter_state(client)
    assert state == (size, inserted, sampled, *missing)
