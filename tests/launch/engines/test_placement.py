"""Where the roles of a program run."""

import pytest

from launch.engines import placement
from launch.engines.placement import Host
from launch.engines.program import Node
from launch.engines.restarts import Budget
from launch.surroundings import Unfit

HEAD = Host("k1", "head", "10.0.0.1", 3.0, 0.0)
GPU = Host("k2", "gpu1", "10.0.0.2", 8.0, 2.0)
FAR = Host("k3", "far", "10.0.0.3", 5.0, 0.0)
HOSTS = [HEAD, GPU, FAR]


def node(role, **values):
    return Node(role, make=None, stops=1, **values)


REPLAY = node("replay", listens=True)
COORDINATOR = node("coordinator", cpus=0.0)
LEARNER = node("learner", accelerators=True)
ACTORS = node("actor", replicas=7, restarts=Budget())
EVALUATOR = node("evaluator", restarts=Budget())
NODES = [REPLAY, COORDINATOR, LEARNER, ACTORS, EVALUATOR]


def test_by_default_the_launchers_host_has_what_is_never_started_again():
    assert placement.choose(NODES, {}, HOSTS, "k1") == {
        ("coordinator", 0): HEAD,
        ("learner", 0): HEAD,
        ("replay", 0): HEAD,
    }


def test_the_replay_goes_where_the_learner_does():
    learner, replay, coordinator = ("learner", 0), ("replay", 0), ("coordinator", 0)
    places = placement.choose(NODES, {"learner": ["gpu1"]}, HOSTS, "k1")
    assert places == {coordinator: HEAD, learner: GPU, replay: GPU}
    assert placement.need_directory(places, "k1") == {learner: GPU, replay: GPU}
    assert placement.need_directory(places, "k2") == {coordinator: HEAD}


def test_an_evaluator_can_be_placed_by_address_and_needs_no_directory():
    places = placement.choose(NODES, {"evaluator": ["10.0.0.3"]}, HOSTS, "k1")
    assert places["evaluator", 0] == FAR
    assert placement.need_directory(places, "k1") == {}


def test_an_unknown_host_is_named_with_those_that_are_there():
    with pytest.raises(Unfit) as error:
        placement.choose(NODES, {"learner": ["gpu9"]}, HOSTS, "k1")
    assert str(error.value) == (
        "--place learner=gpu9 must name a host of the cluster, which has head "
        "(10.0.0.1), gpu1 (10.0.0.2), far (10.0.0.3); choose one of these, or start "
        "Ray on that host"
    )


def test_only_the_learner_gets_the_gpus_of_its_host():
    places = placement.choose(NODES, {"learner": ["gpu1"]}, HOSTS, "k1")
    assert placement.gpus(LEARNER, places) == 2.0
    assert placement.gpus(REPLAY, places) == 0.0
    assert placement.gpus(ACTORS, places) == 0.0
    here = placement.choose(NODES, {}, HOSTS, "k1")
    assert placement.gpus(LEARNER, here) == 0.0


THREE = node("learner", accelerators=True, replicas=3)
MORE = [GPU, Host("k4", "gpu2", "10.0.0.4", 8.0, 2.0), HEAD, FAR]


def placed(*learners):
    nodes = [REPLAY, COORDINATOR, THREE._replace(replicas=2), ACTORS]
    return nodes[2], placement.choose(nodes, {"learner": learners}, MORE, "k1")


def test_each_of_several_learners_can_have_a_host_and_then_its_gpus():
    node, places = placed("gpu2", "gpu1")
    names = {replica: host.name for replica, host in places.items()}
    assert names == {
        ("replay", 0): "gpu2",  # where the first learner is
        ("coordinator", 0): "head",
        ("learner", 0): "gpu2",
        ("learner", 1): "gpu1",
    }
    assert placement.gpus(node, places) == 2.0
    assert {*placement.need_directory(places, "k1")} == {
        ("replay", 0),
        ("learner", 0),
        ("learner", 1),
    }


def test_learners_that_share_a_host_compute_on_its_cpu():
    node, places = placed("gpu1")
    assert places["learner", 0] == places["learner", 1] == GPU
    assert placement.gpus(node, places) == 0.0


def test_hosts_of_learners_must_fit_their_number_and_each_other():
    node, places = placed("gpu1", "far")
    with pytest.raises(Unfit) as error:
        placement.gpus(node, places)
    assert str(error.value) == (
        "hosts of learners must have equally many GPUs, but gpu1 has 2, far has 0; "
        "choose others with --place, or start Ray there with --num-gpus"
    )
    with pytest.raises(Unfit) as error:
        placement.choose([THREE], {"learner": ["gpu1", "far"]}, HOSTS, "k1")
    assert str(error.value) == (
        "--place must name one host for all learners, or one for each of 3, got 2; "
        "give --place learner=HOST once, or 3 times"
    )


@pytest.mark.parametrize(("actors", "cpus"), ((2, 5.0), (7, 10.0), (99, 10.0)))
def test_cpus_of_a_program(actors, cpus):
    assert placement.cpus(NODES, actors) == cpus


def test_an_elastic_program_begins_with_the_lower_bound():
    assert placement.actors_to_begin(NODES, 3, elastic=True) == 3
    assert placement.actors_to_begin(NODES, 3, elastic=False) == 7
    assert placement.actors_to_begin([LEARNER], 1, elastic=False) == 0


def test_a_cluster_that_is_too_small_is_refused():
    placement.check_cpus(NODES, 7, HOSTS)
    with pytest.raises(Unfit) as error:
        placement.check_cpus(NODES, 7, [HEAD, FAR])
    assert str(error.value) == (
        "the cluster must have 10 CPUs for 7 actors and the other roles, it has 8; "
        "give a smaller --actors, or LOW..HIGH, or start Ray on more hosts; `ray start "
        "--num-cpus` overrides what Ray counts"
    )
