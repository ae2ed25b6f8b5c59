"""The rate limiter of the Reverb table: its tolerance, and which side it holds up."""

import math
from typing import TYPE_CHECKING, NamedTuple

from agents.parts.contract import Storage

if TYPE_CHECKING:
    import reverb

TABLE = "replay"


class LimiterState(NamedTuple):
    """The table's counters, and whether the limiter holds up learner or actors.

    Attributes:
        size: transitions in the table.
        inserted: transitions inserted so far.
        sampled: transitions sampled so far.
        missing_inserts: inserts needed before the next sample; 0 if it may go ahead.
        missing_samples: samples needed before the next insert; 0 if it may go ahead.
    """

    size: int
    inserted: int
    sampled: int
    missing_inserts: int
    missing_samples: int


def error_buffer(storage: Storage) -> float:
    """Tolerance of the limiter, in samples.

    Once `min_size` transitions are stored, the server keeps

        |samples - samples_per_insert * (inserts - min_size)| <= error_buffer

    It is a tenth of the samples owed for `min_size` inserts, so that actor and learner
    need not wait for each other at every turn, and at least two inserts' worth of
    samples and two batches, so that neither can starve the other for good.
    """
    spi = storage.samples_per_insert
    return max(0.1 * storage.min_size * spi, 2 * max(1.0, spi, storage.batch_size))


def describe_all(client: "reverb.Client", name: str) -> list[str]:
    """A readable line for each table of a server.

    Args:
        client: of the server.
        name: of the server; a queue has its own.

    Raises:
        RuntimeError: the server does not answer within ten seconds.
    """
    return [
        describe(limiter_state(client, table), name if table == TABLE else table)
        for table in sorted(client.server_info(timeout=10))
    ]


def describe(state: LimiterState, name: str = "replay") -> str:
    """One readable line: the counters, which side waits, and for how many items."""
    if state.missing_inserts:
        waits = f"the learner waits for {state.missing_inserts} inserts"
    elif state.missing_samples:
        waits = f"the actors wait for {state.missing_samples} samples"
    else:
        waits = "no role waits for the rate limiter"
    return (
        f"{name}: {state.size} transitions, {state.inserted} inserted, "
        f"{state.sampled} sampled; {waits}"
    )


def limiter_state(client: "reverb.Client", table: str = TABLE) -> LimiterState:
    """Asks the server for the current state of a table's rate limiter.

    Args:
        client: of the server.
        table: name of the table.

    Raises:
        RuntimeError: the server does not answer within ten seconds.
    """
    info = client.server_info(timeout=10)[table]
    limiter = info.rate_limiter_info
    spi = limiter.samples_per_insert
    inserted = limiter.insert_stats.completed
    sampled = limiter.sample_stats.completed
    error = spi * inserted - sampled
    missing_inserts = max(
        limiter.min_size_to_sample - info.current_size,
        math.ceil((limiter.min_diff + 1 - error) / spi),
        0,
    )
    missing_samples = 0
    if info.current_size >= limiter.min_size_to_sample:
        missing_samples = max(math.ceil(error + spi - limiter.max_diff), 0)
    return LimiterState(
        info.current_size, inserted, sampled, missing_inserts, missing_samples
    )
