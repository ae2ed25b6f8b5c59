"""Where episodes end in files that do not mark all ends: no transition is false.

Each file is made of episodes whose observations hold the episode's number and the step,
so a false transition is one whose observations have different episodes.
"""

import numpy as np
import pytest

from launch.datasets import d4rl_layout
from launch.datasets.source_environment import Native
from launch.errors import DatasetError
from tests.launch.datasets.random_data import spec_of

SPEC = spec_of(observation=2, action=1)
LIMIT = Native(episode_steps=10, exact=True)
UNKNOWN = Native()


def episodes(lengths, terminated=(), unmarked=()):
    """Columns of episodes; those in `terminated` terminate, the others are cut short.

    Args:
        lengths: steps of each episode.
        terminated: numbers of the episodes that terminate.
        unmarked: numbers of the episodes whose cut has no flag.
    """
    number = np.repeat(np.arange(len(lengths)), lengths)
    step = np.concatenate([np.arange(length) for length in lengths])
    last = step == np.repeat(lengths, lengths) - 1
    terminal = last & np.isin(number, terminated)
    return {
        "observations": np.stack([number, step], axis=1).astype(np.float32),
        "actions": np.zeros((len(step), 1), np.float32),
        "rewards": step.astype(np.float32),
        "terminals": terminal,
        "timeouts": last & ~terminal & ~np.isin(number, unmarked),
        "next_observations": np.stack([number, step + 1], axis=1).astype(np.float32),
    }


def without(columns, *keys):
    return {key: column for key, column in columns.items() if key not in keys}


def rows(columns, chosen):
    return {key: column[chosen] for key, column in columns.items()}


@pytest.fixture
def read(written_hdf5):
    """Reads columns, checks that no transition is false, and returns the dataset."""

    def read(columns, native=LIMIT):
        dataset = d4rl_layout.read(written_hdf5(columns), SPEC, native)
        step = dataset.transitions
        lives = step.discount == 1
        before, after = step.observation[lives], step.next_observation[lives]
        assert np.all(after - before == [0, 1])
        assert all("\n" not in note for note in dataset.notes)
        return dataset

    return read


# As a replay: cut at 4 where training paused; the full episode 3 lacks its flag.
REPLAY = episodes([7, 4, 10, 10, 5], terminated=[0, 4], unmarked=[3])


def test_a_full_episode_without_a_flag_is_cut_at_the_environments_limit(read):
    dataset = read(without(REPLAY, "next_observations"))
    assert dataset.size == 36 - 3  # the last steps of the episodes 1, 2 and 3
    assert np.flatnonzero(dataset.ends).tolist() == [6, 9, 18, 27, 32]
    [note] = dataset.notes
    assert note.endswith(
        "data.hdf5: timeouts: an episode is taken to be cut short at row 30: it has "
        "reached the environment's 10 steps there, and no flag is set"
    )


def test_with_next_observations_nothing_is_left_out(read):
    dataset = read(REPLAY)
    assert dataset.size == 36
    assert np.flatnonzero(dataset.ends).tolist() == [6, 10, 20, 30, 35]
    assert "to end at row 30: next_observations differs" in dataset.notes[0]


@pytest.mark.parametrize("lengths", [[10, 4, 6], [4, 10, 6], [10, 10, 3], [3, 10, 10]])
def test_a_full_episode_may_be_before_or_after_a_short_one_that_is_cut(read, lengths):
    columns = episodes(lengths, terminated=[], unmarked=[0])
    if lengths[1] == 10:
        columns["timeouts"][sum(lengths[:2]) - 1] = True
    dataset = read(without(columns, "next_observations"))
    assert dataset.size >= sum(lengths) - 5


def test_flags_that_are_all_zero_are_completed_or_refused_with_a_remedy(read):
    columns = episodes([10, 10, 5], unmarked=[0, 1, 2])
    assert read(without(columns, "next_observations")).size == 9 + 9 + 4
    assert read(columns, UNKNOWN).size == 25
    with pytest.raises(DatasetError, match=r"row 24: no row is marked .* set timeouts"):
        read(without(columns, "next_observations"), UNKNOWN)


def test_missing_timeouts_of_an_unknown_limit_are_refused_and_the_advice_is_right(read):
    columns = episodes([5, 9, 3], terminated=[1])
    bare = without(columns, "timeouts", "next_observations")
    with pytest.raises(DatasetError) as error:
        read(bare, UNKNOWN)
    assert str(error.value).endswith(
        "timeouts are missing, and the environment has no known number of steps at "
        "which it cuts episodes short: set timeouts to 1 in the last row of each "
        "episode that was cut short, and to 0 elsewhere, or add next_observations"
    )
    marked = bare | {"timeouts": columns["timeouts"]}
    assert read(marked, UNKNOWN).size == 4 + 9 + 2
    known = bare | {"next_observations": columns["next_observations"]}
    assert read(known, UNKNOWN).size == 17


def qlearning(columns):
    """What D4RL's `qlearning_dataset` returns: no cut steps, no timeouts."""
    return without(rows(columns, ~columns["timeouts"]), "timeouts")


SAVED = qlearning(episodes([10, 10, 4, 10, 10], terminated=[2]))


@pytest.mark.parametrize("native", [LIMIT, UNKNOWN])
def test_saved_transitions_are_read_as_they_are(read, native):
    dataset = read(SAVED, native)
    assert dataset.size == 9 + 9 + 4 + 9 + 9
    assert np.flatnonzero(dataset.ends).tolist() == [8, 17, 21, 30, 39]
    [note] = dataset.notes
    assert "end at 3 rows (the first is row 8): next_observations differs" in note


def test_transitions_in_any_order_are_read_as_they_are(read):
    order = np.random.default_rng(3).permutation(40)
    dataset = read(rows(SAVED, order), LIMIT)
    assert dataset.transitions.reward.tolist() == SAVED["rewards"][order].tolist()


def test_saved_transitions_without_next_observations_are_refused(read):
    bare = without(SAVED, "next_observations")
    with pytest.raises(DatasetError) as error:
        read(bare)
    assert (
        "data.hdf5: timeouts are missing, and the 18 rows after the last termination "
        "are a multiple of 9: the last step of each episode that was cut short seems "
        "to be left out, as D4RL's qlearning_dataset does; set timeouts"
    ) in str(error.value)
    timeouts = np.zeros(40, bool)
    timeouts[[8, 17, 30, 39]] = True  # as advised
    assert read(bare | {"timeouts": timeouts}).size == 40 - 4


def test_next_observations_that_are_only_the_next_rows_are_found(read):
    columns = episodes([10, 10, 4, 6], terminated=[2])
    columns["next_observations"] = np.roll(columns["observations"], -1, axis=0)
    columns = rows(columns, slice(-1))  # the last row's would be the first row
    for made in (columns, without(columns, "timeouts")):
        dataset = read(made)
        assert dataset.size == 29 - 2
        assert "left out 2 rows (the first is row 9)" in dataset.notes[-1]


def test_files_without_flags_are_cut_as_by_d4rl_and_a_line_tells_so(read):
    columns = episodes([4, 10, 7, 10, 3], terminated=[0, 2, 3])
    dataset = read(without(columns, "timeouts", "next_observations"))
    assert dataset.size == 4 + 9 + 7 + 10 + 2
    assert (
        "cut short after each 10 steps, as in version 0 of D4RL (1 are)"
        in (dataset.notes[0])
    )


def test_one_step_episodes_are_read(read):
    columns = episodes([1] * 7, terminated=range(7))
    assert read(columns).size == 7
    assert read(without(columns, "next_observations")).size == 7
    assert read(rows(columns, slice(1))).size == 1


def test_a_sound_file_needs_no_line(read):
    columns = episodes([10, 4, 10], terminated=[1])
    assert read(columns).notes == ()
    assert read(without(columns, "next_observations")).notes == ()
