"""The messages of errors, and the names of settings in them."""

import pickle
import signal

import pytest

from launch import errors


def test_a_signal_is_named_and_its_number_kept():
    error = errors.Interrupted(signal.SIGTERM)
    assert (str(error), error.signal) == ("stopped by SIGTERM", 15)
    stopped = errors.RunStopped("stopped; nothing was saved yet", signal.SIGINT)
    assert (str(stopped), stopped.signal) == ("stopped; nothing was saved yet", 2)


def test_a_dataset_error_is_a_run_directory_error_and_a_value_error():
    for caught in (errors.RunDirectoryError, ValueError):
        with pytest.raises(caught, match="row 7"):
            raise errors.DatasetError("row 7")


class Refused(ValueError):
    """An error such as agents and environments raise for an invalid field."""

    field = "steps"

    def message(self, name):
        return f"{name} must be even"


def test_a_refused_field_is_named_by_its_flag_the_agents_first(catch):
    experiment = catch()
    error = Refused()
    assert errors.in_flags(error, experiment) == "--steps must be even"
    error.field = "discount"
    assert errors.in_flags(error, experiment) == "--agent.discount must be even"
    error.field = "network.hidden"
    assert errors.in_flags(error, experiment) == "--agent.network.hidden must be even"


def test_an_uneven_batch_names_the_flags_that_have_its_size(catch):
    error = errors.UnevenBatch(9, 8)
    said = " must be a multiple of the 8 devices that share a batch, got 9"
    assert str(error) == f"the batch size{said}"
    assert errors.in_flags(error, catch()) == f"the batch size{said}"
    nine = catch({"agent.storage.batch_size": 9})
    assert errors.in_flags(error, nine) == f"--agent.storage.batch_size{said}"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_other_messages_become_one_line(catch):
    assert errors.in_flags(ValueError("one\n  two"), catch()) == "one two"
