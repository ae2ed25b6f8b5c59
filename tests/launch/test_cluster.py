"""A cluster as a user describes it."""

import pytest

from launch.cluster import HERE, Cluster, split_actors


def test_by_default_ray_runs_on_this_machine_and_chooses_ports():
    assert (HERE.address, HERE.hosts(), HERE.port_range()) == ("", {}, (0, 0))


def test_places_and_ports():
    chosen = ("learner=gpu1", "evaluator=10.0.0.7", "learner=gpu2")
    cluster = Cluster("auto", chosen, "7100-7219")
    assert cluster.hosts() == {"learner": ("gpu1", "gpu2"), "evaluator": ("10.0.0.7",)}
    assert cluster.port_range() == (7100, 7219)


@pytest.mark.parametrize(
    "place", (("actor=gpu1",), ("learner",), ("learner=",), ("replay=a", "replay=b"))
)
def test_a_place_must_be_a_role_and_a_host(place):
    with pytest.raises(ValueError) as error:
        Cluster(place=place)
    assert str(error.value) == (
        "place must be role=HOST with a role of learner, replay, coordinator, "
        f"evaluator, each once, or once for each learner, got {place[-1]!r}"
    )


@pytest.mark.parametrize("ports", ("7000", "7002-7000", "80-90", "7000-7001", "1-2-3"))
def test_ports_must_be_a_range_of_three(ports):
    with pytest.raises(ValueError) as error:
        Cluster(ports=ports)
    assert str(error.value) == (
        "ports must be LOW-HIGH, at least three ports between 1024 and 65535, got "
        f"{ports!r}"
    )


def test_a_client_of_ray_is_refused():
    with pytest.raises(ValueError, match="got 'ray://head:10001': start the program"):
        Cluster("ray://head:10001")


def test_bounds_of_actors():
    assert split_actors("3..17") == (3, 17)
    assert split_actors("17") is None


@pytest.mark.parametrize("text", ("0..3", "5..5", "7..2"))
def test_bounds_must_rise(text):
    with pytest.raises(ValueError) as error:
        split_actors(text)
    assert str(error.value) == (
        f"actors must be N or LOW..HIGH with 1 <= LOW < HIGH, got {text}"
    )
