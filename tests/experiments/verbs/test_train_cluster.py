"""Flags of `train` that describe a cluster."""

import pytest

from experiments.flags import OverrideError
from experiments.verbs import train_arguments, train_cluster


def plan(line):
    return train_arguments.plan(line.split())


@pytest.mark.parametrize("actors", ("--actors 3..17", "--actors=3..17"))
def test_bounds_of_actors(actors):
    made = plan(f"mdqn/catch --launch ray {actors} --steps 5000")
    assert made.experiments[0].actors == 17
    assert (made.options.actors_at_least, made.options.cluster().elastic) == (3, True)


def test_a_plain_number_of_actors_is_no_bound():
    made = plan("mdqn/catch --launch ray --actors 5")
    assert made.experiments[0].actors == 5
    assert not made.options.cluster().elastic
    assert train_cluster.elastic(["--actors"]) == ["--actors"]


def test_a_cluster_with_places_and_ports():
    line = "--launch ray --address head:6379 --place learner=gpu1,replay=gpu1"
    cluster = plan(f"mdqn/catch {line} --ports 7000-7100").options.cluster()
    assert cluster.address == "head:6379"
    assert cluster.hosts() == {"learner": ("gpu1",), "replay": ("gpu1",)}
    assert cluster.port_range() == (7000, 7100)


@pytest.mark.parametrize(
    ("flags", "message"),
    (
        (
            "--i_have_a_firewall true",
            "--i_have_a_firewall is for --address, which joins a cluster: add that, or "
            "remove this",
        ),
        (
            "--launch ray --actors 7..3",
            "--actors must be N or LOW..HIGH with 1 <= LOW < HIGH, got 7..3",
        ),
        (
            "--launch processes --actors 3..7",
            "--actors LOW..HIGH is for --launch ray: add that, or remove this",
        ),
        (
            "--launch processes --address head:6379",
            "--address is for --launch ray: add that, or remove this",
        ),
        (
            "--launch ray --ports 90",
            "--ports must be LOW-HIGH, at least three ports between 1024 and 65535, "
            "got '90'",
        ),
        (
            "--launch ray --place learner",
            "--place must be role=HOST with a role of learner, replay, coordinator, "
            "evaluator, each once, or once for each learner, got 'learner'",
        ),
    ),
)
def test_mistakes(flags, message):
    with pytest.raises(OverrideError) as error:
        plan(f"mdqn/catch {flags}")
    assert str(error.value) == message
